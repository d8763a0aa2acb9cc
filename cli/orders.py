"""`status`, `explain` and `cancel`: where orders stand, why, and how to stop one."""

import asyncio
from collections import defaultdict
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.api import Api, find_api, good, order_path
from cli.options import ApiUrl, Json, Token
from cli.parked import commands_for, heading
from cli.screen import Screen
from cli.trouble import ATTENTION, GOOD, WRONG_USE, Trouble, wrong_use
from cli.words import age, moment, money, sums

OrderName = Annotated[
    str, typer.Argument(metavar="ORDER", help="Order number, store:number, or the number of a document in any system.")
]
NEWEST = 1000
ASKED_AT_ONCE = 8
SHOWN = 10  # runs that cannot go on
ASKED_ONE_BY_ONE = 200  # open orders whose stage is asked for; more are counted as open


def status(
    order: Annotated[
        str | None, typer.Argument(metavar="[ORDER]", help="One order instead of all: number or store:number.")
    ] = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Count orders by stage, with parked cases and runs that cannot go on; or show one order in short.

    Example: starter.py status de:1001
    """
    screen = Screen(as_json=as_json)
    client = Api(find_api(api, token))
    raise typer.Exit(asyncio.run(_one(client, order, screen) if order else _all(client, screen)))


def explain(order: OrderName, api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """Tell an order's story: what happened, what it waits for, and the command that moves it.

    Example: starter.py explain 1001
    """
    screen = Screen(as_json=as_json)
    raise typer.Exit(asyncio.run(_explain(Api(find_api(api, token)), order, screen)))


def cancel(
    order: OrderName,
    reason: Annotated[str, typer.Option(help="Why; kept with the order.")],
    store: Annotated[str | None, typer.Option(help="The store, where the number alone is not enough.")] = None,
    unattended: Annotated[
        bool, typer.Option("--unattended", help="Only if no person has to finish it by hand.")
    ] = False,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Stop an order and undo what was done: documents are cancelled, money goes back.

    Example: starter.py cancel de:1001 --reason "the buyer asked for it"
    """
    screen = Screen(as_json=as_json)
    body = {"reason": reason, "unattended": unattended}
    asyncio.run(_cancel(Api(find_api(api, token)), f"{store}:{order}" if store else order, body, screen))


async def find_order(api: Api, name: str) -> dict[str, Any]:
    """The order with this number, key, or document. Raises Trouble: 1 unknown, 2 ambiguous, with the candidates."""
    store, colon, number = name.partition(":")
    if colon and store and number:
        answer = await api.get(order_path(name))
        if answer.status != 404:
            return dict(good(answer))
    found = (await api.need("/v1/orders", number=name, document=name))["orders"]
    if not found:
        hint = "" if colon else "; a very new order is found by store:number"
        raise Trouble(f"no order and no document has the number {name!r}{hint}")
    if len(found) > 1:
        lines = [f"{row['order_key']}  {row['stage']}  {money(row['amount'])}" for row in found]
        raise Trouble(f"{len(found)} orders go by {name!r}; name one of them:", WRONG_USE, details=(*lines,))
    return dict(await api.need(order_path(found[0]["order_key"])))


async def _one(client: Api, name: str, screen: Screen) -> int:
    async with client as api:
        order = await find_order(api, name)
    screen.json(order)
    rows = {
        "stage": order["stage"],
        "amount": money(order["amount"]),
        "payment": order["payment_state"],
        "pay here": order["payment_link"],
        "waits for": order["waiting_on"],
        "changed": _chain(order),
        "documents": ", ".join(_document(document) for document in order["documents"]),
    }
    screen.say(order["order_key"], "bold")
    for label, value in rows.items():
        if value:
            screen.say(f"  {label}: {value}")
    return _last_word(order, screen)


async def _all(client: Api, screen: Screen) -> int:
    async with client as api:
        rows = (await api.need("/v1/orders", limit=NEWEST))["orders"]
        cases = (await api.need("/v1/parked"))["cases"]
        stuck = (await api.need("/v1/stuck"))["runs"]
        stages = await _stages(api, rows)
    by_stage: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_stage[stages.get(row["order_key"], row["stage"])].append(row)
    summary = {
        stage: {"orders": len(group), "oldest": min(row["received_at"] for row in group)}
        for stage, group in sorted(by_stage.items())
    }
    complete = len(rows) < NEWEST
    screen.json({"stages": summary, "parked": len(cases), "stuck": stuck, "complete": complete})
    if not screen.as_json:
        table = Table(box=None, pad_edge=False)
        for title in ("stage", "orders", "oldest", "money"):
            table.add_column(title, justify="right" if title == "orders" else "left")
        for stage, group in sorted(by_stage.items()):
            oldest = age(summary[stage]["oldest"])
            table.add_row(stage, str(len(group)), oldest, sums(row["amount"] for row in group))
        screen.out.print(table)
        if not complete:
            screen.say(f"these are the newest {NEWEST}; older ones are found by their number")
    code = ATTENTION if cases or stuck else GOOD
    if stuck:
        plural = "s" if len(stuck) != 1 else ""
        screen.verdict(f"{len(stuck)} run{plural} cannot go on, oldest {age(stuck[0]['since'])}:", code)
        for run in stuck[:SHOWN]:
            screen.say(f"  {run['run']}  {run['reason']}")
            screen.say(f"    {run['do_next']}")
        if len(stuck) > SHOWN:
            screen.say(f"  and {len(stuck) - SHOWN} more: starter.py stuck")
    if cases:
        oldest = age(min(case["opened_at"] for case in cases))
        at_stake = sums(case["amount"] for case in cases)
        screen.verdict(f"{len(cases)} need a person, oldest {oldest}, {at_stake or 'no money at stake'}:", code)
        screen.say("  starter.py parked")
    elif not stuck:
        screen.verdict(f"{len(rows)} order{'s' if len(rows) != 1 else ''}, nobody needs to do anything", code)
    return code


async def _stages(api: Api, rows: list[dict[str, Any]]) -> dict[str, str]:
    """The stage of open orders, asked one by one."""
    room = asyncio.Semaphore(ASKED_AT_ONCE)

    async def stage(key: str) -> tuple[str, str]:
        async with room:
            return key, str((await api.need(order_path(key)))["stage"])

    open_keys = [row["order_key"] for row in rows if row["stage"] == "open"]
    return dict(await asyncio.gather(*(stage(key) for key in open_keys[:ASKED_ONE_BY_ONE])))


async def _explain(client: Api, name: str, screen: Screen) -> int:
    async with client as api:
        order = await find_order(api, name)
    screen.json(order)
    screen.say(f"Order {order['number']} of {order['store']}, {money(order['amount'])}: {order['stage']}", "bold")
    for event in order["timeline"]:
        screen.say(f"  {moment(event['at']):%Y-%m-%d %H:%M:%S}  {event['kind']:<7}  {event['text']}")
    if order["documents"]:
        screen.say("Documents", "bold")
        for document in order["documents"]:
            screen.say(f"  {_document(document)}  {money(document['amount'])}  {document['status']}".rstrip())
    _say_goods(order.get("goods"), screen)
    if order.get("chain"):
        screen.say("Changed", "bold")
        screen.say(f"  {_chain(order)}")
    screen.say("Now", "bold")
    screen.say(f"  {order['next']}")
    if order["payment_link"]:
        screen.say(f"  payment link: {order['payment_link']}")
        screen.say(f'  to stop it: starter.py cancel {order["order_key"]} --reason "…"')
    if not order["live"] and not order["stuck"]:
        screen.say("  no worker answers for it; start one: starter.py up, or python worker.py")
    if order["links"].get("temporal_ui"):
        screen.say(f"  its run: {order['links']['temporal_ui']}")
    return _last_word(order, screen)


def _chain(order: dict[str, Any]) -> str:
    """The orders that an edit in the shop made of one another, first to last, such as `1 (cancelled) → 1-1 (open)`."""
    return " → ".join(f"{one['number']} ({one['stage']})" for one in order.get("chain", ()))


def _say_goods(goods: dict[str, Any] | None, screen: Screen) -> None:
    """How far the goods are, line by line and shipment by shipment."""
    if goods is None:
        return
    screen.say(f"Goods: {goods['state']}", "bold")
    for asked in goods["asked"]:
        screen.say(f"  asked for: {asked}")
    for event in goods["timeline"]:
        screen.say(f"  {moment(event['at']):%Y-%m-%d %H:%M:%S}  {event['kind']:<7}  {event['text']}")
    for line in goods["lines"]:
        counts = ", ".join(
            f"{line[name]} {name.replace('_', '-')}"
            for name in ("shipped", "allocated", "back_ordered", "cancelled")
            if line[name] not in ("0", 0)
        )
        promised = f", promised for {line['promised_on']}" if line["promised_on"] else ""
        screen.say(
            f"  line {line['line']}  {line['sku']}  {line['ordered']} ordered{', ' * bool(counts)}{counts}{promised}"
        )
    for shipment in goods["shipments"]:
        screen.say(f"  {shipment['number']}  {shipment['state']}  {shipment['carrier']} {shipment['service']}".rstrip())
        for part in shipment["waits"]:
            screen.say(f"    {part['quantity']} of {part['sku']}: the shop shows it with the rest of its bundle")
        for track in shipment["tracks"]:
            screen.say(f"    {track['number']}  {track['said']}  {track['link']}".rstrip())
    for transfer in goods["transfers"]:
        needed = f", needed by {transfer['expected_on']}" if transfer["expected_on"] else ""
        state = "arrived" if transfer["done"] else f"on its way{needed}"
        screen.say(f"  transfer {transfer['number']} {transfer['source']} to {transfer['destination']}: {state}")


def _last_word(order: dict[str, Any], screen: Screen) -> int:
    """What a person has to do, with the commands; the exit code."""
    for case in order["cases"]:
        screen.say(heading(case), "bold yellow")
        for line in commands_for(case):
            screen.say(f"  {line}")
    return ATTENTION if order["cases"] or order["stuck"] else GOOD


async def _cancel(client: Api, name: str, body: dict[str, Any], screen: Screen) -> None:
    if not body["reason"].strip():
        raise wrong_use("--reason is empty: say why the order is cancelled")
    async with client as api:
        order = await find_order(api, name)
        done = good(await api.post(f"{order_path(order['order_key'])}/cancel", body))
    screen.json(done)
    screen.verdict(f"order {order['order_key']} is being cancelled; what was done is undone", GOOD)
    screen.say(f"  follow it: starter.py explain {order['order_key']}")


def _document(document: dict[str, Any]) -> str:
    return f"{document['kind']} {document['number'] or document['id']} ({document['system']})"
