"""A feed under test: a system with a list of changes, runs that are told, operators, and the feed between them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from temporalio.testing import ActivityEnvironment

from activities.changes import Change, Follow, LatePaymentInput, Page, Reading, RunRefused
from activities.control import TellOperators
from activities.feeds import FeedActivities
from activities.ledger import tables as t
from activities.ledger.quarantine import QuarantineBook
from activities.ledger.store import Ledger
from commerce.documents import CheckoutResult, OrderView, Stage
from commerce.failures import SystemFailure
from commerce.order import Order
from tests.commerce.sample import order
from tests.ledger.rows import rows

ORDER = order(shop_id="7")
DEADLINE = 10.0


@dataclass
class Shop:
    """A system with a list of changes in the order they happened; a cursor is a place in the list."""

    name: str = "shop:orders"
    system: str = "shop"
    changes: list[Change] = field(default_factory=list)
    now: dict[str, Change] = field(default_factory=dict)
    away: SystemFailure | None = None
    broken: dict[str, Exception] = field(default_factory=dict)
    sweeps: int = 0
    asked: list[float] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    async def read(self, cursor: str | None) -> Page:
        self.asked.append(asyncio.get_running_loop().time())
        if self.away is not None:
            raise self.away
        self.sweeps += 1
        start = int(cursor or 0)
        found = self.changes[max(start - 1, 0) : start + 2]  # two at a time, with overlap
        reached = min(start + 2, len(self.changes))
        return Page(changes=tuple(found), cursor=str(reached), more=reached < len(self.changes))

    async def fetch(self, reference: str) -> Change | None:
        self.fetched.append(reference)
        if self.away is not None:
            raise self.away
        if reference in self.broken:
            raise self.broken[reference]
        return self.now.get(reference)


@dataclass
class Warehouse(Shop):
    """A system that reads many records at once; references are order keys."""

    gathered: list[list[str]] = field(default_factory=list)

    async def fetch_all(self, references: Sequence[str]) -> dict[str, Change | None]:
        self.gathered.append(list(references))
        broken = next((self.broken[name] for name in references if name in self.broken), self.away)
        if broken is not None:
            raise broken
        return {reference: self.now.get(reference) for reference in references}


@dataclass
class Engine:
    """Runs by order key, and what they were told."""

    started: list[str] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    late: list[LatePaymentInput] = field(default_factory=list)
    goods: list[str] = field(default_factory=list)
    woken: list[tuple[str, str]] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    breaks: Exception | None = None
    refuses: set[str] = field(default_factory=set)

    async def start_checkout(self, order: Order) -> None:
        self._may_break()
        if order.key in self.refuses:
            raise RunRefused("blob size exceeds limit")
        self.started.append(order.key)

    async def hint(self, order_key: str, what: str, reading: Reading | None = None) -> bool:
        self._may_break()
        if order_key in self.ended:
            return False
        self.told.append((order_key, what))
        return True

    async def hint_goods(self, order_key: str, what: str, reading: Reading | None = None) -> bool:
        return order_key not in self.ended and await self.hint(f"goods of {order_key}", what, reading)

    async def start_late_payment(self, late: LatePaymentInput) -> None:
        self.late.append(late)

    async def start_fulfillment(self, order_key: str) -> None:
        self.goods.append(order_key)

    async def wake_goods(self, order_key: str, what: str, reading: Reading | None = None) -> None:
        self.woken.append((order_key, what))

    def _may_break(self) -> None:
        if self.breaks is not None:
            raise self.breaks


class Team:
    """The operators, who can be out of reach."""

    def __init__(self) -> None:
        self.heard: list[TellOperators] = []
        self.away: SystemFailure | None = None

    async def tell(self, message: TellOperators) -> None:
        if self.away is not None:
            raise self.away
        self.heard.append(message)


class Feed:
    """The feed of one shop, followed until its worker stops."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.shop = Shop()
        self.every = 0.05
        self.engine = Engine()
        self.stores = frozenset({"de"})
        self.team = Team()
        self.book = QuarantineBook(ledger.engine)
        self._running: tuple[ActivityEnvironment, asyncio.Task[int]] | None = None

    def start(self) -> "asyncio.Task[int]":
        feeds = FeedActivities(
            self.ledger, self.engine, {self.shop.name: self.shop}, {self.shop.name: self.every}, self.stores, self.team
        )
        environment = ActivityEnvironment()
        task: asyncio.Task[int] = asyncio.ensure_future(environment.run(feeds.follow, Follow(source=self.shop.name)))
        self._running = environment, task
        return task

    async def stop(self) -> int:
        assert self._running is not None
        environment, task = self._running
        self._running = None
        environment.worker_shutdown()
        return await asyncio.wait_for(task, DEADLINE)

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until the condition holds; the feed must not end meanwhile."""
        deadline = asyncio.get_running_loop().time() + DEADLINE
        while True:
            found = condition()
            if await found if isinstance(found, Awaitable) else found:
                return
            assert asyncio.get_running_loop().time() < deadline, "it never came to that"
            if self._running is not None and self._running[1].done():
                self._running[1].result()
            await asyncio.sleep(0.01)

    async def swept(self) -> None:
        """Two whole sweeps from now: what was there before the first has been seen."""
        until = self.shop.sweeps + 2
        await self.until(lambda: self.shop.sweeps >= until)

    async def kill(self) -> None:
        assert self._running is not None
        _, task = self._running
        self._running = None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def notify(self, reference: str, number: str = "1") -> None:
        await self.ledger.keep_notification(
            "shop", {}, b"{}", sender_id=f"M-{number}", source=self.shop.name, reference=reference
        )

    async def settled(self) -> bool:
        return all(row["state"] != "waiting" for row in await rows(self.ledger, t.notifications))


def placed(number: str = "1001", store: str = "de", **more: Any) -> Change:
    made = order(number=number, store=store)
    return Change(order_key=made.key, what="shop-order", digest=made.digest(), order=made, **more)


def entry(digest: str, **more: Any) -> Change:
    return Change(order_key=ORDER.key, what="entry", digest=digest, **more)


async def close(ledger: Ledger, stage: Stage = Stage.EXPIRED) -> None:
    view = OrderView(order_key=ORDER.key, store="de", number="1001", stage=stage, amount=ORDER.total)
    await ledger.close_order(view, CheckoutResult(order_key=ORDER.key, outcome=stage), hand_over=False)
