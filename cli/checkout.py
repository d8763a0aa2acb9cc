"""`checkout`: place orders from a file through the API, one by one, and show where to pay for each."""

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.api import Answer, Api, find_api
from cli.options import ApiUrl, Json, Token
from cli.progress import Progress
from cli.screen import Screen
from cli.trouble import ATTENTION, GOOD, Trouble, wrong_use

# How often an order is sent again while Holdfast says that it cannot take orders just now.
TRIES = 4


@dataclass(frozen=True)
class Asked:
    """One order of the file. `problem` is set where it cannot be sent at all."""

    where: str
    key: str
    text: str
    problem: str = ""


@dataclass(frozen=True)
class Placed:
    """What became of one order: `placed`, `known` (placed before), `parked` or `refused`."""

    order: str
    outcome: str
    stage: str = ""
    payment_link: str = ""
    problem: str = ""
    details: tuple[str, ...] = ()


def checkout(
    file: Annotated[str, typer.Argument(help="An order (JSON object) or many (JSON lines); - reads standard input.")],
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Orders on their way at the same time.")] = 4,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Place orders and show the payment link of each. The same order again is harmless.

    Example: starter.py checkout orders.jsonl --concurrency 8
    """
    screen = Screen(as_json=as_json)
    asked = list(read_orders(_text(file)))
    if not asked:
        raise wrong_use(f"{file}: there is no order in it")
    placed = asyncio.run(_place_all(asked, Api(find_api(api, token)), concurrency, screen))
    counts = {name: sum(p.outcome == name for p in placed) for name in ("placed", "known", "parked", "refused")}
    code = ATTENTION if counts["parked"] or counts["refused"] else GOOD
    screen.json({"ok": code == GOOD, **counts, "orders": [asdict(p) for p in placed]})
    parts = [f"{count} {name}" for name, count in counts.items() if count]
    hints = ["see `starter.py parked`"] if counts["parked"] else []
    hints += ["mend the refused ones and send the file again"] if counts["refused"] else []
    screen.verdict(f"{len(placed)} orders: {', '.join(parts)}{'; ' if hints else ''}{', '.join(hints)}", code)
    raise typer.Exit(code)


def read_orders(text: str) -> Iterator[Asked]:
    """One JSON object, or one on each line. A line that cannot be read is an order with a problem."""
    if not text.strip():
        return
    try:
        whole = json.loads(text)
    except ValueError:
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield _asked(f"line {number}", line)
        return
    if isinstance(whole, dict):
        yield _asked("the file", text)
    else:
        raise wrong_use("this is JSON, but neither an object nor JSON lines; write one order on each line")


def _asked(where: str, text: str) -> Asked:
    try:
        order = json.loads(text)
    except ValueError as err:
        return Asked(where, where, text, f"{where} is not JSON: {err}")
    if not isinstance(order, dict):
        return Asked(where, where, text, f"{where} is not a JSON object")
    key = f"{order.get('store', '?')}:{order.get('number', '?')}"
    return Asked(where, key if "?" not in key else f"{where} ({key})", text)


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text("utf-8-sig")
    except FileNotFoundError:
        raise wrong_use(f"{file}: there is no such file") from None
    except OSError as err:
        raise wrong_use(f"{file}: cannot be read: {err.strerror}") from None
    except UnicodeDecodeError:
        raise wrong_use(f"{file}: is not UTF-8 text") from None


async def _place_all(asked: list[Asked], api: Api, concurrency: int, screen: Screen) -> list[Placed]:
    """In the file's sequence. A refused order never stops the rest."""
    room = asyncio.Semaphore(concurrency)
    console = screen.side if screen.as_json else screen.out
    async with api:
        with Progress(console, "orders", len(asked)) as progress:

            async def one(order: Asked) -> Placed:
                async with room:
                    placed = Placed(order.key, "refused", problem=order.problem) if order.problem else None
                    placed = placed or await place(order, api)
                progress.step()
                if not screen.as_json:
                    for line in told(placed):
                        progress.say(line)
                return placed

            return list(await asyncio.gather(*(one(order) for order in asked)))


async def place(order: Asked, api: Api) -> Placed:
    """Place one order; tried again while Holdfast says that it cannot take orders just now."""
    for attempt in range(1, TRIES + 1):
        try:
            answer = await api.post("/v1/checkouts", order.text)
        except Trouble as trouble:
            return Placed(order.key, "refused", problem=f"{trouble}; send it again later, that is harmless")
        if answer.status not in (429, 503) or attempt == TRIES:
            break
        await asyncio.sleep(min(answer.retry_after or 1.0, 10.0))
    return judge(order.key, answer)


def judge(key: str, answer: Answer) -> Placed:
    """What an answer to a checkout means."""
    if answer.status >= 300 or not isinstance(answer.body, dict):
        return Placed(key, "refused", problem=answer.message, details=answer.details)
    view: dict[str, Any] = answer.body
    cases = view.get("cases") or []
    problem = "; ".join(f"{case['came_back']}. {case['do_next']}" for case in cases)
    if not view.get("payment_link") and answer.status == 202:
        problem = problem or "accepted; its payment link is not there yet, ask with `starter.py status " + key + "`"
    outcome = "parked" if cases else "known" if answer.status == 200 else "placed"
    return Placed(key, outcome, str(view.get("stage", "")), str(view.get("payment_link") or ""), problem)


def told(placed: Placed) -> list[str]:
    """One line, and one more for each detail."""
    parts = [placed.order, placed.outcome, placed.stage, placed.payment_link, placed.problem]
    return ["  ".join(part for part in parts if part), *(f"    {line}" for line in placed.details)]
