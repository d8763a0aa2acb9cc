"""Random warehouses: whatever is sent, split, short or cancelled, and however it is heard of, the shop shows it once.

What happens to each order is drawn from a seed. News come twice, late, out of order or not at all: the vendors' own by
fault rules, hints by hand; answers are lost on the way. In the end the books of both sides hold what was done.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.fulfillment import FulfillmentView, LookAtFulfillment
from activities.ledger.fulfillment import FulfillmentBook
from commerce.documents import CancelRequest, DecisionKind, Stage
from commerce.fulfillment import Fulfillment, State
from settings.systems import connect_systems
from tests.api.desk import engine_of, served
from tests.flow.stand import messages
from tests.flow.test_goods import WITHIN, decide, parked
from tests.flow.world import World
from tests.reconcile.desk import compared
from workflows.order_fulfillment_tracking import OrderFulfillmentTracking

Content = dict[str, int]  # quantity by article
ORDERS = 4
SHORT = "HF-1008"  # out of stock at first; bought by nobody else
DOWNLOAD = "HF-4001"
NEWS = ({"kind": "drop"}, {"kind": "duplicate"}, {"kind": "reorder"}, {"kind": "delay", "seconds": 1})
SHOP_TROUBLE = ({"kind": "lose-reply"}, {"kind": "cut-request"}, {"kind": "status", "status": 503}, {"kind": "limit"})
ERP_TROUBLE = ({"kind": "lose-reply"}, {"kind": "garble"})


@dataclass
class Bought:
    """One order, and what the warehouse did with it: content by shipment number."""

    key: str
    ordered: Content
    on_account: bool
    dice: random.Random
    sent: dict[str, Content] = field(default_factory=dict)
    tracking: list[str] = field(default_factory=list)
    unnumbered: list[str] = field(default_factory=list)
    cancelled: bool = False

    def left(self, *, without: str = "") -> Content:
        gone = list(self.sent.values())
        open_ = {sku: number - sum(each.get(sku, 0) for each in gone) for sku, number in self.ordered.items()}
        return {sku: number for sku, number in open_.items() if number and sku != without}

    def some(self, of: Content) -> Content:
        drawn = {sku: self.dice.randint(0, number) for sku, number in of.items()}
        return {sku: number for sku, number in drawn.items() if number} or dict([self.dice.choice(sorted(of.items()))])


@pytest.mark.parametrize("seed", [13])
async def test_random_goods_end_as_they_were_sent_whatever_is_heard_of_them(world: World, seed: int) -> None:
    for warehouse in ("Hamburg", "Basel"):
        await world.act("salesforce", "change-stock", sku=SHORT, warehouse=warehouse, quantity=0)
    orders = await asyncio.gather(*(_buy(world, f"{seed}:{number}") for number in range(ORDERS)))
    async with _troubled(world):
        await asyncio.gather(*(_work(world, order, without=SHORT) for order in orders))
        await world.act("salesforce", "change-stock", sku=SHORT, warehouse="Hamburg", quantity=1000)
        await asyncio.gather(*(_work(world, order) for order in orders))
        await asyncio.gather(*(_finish(world, order) for order in orders))
        await _arrive(world, {number for order in orders for number in order.tracking})
    views = [await asyncio.wait_for(world.runs.goods(order.key).result(), WITHIN) for order in orders]
    erp, shop = await _sent(world, "salesforce"), await _sent(world, "magento")
    for order, view in zip(orders, views, strict=True):
        assert erp.get(order.key, {}) == order.sent
        assert shop.get(order.key, {}) == order.sent
        assert view.state is (State.DELIVERED if order.sent else State.CANCELLED)
        await _agrees(world, order, view)
    assert any(order.cancelled for order in orders)
    assert max(len(order.sent) for order in orders) > 1
    _, found = await compared(world, pair="shipments")
    assert [one for one in found if one.order_key in {order.key for order in orders}] == []


async def _buy(world: World, seed: str) -> Bought:
    """Lamps, a variant, and every other time a bundle that leaves part by part; on account a download too."""
    dice = random.Random(seed)
    ordered = {"HF-1001": dice.randint(2, 5), "HF-1003": dice.randint(1, 4)}
    if dice.random() < 0.5:
        ordered[SHORT] = dice.randint(1, 3)
    on_account = dice.random() < 0.4
    terms = {"company": 501, "customer": None, "payment_method": "purchaseorder", "po_number": "PO-1"}
    sets = random.Random(f"{seed}:sets").randint(0, 2)
    wanted = {**ordered, "HF-2000-M": 1 + sets, "HF-3100": sets}
    ordered |= {"HF-2000-M": 1 + sets, "HF-3100-A": sets, "HF-3100-B": sets} if sets else {"HF-2000-M": 1}
    if on_account:
        wanted[DOWNLOAD] = 1
    items = ((sku, number) for sku, number in wanted.items() if number)
    key = await world.place_in_shop(*items, **(terms if on_account else {}))
    if not on_account:
        await world.link_of(key)
        await world.pay(key)
    assert (await world.ends(key)).outcome is Stage.COMPLETED
    await world.act("salesforce", "approve", order=key)
    return Bought(key, ordered, on_account, dice)


@contextlib.asynccontextmanager
async def _troubled(world: World) -> AsyncIterator[None]:
    """The vendors tell the API, and everything on the way goes wrong now and then."""
    stand, sandbox = world.stand, world.sandbox
    secret = stand.environment["SANDBOX_NOTIFY_SECRET"]
    news = [rule | {"on": "notification", "probability": 0.25} for rule in NEWS]
    async with served(stand.settings, stand.ledger, engine_of(stand.client)) as api:
        for name in ("carrier", "magento"):
            await asyncio.to_thread(sandbox.notify, name, f"{api.url}/v1/webhooks/{name}", secret)
        writes = [rule | {"match": {"method": "POST"}, "probability": 0.1} for rule in SHOP_TROUBLE]
        try:
            await world.set_faults("magento", *writes, *news)
            await world.set_faults("salesforce", *({**rule, "probability": 0.03} for rule in ERP_TROUBLE))
            await world.set_faults("carrier", *news)
            yield
        finally:
            for name in ("carrier", "magento", "salesforce"):
                await world.set_faults(name)
            for name in ("carrier", "magento"):
                await asyncio.to_thread(sandbox.keep_quiet, name)


async def _work(world: World, order: Bought, *, without: str = "") -> None:
    """Some steps of the warehouse, and hints that nobody asked for."""
    for _ in range(order.dice.randint(1, 3)):
        left = order.left(without=without)
        if order.dice.random() < 0.5:
            await world.runs.hint_goods(order.key, order.dice.choice(["fulfillment", "parcel", "again"]))
        match order.dice.choice(["ship", "ship", "step by step", "number", "allocate"]):
            case "ship" if left:
                await _ship(world, order, order.some(left))
            case "step by step" if left:
                part = order.some(left)
                await world.act("salesforce", "allocate", order=order.key)
                await world.act("salesforce", "pick", order=order.key, lines=_lines(part))
                await world.act("salesforce", "pack", order=order.key, boxes=order.dice.randint(1, 2))
                await _ship(world, order, part, picked=True)
            case "number" if order.unnumbered:
                await _number(world, order, order.unnumbered.pop())
            case "allocate" if left:
                await world.act("salesforce", "allocate", order=order.key)


async def _ship(world: World, order: Bought, part: Content, *, picked: bool = False) -> None:
    late = order.dice.random() < 0.4
    asked: dict[str, Any] = {"tracking": None} if late else {}
    if not picked:
        asked["lines"] = _lines(part)
    made = await world.act("salesforce", "ship", order=order.key, **asked)
    [number] = made["shippings"]
    order.sent[number] = part
    if late:
        order.unnumbered.append(number)
    else:
        order.tracking += made["tracking"]


async def _number(world: World, order: Bought, shipment: str) -> None:
    tracking = f"L-{shipment}"
    await world.act("salesforce", "track", shipping=shipment, tracking=tracking)
    order.tracking.append(tracking)


async def _finish(world: World, order: Bought) -> None:
    """The rest is sent or cancelled, and every parcel gets its number."""
    handle = world.runs.goods(order.key)
    if order.left() and order.dice.random() < 0.5:
        order.cancelled = True
        await handle.execute_update(OrderFulfillmentTracking.cancel, CancelRequest(by="portal", reason="no more"))
        await decide(world, await parked(world, order.key), DecisionKind.SKIP)
    elif order.left():
        await _ship(world, order, order.left())
    for shipment in order.unnumbered:
        await _number(world, order, shipment)


async def _arrive(world: World, numbers: set[str]) -> None:
    """The carrier hears of parcels a moment after the warehouse."""

    async def known() -> bool:
        books = await asyncio.to_thread(world.sandbox.books, "carrier")
        return numbers <= {row["number"] for row in books["shipments"]}

    await world.wait_until(known, within=WITHIN, what=f"the carrier has parcels {sorted(numbers)}")
    for number in sorted(numbers):
        await world.act("carrier", "deliver", number=number)


def _lines(part: Content) -> list[dict[str, Any]]:
    return [{"sku": sku, "quantity": quantity} for sku, quantity in part.items()]


async def _sent(world: World, system: str) -> dict[str, dict[str, Content]]:
    """Shipments by order and by the ERP's number; twice the same number in the shop is two of its quantities."""
    found: dict[str, dict[str, Content]] = {}
    for row in (await asyncio.to_thread(world.sandbox.books, system))["shipments"]:
        key, number = (row["key"], row["number"]) if system == "salesforce" else (row["refs"]["order_key"], row["key"])
        of_order = found.setdefault(key, {})
        of_order[number] = _content(row, of_order.get(number))
    return found


