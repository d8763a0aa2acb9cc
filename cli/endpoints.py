"""`endpoints`, `pause` and `resume`: how the connected systems stand, and planned maintenance."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table
from rich.text import Text

from cli.api import Api, find_api, good
from cli.options import ApiUrl, Json, Token
from cli.screen import Screen
from cli.trouble import ATTENTION, GOOD, wrong_use
from cli.words import age, money

PLANNED = ("up", "closed")  # nobody needs to look


def endpoints(api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """Show how the connected systems stand, and what waits for them.

    Example: starter.py endpoints
    """
    raise typer.Exit(asyncio.run(_endpoints(Api(find_api(api, token)), Screen(as_json=as_json))))


def pause(
    system: Annotated[str, typer.Argument(metavar="SYSTEM", help="As `starter.py endpoints` names it.")],
    reason: Annotated[str, typer.Option(help="Why; operators read it.")],
    until: Annotated[
        str | None, typer.Option(help="When it ends by itself, as 2026-11-22T06:00Z; else until it is resumed.")
    ] = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Hold a system back: nothing is sent to it, everything else goes on.

    Example: starter.py pause financialforce --reason "month-end closing" --until 2026-11-22T06:00Z
    """
    if not reason.strip():
        raise wrong_use("--reason is empty: say why you pause it")
    body: dict[str, Any] = {"reason": reason}
    if until is not None:
        body["until"] = read_time(until).isoformat()
    asyncio.run(_switch(Api(find_api(api, token)), system, "pause", body, Screen(as_json=as_json)))


def resume(
    system: Annotated[str, typer.Argument(metavar="SYSTEM", help="As `starter.py endpoints` names it.")],
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """End a pause, or open a system outside its window; what waited drains in steps.

    Example: starter.py resume financialforce
    """
    asyncio.run(_switch(Api(find_api(api, token)), system, "resume", {"reason": reason}, Screen(as_json=as_json)))


def read_time(text: str) -> datetime:
    """A time with its zone. Raises Trouble 2 for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise wrong_use(f"--until {text!r} is not a time; write it as 2026-11-22T06:00Z") from None
    if moment.tzinfo is None:
        raise wrong_use(f"--until {text!r} has no zone; write it as 2026-11-22T06:00Z")
    return moment.astimezone(UTC)


async def _endpoints(client: Api, screen: Screen) -> int:
    async with client as api:
        answer = await api.need("/v1/endpoints")
    notes = answer["endpoints"]
    screen.json(answer)
    away = [note for note in notes if note["state"] not in PLANNED]
    if not screen.as_json:
        table = Table(box=None, pad_edge=False)
        for name in ("system", "state", "for"):
            table.add_column(name, no_wrap=True)
        table.add_column("orders", justify="right")
        table.add_column("steps", justify="right")
        table.add_column("money that waits", no_wrap=True, justify="right")
        table.add_column("calls in 24 h", no_wrap=True, justify="right")
        table.add_column("why", overflow="fold")
        for note in notes:
            held = note["held"]
            amounts = ", ".join(money(amount) for amount in held["money"])
            table.add_row(
                Text(note["endpoint"]),
                note["state"],
                age(note["since"]),
                str(held["orders"]),
                str(held["steps"]),
                amounts or "-",
                _calls(answer["calls"].get(note["endpoint"])),
                Text(note["reason"]),
            )
        screen.out.print(table)
        screen.out.print(
            "orders: open orders whose next step waits for the system; steps: about how many the engine keeps in its "
            f"queue. Mails and portal messages in their queue: {answer['notify']['steps']}",
            style="dim",
        )
        for name, place in answer["pushes"].items():
            screen.out.print(_push(name, place), style="yellow" if place["trouble"] else "dim")
        if not answer["counted_now"]:
            screen.out.print("Temporal does not answer: this was counted when each state last changed", style="yellow")
    if away:
        screen.verdict(f"{len(away)} of {len(notes)} systems are not up", ATTENTION)
        return ATTENTION
    closed = [note["endpoint"] for note in notes if note["state"] == "closed"]
    if closed:
        screen.verdict(f"all {len(notes)} systems are well; outside their windows: {', '.join(closed)}", GOOD)
        return GOOD
    screen.verdict(f"all {len(notes)} systems are up", GOOD)
    return GOOD


def _push(name: str, place: dict[str, Any]) -> Text:
    heard = f"last sign of life {age(place['heard_at'])} ago" if place["heard_at"] else "no sign of life yet"
    return Text(f"{name}: {heard}" + (f"; the feed looks by itself: {place['trouble']}" if place["trouble"] else ""))


def _calls(usage: Any) -> Text:
    if not usage:
        return Text("-")
    text = str(usage["used"]) + (f" of {usage['allowed']}" if usage["allowed"] is not None else "")
    return Text(text if usage["level"] == "free" else f"{text}, {usage['level']}")


async def _switch(client: Api, system: str, what: str, body: dict[str, Any], screen: Screen) -> None:
    async with client as api:
        done = good(await api.post(f"/v1/endpoints/{quote(system, safe='')}/{what}", body))
    screen.json(done)
    screen.verdict(done["message"], GOOD)
