"""`parked`, `resolve` and `reassign`: what waits for whom, and the decision that moves it."""

import asyncio
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table
from rich.text import Text

from cli.api import Api, find_api, good
from cli.options import ApiUrl, Json, Token
from cli.screen import Screen
from cli.trouble import ATTENTION, GOOD, WRONG_USE, Trouble, wrong_use
from cli.words import age, money, sums
from commerce.cases import at_the_end, commands
from commerce.documents import Case


class Decision(StrEnum):
    RETRY = "retry"
    CORRECT = "correct"
    SKIP = "skip"
    GIVE_UP = "give-up"


def parked(api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """List what waits for a person, oldest first, with the money at stake.

    Example: starter.py parked
    """
    screen = Screen(as_json=as_json)
    raise typer.Exit(asyncio.run(_parked(Api(find_api(api, token)), screen)))


def resolve(
    case: Annotated[str, typer.Argument(metavar="ID", help="Id of the case, or an order with exactly one.")],
    decision: Annotated[
        Decision, typer.Option(help="retry the step, correct the order first, skip the step, or give-up and undo.")
    ],
    reason: Annotated[str, typer.Option(help="Why; kept with the order.")],
    correction: Annotated[
        str | None, typer.Option(help="With correct: JSON merge patch on the order, or @file with it.")
    ] = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Decide a parked case. The same decision twice is harmless.

    Example: starter.py resolve de:1001:1 --decision retry --reason "item created"
    """
    screen = Screen(as_json=as_json)
    if not reason.strip():
        raise wrong_use("--reason is empty: say why you decide so")
    body: dict[str, Any] = {"decision": decision.value, "reason": reason}
    patch = read_correction(decision, correction)
    if patch is not None:
        body["correction"] = patch
    asyncio.run(_ask(Api(find_api(api, token)), case, "decision", body, screen))


def reassign(
    case: Annotated[str, typer.Argument(metavar="ID", help="Id of the case, or an order with exactly one.")],
    to: Annotated[str, typer.Option(help="A person, a role, or a mail address, which is then told.")],
    reason: Annotated[str, typer.Option(help="Why; kept with the case.")],
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Make a parked case somebody else's move.

    Example: starter.py reassign de:1001:1 --to anna@shop.example --reason "knows the customer"
    """
    for name, value in (("--to", to), ("--reason", reason)):
        if not value.strip():
            raise wrong_use(f"{name} is empty: say to whom, and why")
    body = {"to": to, "reason": reason}
    asyncio.run(_ask(Api(find_api(api, token)), case, "reassign", body, Screen(as_json=as_json)))


def read_correction(decision: Decision, text: str | None) -> dict[str, Any] | None:
    """The merge patch. Raises Trouble 2 where it is missing, superfluous or no JSON object."""
    if decision is not Decision.CORRECT:
        if text is not None:
            raise wrong_use("--correction goes with --decision correct only")
        return None
    example = """'{"lines": {"0": {"sku": "NEW"}}}'"""
    if text is None:
        raise wrong_use(f"--correction is missing: say what to change, for example {example}")
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as err:
            raise wrong_use(f"--correction: {text[1:]} cannot be read: {err}") from None
    try:
        patch = json.loads(text)
    except ValueError as err:
        raise wrong_use(f"--correction is not JSON: {err}; for example {example}") from None
    if not isinstance(patch, dict):
        raise wrong_use(f"--correction is not a JSON object; for example {example}")
    return patch


def heading(case: dict[str, Any]) -> str:
    """A case in one line: whose move, what came back, what to do."""
    stake = f", {money(case['amount'])} at stake" if case.get("amount") else ""
    request = f" (request {case['request_id']})" if case.get("request_id") else ""
    return f"{case['step']} waits for a person since {age(case['opened_at'])}{stake}: {case['came_back']}{request}"


def commands_for(case: dict[str, Any]) -> list[str]:
    """Whose move it is, what to do, and the commands that move it."""
    known = Case.model_validate({name: case[name] for name in Case.model_fields if name in case})
    end = at_the_end(known)
    return [
        f"whose move: {known.assignee}{', escalated' if known.escalated_at else ''}",
        f"to do: {known.do_next}",
        *([end] if end else []),
        *commands(known),
    ]


async def _parked(client: Api, screen: Screen) -> int:
    async with client as api:
        cases = (await api.need("/v1/parked"))["cases"]
    screen.json({"cases": cases})
    if not cases:
        screen.verdict("nothing waits for a person", GOOD)
        return GOOD
    if not screen.as_json:
        table = Table(box=None, pad_edge=False)
        table.add_column("age", no_wrap=True)
        table.add_column("money", no_wrap=True, justify="right")
        table.add_column("case", no_wrap=True)
        table.add_column("whose move", overflow="fold")
        table.add_column("what came back, and what to do", overflow="fold")
        for case in cases:
            table.add_row(
                age(case["opened_at"]),
                money(case.get("amount")),
                Text(case["id"]),
                Text(("! " if case.get("escalated_at") else "") + case["assignee"]),
                Text(f"{case['step']}: {case['came_back']}\n→ {case['do_next']}"),
            )
        screen.out.print(table)
    at_stake = sums(case["amount"] for case in cases)
    screen.verdict(f"{len(cases)} need a person, {at_stake or 'no money at stake'}", ATTENTION)
    screen.say('  starter.py resolve ID --decision retry --reason "…"')
    return ATTENTION


async def _ask(client: Api, name: str, what: str, body: dict[str, Any], screen: Screen) -> None:
    async with client as api:
        case_id = choose((await api.need("/v1/parked"))["cases"], name)
        done = good(await api.post(f"/v1/parked/{quote(case_id, safe=':')}/{what}", body))
    screen.json(done)
    screen.verdict(done["message"], GOOD)


def choose(cases: list[dict[str, Any]], name: str) -> str:
    """The id of the case that is meant: its own, or that of the order's only one. Raises Trouble when it is unclear."""
    if any(case["id"] == name for case in cases):
        return name
    of_order = [case["id"] for case in cases if name in (case["order_key"], case["number"])]
    if len(of_order) > 1:
        raise Trouble(f"{name!r} has {len(of_order)} open cases; name one of them:", WRONG_USE, details=(*of_order,))
    return str(of_order[0]) if of_order else name