def _content(row: dict[str, Any], before: Content | None = None) -> Content:
    found = dict(before or {})
    for line in row["lines"]:
        found[line["sku"]] = found.get(line["sku"], 0) + int(Decimal(line["quantity"]))
    return found


async def _agrees(world: World, order: Bought, view: FulfillmentView) -> None:
    """Invoices hold what was sent, what we keep is what the ERP says now, and the buyer heard of each parcel once."""
    reading = await _fresh(world, order.key)
    books = await asyncio.to_thread(world.sandbox.books, "magento")
    invoices = [row for row in books["invoices"] if row["refs"]["order_key"] == order.key]
    if order.on_account:
        assert {row["key"]: _content(row) for row in invoices} == {**order.sent, reading.number: {DOWNLOAD: 1}}
        assert len(invoices) == len(order.sent) + 1
    else:
        assert len(invoices) == 1
    kept = await FulfillmentBook(world.ledger.engine).view(order.key)
    assert kept is not None
    assert kept.lines == reading.lines
    assert {each.number: each.portions for each in kept.shipments} == {
        each.number: each.portions for each in reading.dispatched()
    }
    assert all(line.shipped + line.cancelled == line.ordered for line in reading.lines if not line.intangible)
    number = order.key.partition(":")[2]
    told = [mail for mail in await messages(world.sandbox) if number in mail["subject"]]
    dispatched = {mail["headers"]["Message-ID"] for mail in told if "unterwegs" in mail["subject"]}
    assert len(dispatched) == len(order.sent)
    assert bool(view.documents) == bool(order.sent)


async def _fresh(world: World, key: str) -> Fulfillment:
    connected = connect_systems(world.stand.settings, world.ledger)
    try:
        looks = (each for each in connected.activities["financialforce"] if each.__name__ == "look_at_fulfillment")
        reading: Fulfillment = await ActivityEnvironment().run(next(looks), LookAtFulfillment(order_key=key))
        return reading
    finally:
        await connected.close()
