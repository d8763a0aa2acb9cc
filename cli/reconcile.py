"""`reconcile`: both sides of every pair compared, from the systems themselves."""

import asyncio
import csv
import re
import sys
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, TextIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.table import Table
from rich.text import Text

from cli.api import Api, find_api, good
from cli.options import ApiUrl, Json, Token
from cli.screen import Screen
from cli.trouble import ATTENTION, GOOD, Trouble, wrong_use
from cli.words import age, money
from commerce.money import Money
from commerce.reconciliation import PAIR_NAMES

LOOK_EVERY = 0.5  # seconds
TELL_EVERY = 5.0
_SPANS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
COLUMNS = (
    "pair",
    "kind",
    "side",
    "order",
    "item",
    "amount",
    "currency",
    "since",
    "left",
    "right",
    "explained",
    "command",
    "remedy",
)


def reconcile(
    day: Annotated[str | None, typer.Option(help="One day, as 2026-11-21 or today.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Until now: since a time (2026-11-21T06:00Z), or for 45m, 2h, 3d. Default: 1d.")
    ] = None,
    zone: Annotated[str, typer.Option(help="Time zone of --day.")] = "UTC",
    pair: Annotated[str | None, typer.Option(help=f"One pair only: {', '.join(PAIR_NAMES)}.")] = None,
    store: Annotated[str | None, typer.Option(help="One store only.")] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Also write every difference as CSV; - for the screen.")
    ] = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Compare shop, ERP, payments and billing: counts, money and goods of both sides, and what to do where they differ.

    Looks at every order of which a document was made or changed in the period, in the systems themselves.

    Example: starter.py reconcile --day 2026-11-21
    """
    if pair is not None and pair not in PAIR_NAMES:
        raise wrong_use(f"--pair {pair!r} is not known; pairs are {', '.join(PAIR_NAMES)}")
    to_screen = csv_file is not None and str(csv_file) == "-"
    if to_screen and as_json:
        raise wrong_use("--csv - and --json both write to the screen; name a file")
    first, last = period(day, since, zone, datetime.now(UTC))
    body = {"since": first.isoformat(), "until": last.isoformat(), "store": store, "pair": pair}
    # CSV on the screen is for machines as well: what people read goes to the side.
    screen = Screen(as_json=as_json)
    raise typer.Exit(asyncio.run(_reconcile(Api(find_api(api, token)), body, csv_file, screen, to_screen=to_screen)))


def period(day: str | None, since: str | None, zone: str, now: datetime) -> tuple[datetime, datetime]:
    """From and until. Raises Trouble 2 for what is no day, no time or no span."""
    if day is not None and since is not None:
        raise wrong_use("--day and --since exclude each other: name one")
    if day is None:
        return _since(since or "1d", now), now
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise wrong_use(f"--zone {zone!r} is not known; write it like Europe/Berlin") from None
    try:
        wanted = now.astimezone(place).date() if day == "today" else date.fromisoformat(day)
    except ValueError:
        raise wrong_use(f"--day {day!r} is not a day; write it as 2026-11-21") from None
    first = datetime.combine(wanted, time(), place).astimezone(UTC)
    last = datetime.combine(wanted + timedelta(days=1), time(), place).astimezone(UTC)
    if first >= now:
        raise wrong_use(f"--day {day} has not begun in {zone}")
    return first, min(last, now)


def _since(text: str, now: datetime) -> datetime:
    span = re.fullmatch(r"(\d+)([mhd])", text)
    try:
        if span:
            return now - int(span[1]) * _SPANS[span[2]]
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise wrong_use(f"--since {text!r} is neither a time (2026-11-21T06:00Z) nor a span (45m, 2h, 3d)") from None
    if moment.tzinfo is None:
        raise wrong_use(f"--since {text!r} has no zone; write it as 2026-11-21T06:00Z")
    if moment >= now:
        raise wrong_use(f"--since {text!r} is not in the past")
    return moment.astimezone(UTC)


async def _reconcile(
    client: Api, body: dict[str, Any], csv_file: Path | None, screen: Screen, *, to_screen: bool
) -> int:
    async with client as api:
        started = good(await api.post("/v1/reconciliations", body))
        done = await _follow(api, str(started["id"]), screen)
        if done["state"] != "done":
            raise Trouble(f"it could not be compared: {done['reason']}", details=("ask again when that is mended",))
        found = await _differences(api, str(started["id"]))
    report = done["report"]
    screen.json({**report, "found": found})
    if to_screen:
        write_csv(sys.stdout, found)
        screen.side.print(Text(report["verdict"]), soft_wrap=True)
    else:
        if csv_file is not None:
            _write_file(csv_file, found)
        show(report, found, screen)
        if csv_file is not None:
            screen.say(f"written to {csv_file}")
    return ATTENTION if report["differences"] else GOOD


async def _follow(api: Api, id: str, screen: Screen) -> dict[str, Any]:
    """Wait until it is done, and say now and then how far it is."""
    clock = asyncio.get_running_loop().time
    told = clock()
    while True:
        now = dict(await api.need(f"/v1/reconciliations/{id}"))
        if now["state"] != "running":
            return now
        if clock() - told >= TELL_EVERY and now.get("progress"):
            told = clock()
            screen.side.print(Text(_progress(now["progress"])), soft_wrap=True)
        await asyncio.sleep(LOOK_EVERY)


def _progress(view: dict[str, Any]) -> str:
    read = f", {view['read']} of {view['to_read']} read" if view["to_read"] and view["read"] else ""
    waits = f", at {', '.join(view['waits_for'])}" if view["waits_for"] else ""
    return f"{view['phase']}: {view['orders']} orders{read}{waits}"


async def _differences(api: Api, id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = 0
    while True:
        page = (await api.need(f"/v1/reconciliations/{id}/differences", after=after, limit=1000))["differences"]
        found += [row["difference"] for row in page]
        if not page:
            return found
        after = int(page[-1]["number"])


def show(report: dict[str, Any], found: list[dict[str, Any]], screen: Screen) -> None:
    """The verdict first, then the pairs, then what differs with the command for each."""
    if screen.as_json:
        return
    screen.verdict(report["verdict"], ATTENTION if report["differences"] else GOOD)
    screen.out.print()
    table = Table(box=None, pad_edge=False)
    for name, justify in (("pair", "left"), ("sides", "left"), ("left", "right"), ("right", "right")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for name in ("left money", "right money", "difference", "differ", "explained"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in report["pairs"]:
        columns = _money_columns(row["money"])
        counts = (str(row["left"]), str(row["right"]))
        sides = f"{row['left_name']} / {row['right_name']}"
        table.add_row(
            row["pair"], sides, *counts, *columns, str(row["differences"] or "-"), str(row["explained"] or "-")
        )
    screen.out.print(table)
    for row in report["pairs"]:
        if Decimal(row["left_pieces"]) or Decimal(row["right_pieces"]):
            screen.say(f"{row['pair']}: {pieces(row)}")
    aged = [f"{one['differences']} {one['bucket']}" for one in report["ages"] if one["differences"]]
    if aged:
        screen.say(f"by age: {', '.join(aged)}")
    for one in found:
        screen.out.print()
        where = f" in {one['side']}" if one["side"] else ""
        head = f"{one['order_key']}  {one['pair']}: {one['kind']}{where}, {money(one['amount'])}, {age(one['since'])}"
        screen.say(head, "dim" if one["explained"] else "bold")
        for side in ("left", "right"):
            for statement in one[side]:
                screen.say(f"  {side}: {document(statement)}")
        if one["explained"]:
            screen.say(f"  {one['explained']}")
        elif one["remedy"]:
            screen.say(f"  to do: {one['remedy']}")
        screen.say(f"  {one['command']}")


def document(statement: dict[str, Any]) -> str:
    """One document in short, with its id."""
    number = statement["number"] or statement["id"]
    own = f" ({statement['id']})" if number != statement["id"] else ""
    status = f", {statement['status']}" if statement["status"] else ""
    goods = "".join(f", {piece['quantity']} of {piece['sku']}" for piece in _shipped(statement))
    return f"{statement['system']} {statement['kind']} {number}{own}, {money(statement['amount'])}{goods}{status}"


def pieces(row: dict[str, Any]) -> str:
    """Such as `7 pieces in ERP shipments, 6 in shop shipments`."""
    return f"{row['left_pieces']} pieces in {row['left_name']}, {row['right_pieces']} in {row['right_name']}"


def _shipped(statement: dict[str, Any]) -> list[dict[str, Any]]:
    """What is in a shipment; the lines of a sales order would fill the screen."""
    return statement.get("goods", []) if statement["kind"].endswith("shipment") else []


def _money_columns(rows: Iterable[dict[str, Any]]) -> tuple[str, str, str]:
    lines = [
        (Money(minor=row["left"], currency=row["currency"]), Money(minor=row["right"], currency=row["currency"]))
        for row in rows
    ]
    left, right = ("\n".join(str(pair[side]) for pair in lines) or "-" for side in (0, 1))
    return left, right, "\n".join(str(a - b) if a - b else "-" for a, b in lines) or "-"


def _write_file(path: Path, found: list[dict[str, Any]]) -> None:
    try:
        with path.open("w", encoding="utf-8-sig", newline="") as file:  # with the mark, spreadsheets read UTF-8
            write_csv(file, found)
    except OSError as err:
        raise Trouble(f"--csv: {path} cannot be written: {err.strerror}") from None


def write_csv(file: TextIO, found: list[dict[str, Any]]) -> None:
    """A row for each difference, explained ones too."""
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for one in found:
        amount = Money.model_validate(one["amount"])
        row = [one["pair"], one["kind"], one["side"], one["order_key"], one["item"], amount.decimal(), amount.currency]
        row += [one["since"], *("; ".join(document(each) for each in one[side]) for side in ("left", "right"))]
        writer.writerow([*(_harmless(cell) for cell in row), one["explained"], one["command"], one["remedy"]])


def _harmless(cell: Any) -> Any:
    """What a spreadsheet would take for a formula is shown as the text that it is."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell else cell
