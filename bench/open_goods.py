"""Orders whose goods are still to come, as completed checkouts leave them, and none of their checkouts.

Shop orders are placed and paid at the shop's own gateway. Holdfast's ERP client books them from this process, people
approve them, and the ledger gets the rows of a completed checkout with its hand-over. The worker takes them up.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from activities.financialforce.activities import FinancialForce
from activities.ledger import tables as t
from activities.ledger.database import engine_for, transaction
from activities.ledger.store import Ledger
from activities.magento.client import MagentoClient
from activities.magento.feed import MagentoOrders
from activities.roles import BookOrder, CheckOrder, ErpCustomer, ErpItems
from bench.outage import ERP
from bench.vendors import Vendors
from commerce.documents import CheckoutResult, Document, OrderView, Stage
from commerce.fulfillment import State
from commerce.order import Order
from settings.model import Settings
from workflows.names import checkout_id

STORE, SHOP, ORG = "de", "magento", "salesforce"
SKUS = tuple(f"HF-100{n}" for n in range(1, 9))
# The demo's stock: 1,000 of each article, and each order takes one of two articles.
MOST = len(SKUS) * 1000 // 2
AT_ONCE = 8
FEED = f"{ERP}:fulfillment"
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
HEARD_WITHIN = 120.0  # seconds
TAKEN_UP_WITHIN_EACH = 3.0  # seconds for each order, and not less than HEARD_WITHIN for all


class OpenGoods:
    """Makes the orders; `async with` it. `keys` are the order keys by the shop's id."""

    def __init__(self, settings: Settings, client: Client, vendors: Vendors, tell: Callable[[str], None]) -> None:
        self.keys: dict[str, str] = {}
        self._settings = settings
        self._client = client
        self._vendors = vendors
        self._tell = tell
        self._approved: dict[str, datetime] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "OpenGoods":
        shop, erp = self._settings.systems[SHOP].settings, self._settings.systems[ERP].settings
        reader = MagentoClient(shop.model_copy(update={"orders_since": BEGINNING}), system=SHOP)
        self._stack.push_async_callback(reader.close)
        self._shop = MagentoOrders(reader, system=SHOP)
        self._erp = FinancialForce(erp, system=ERP)
        self._stack.push_async_callback(self._erp.close)
        self.engine: AsyncEngine = engine_for(self._settings.ledger.url.get_secret_value())
        self._stack.push_async_callback(self.engine.dispose)
        self.ledger = Ledger(self.engine)
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self._stack.aclose()

    async def make(self, count: int) -> None:
        """So many orders are booked, handed over, taken up, and shown as booked. Raises RuntimeError."""
        began = time.monotonic()
        # The shop's notifications of orders that the worker is not to take in would only be read for nothing.
        async with self._vendors.silent(SHOP):
            booked = await self._book(count)
        # As in life: the feed has met the order long before its checkout ends.
        await self._wait(self._heard_by_feed, HEARD_WITHIN, "the feed passes the booked orders on")
        self._tell(f"{count} orders are booked and approved after {time.monotonic() - began:.0f} s")
        await _at_once(self._hand_over(order, document) for order, document in booked)
        within = max(HEARD_WITHIN, count * TAKEN_UP_WITHIN_EACH)
        await self._wait(lambda: self._taken_up(count), within, "every run has taken its goods up")
        self._tell(f"{count} runs wait for their goods after {time.monotonic() - began:.0f} s")

    async def check(self, running: int) -> None:
        """No order is parked, and so many runs are there. Raises RuntimeError."""
        cases = await self.ledger.open_cases()
        if cases:
            raise RuntimeError(f"{len(cases)} orders are parked; the first: {cases[0].tried}: {cases[0].came_back}")
        query = 'WorkflowType = "OrderFulfillmentTracking" AND ExecutionStatus = "Running"'

        async def counted() -> bool:
            return (await self._client.count_workflows(query)).count == running

        await self._wait(counted, HEARD_WITHIN, f"{running} runs are counted")

    # ---- the orders --------------------------------------------------------------------------------------------------

    async def _book(self, count: int) -> list[tuple[Order, Document]]:
        plan = self._settings.plans()[STORE]
        asked = CheckOrder(customer_key=plan.web_customer_key, skus=SKUS, order_key=f"{STORE}:benchmark")
        found = await self._erp.check_order(asked)
        if found.customer is None or found.items is None or found.items.missing:
            raise RuntimeError("the sandbox's ERP lacks the customer or an article")
        customer, items = found.customer, found.items
        booked: list[tuple[Order, Document]] = []

        async def one(number: int) -> None:
            booked.append(await self._book_one(number, customer, items))

        await _at_once(one(number) for number in range(count))
        return booked

    async def _book_one(self, number: int, customer: ErpCustomer, items: ErpItems) -> tuple[Order, Document]:
        wanted = [{"sku": SKUS[(number + n) % len(SKUS)], "qty": 1} for n in range(2)]
        order_wish = {"store": STORE, "customer": "11", "items": wanted, "payment_method": "adyen_cc", "invoice": True}
        placed = await self._vendors.act(SHOP, {"do": "place-order", **order_wish})
        change = await self._shop.fetch(str(placed["entity_id"]))
        if change is None or change.order is None:
            raise RuntimeError(f"shop order {placed['increment_id']} cannot be read: {change and change.problem}")
        order = change.order
        document = await self._erp.book_order(BookOrder(order=order, customer=customer, items=items))
        self._approved[order.key] = datetime.now(UTC)
        await self._vendors.act(ORG, {"do": "approve", "order": order.key})
        self.keys[order.shop_id] = order.key
        return order, document

    async def _hand_over(self, order: Order, document: Document) -> None:
        await self.ledger.keep_order(order, checkout_id(order.key))
        documents = (document,)
        view = OrderView(
            order_key=order.key,
            store=order.store,
            number=order.number,
            stage=Stage.COMPLETED,
            amount=order.total,
            documents=documents,
        )
        result = CheckoutResult(order_key=order.key, outcome=Stage.COMPLETED, documents=documents, handed_over=True)
        await self.ledger.close_order(view, result, hand_over=True)

    # ---- waiting -----------------------------------------------------------------------------------------------------

    async def _heard_by_feed(self) -> bool:
        """Whether the feed has passed on each order as it was after its approval."""
        query = select(t.seen.c.reference, t.seen.c.at).where(t.seen.c.source == FEED)
        async with transaction(self.engine) as db:
            seen = {row.reference: row.at for row in await db.execute(query)}
        return all(key in seen and seen[key] >= at for key, at in self._approved.items())

    async def _taken_up(self, count: int) -> bool:
        query = select(t.fulfillments.c.state, func.count()).group_by(t.fulfillments.c.state)
        async with transaction(self.engine) as db:
            states = {str(state): int(number) for state, number in await db.execute(query)}
        others = {state: number for state, number in states.items() if state != State.BOOKED.value}
        if others:
            raise RuntimeError(f"orders were taken up in another state than booked: {others}")
        return states.get(State.BOOKED.value, 0) == count

    async def _wait(self, condition: Callable[[], Awaitable[bool]], within: float, what: str) -> None:
        deadline = time.monotonic() + within
        while not await condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"not within {within:.0f} s: {what}")
            await asyncio.sleep(0.5)


async def _at_once(work: Iterable[Awaitable[None]]) -> None:
    """All of it, some at a time."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(each: Awaitable[None]) -> None:
        async with room:
            await each

    async with asyncio.TaskGroup() as group:
        for each in work:
            group.create_task(one(each))
