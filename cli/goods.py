"""`late`, `follow` and `transfer`: goods that should be further than they are, and goods from another warehouse."""

import asyncio
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cli.api import Api, find_api, good, order_path
from cli.options import ApiUrl, Json, Token
from cli.orders import OrderName, find_order
from cli.screen import Screen
from cli.trouble import ATTENTION, GOOD, wrong_use
from cli.words import age, money, sums


def late(
    minutes: Annotated[float, typer.Option(help="How long a shipment may take to the shop, in minutes.", min=0)] = 30,
    days: Annotated[float, typer.Option(help="How long a parcel may take to the door, in days.", min=0)] = 5,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """List what is late, oldest first: not shipped, not written back, not delivered.

    Example: starter.py late --days 3
    """
    query = {"write_back_minutes": minutes, "delivery_days": days}
    raise typer.Exit(asyncio.run(_late(Api(find_api(api, token)), query, Screen(as_json=as_json))))


def follow(order: OrderName, api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """Follow an order's goods again: what the ERP has shipped and the shop does not show is written there.

    What is there already stays as it is. Goods whose run has ended are taken up again.

    Example: starter.py follow de:1001
    """
    asyncio.run(_follow(Api(find_api(api, token)), order, Screen(as_json=as_json)))


def transfer(
    order: OrderName,
    line: Annotated[list[str], typer.Option(help="LINE=QUANTITY, as `starter.py explain` shows it; more than once.")],
    source: Annotated[str, typer.Option("--from", help="The warehouse that has the goods, by the ERP's name.")],
    destination: Annotated[str, typer.Option("--to", help="The warehouse that ships the order.")],
    reason: Annotated[str, typer.Option(help="Why; kept with the order.")],
    needed_by: Annotated[
        str | None, typer.Option(help="A day of the ERP's zone (2026-12-01), or a time with its zone.")
    ] = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Bring goods of an order from another warehouse; their arrival releases it.

    Example: starter.py transfer de:1001 --line 1=2 --from Basel --to Hamburg --reason "sold out"
    """
    lines = dict(_line(given) for given in line)
    if not reason.strip():
        raise wrong_use("--reason is empty: say why the goods are moved")
    body: dict[str, Any] = {"source": source, "destination": destination, "lines": lines, "reason": reason}
    if needed_by is not None:
        body["needed_by"] = needed_by
    asyncio.run(_transfer(Api(find_api(api, token)), order, body, Screen(as_json=as_json)))


def _line(given: str) -> tuple[str, str]:
    line, equals, quantity = given.partition("=")
    if not (line and equals and quantity):
        raise wrong_use(f"--line {given!r}: give LINE=QUANTITY, such as 1=2")
    return line, quantity


async def _late(client: Api, query: dict[str, Any], screen: Screen) -> int:
    async with client as api:
        rows = (await api.need("/v1/late", **query))["late"]
    screen.json({"late": rows})
    if not rows:
        screen.verdict("nothing is late", GOOD)
        return GOOD
    if not screen.as_json:
        table = Table(box=None, pad_edge=False)
        for title in ("late for", "order", "money", "what"):
            table.add_column(title, no_wrap=True)
        table.add_column("goods", overflow="fold")
        for row in rows:
            waiting = f", waiting for {row['waiting_on']}" if row["waiting_on"] else ""
            goods = Text(row["state"] + waiting)
            table.add_row(age(row["since"]), row["order_key"], money(row["amount"]), row["what"], goods)
        screen.out.print(table)
    orders = {row["order_key"]: row["amount"] for row in rows}
    screen.verdict(f"{len(orders)} late, {sums(orders.values())}, oldest {age(rows[0]['since'])}", ATTENTION)
    screen.say(f"  starter.py explain {rows[0]['order_key']}")
    return ATTENTION


async def _follow(client: Api, name: str, screen: Screen) -> None:
    async with client as api:
        order = await find_order(api, name)
        answer = good(await api.post(f"{order_path(order['order_key'])}/follow", {}))
    screen.json(answer)
    screen.verdict(f"the goods of {answer['order_key']} are followed again", GOOD)
    screen.say(f"  see how far they are: starter.py explain {answer['order_key']}")


async def _transfer(client: Api, name: str, body: dict[str, Any], screen: Screen) -> None:
    async with client as api:
        order = await find_order(api, name)
        made = good(await api.post(f"{order_path(order['order_key'])}/transfers", body))
    screen.json(made)
    by = f", needed by {made['expected_on']}" if made["expected_on"] else ""
    screen.verdict(f"transfer {made['number']} brings it from {made['source']} to {made['destination']}{by}", GOOD)
    screen.say(f"  follow it: starter.py explain {order['order_key']}")
