"""`stuck`: runs that cannot go on, and what becomes of those that were ended in the engine."""

import asyncio
from typing import Annotated, Any

import typer

from cli.api import Api, find_api, good, order_path
from cli.options import ApiUrl, Json, Token
from cli.orders import find_order
from cli.screen import Screen
from cli.trouble import ATTENTION, GOOD, wrong_use
from cli.words import age


def stuck(
    order: Annotated[
        str | None, typer.Argument(metavar="[ORDER]", help="Order number, or store:number.", show_default=False)
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="It goes on where it stood.")] = False,
    dismiss: Annotated[bool, typer.Option("--dismiss", help="It was ended on purpose: list it no more.")] = False,
    reason: Annotated[str, typer.Option(help="Why; kept with the order.")] = "",
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """List runs that cannot go on, or settle an order's run that was ended in Temporal.

    Started again, what was done is adopted, not done twice. One that ends once more is listed anew.

    Example: starter.py stuck 1001 --restart --reason "terminated by mistake"
    """
    client, screen = Api(find_api(api, token)), Screen(as_json=as_json)
    if order is None:
        if restart or dismiss or reason:
            raise wrong_use("name the ORDER whose run is to be settled")
        raise typer.Exit(asyncio.run(_list(client, screen)))
    if restart == dismiss:
        raise wrong_use(
            f"say what becomes of it: --restart or --dismiss; starter.py explain {order} tells why it ended"
        )
    if not reason.strip():
        raise wrong_use("--reason is empty: say why")
    body = {"decision": "restart" if restart else "dismiss", "reason": reason}
    asyncio.run(_settle(client, order, body, screen))


async def _list(client: Api, screen: Screen) -> int:
    async with client as api:
        runs = (await api.need("/v1/stuck"))["runs"]
    screen.json({"runs": runs})
    if not runs:
        screen.verdict("every run goes on", GOOD)
        return GOOD
    for run in runs:
        screen.say(f"{run['run']}  {run['kind']} for {age(run['since'])}", "bold")
        screen.say(f"  {run['reason']}")
        screen.say(f"  To do: {run['do_next']}")
    screen.verdict(f"{len(runs)} cannot go on, oldest {age(runs[0]['since'])}", ATTENTION)
    return ATTENTION


async def _settle(client: Api, name: str, body: dict[str, Any], screen: Screen) -> None:
    async with client as api:
        key = (await find_order(api, name))["order_key"]
        settled = good(await api.post(f"{order_path(key)}/stuck", body))
    screen.json(settled)
    did = "goes on where it stood" if body["decision"] == "restart" else "is dismissed"
    screen.verdict(f"{', '.join(settled['runs'])} {did}", GOOD)
    screen.say(f"  see it: starter.py explain {key}")
