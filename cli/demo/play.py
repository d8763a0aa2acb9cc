"""The play: orders are placed, buyers pay, the ERP goes away and comes back, goods are shipped, and every order is
followed until they have arrived."""

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cli.api import Api, order_path
from cli.checkout import Asked, place
from cli.demo.books import Books, Sandbox
from cli.demo.buyers import Buyers
from cli.demo.course import Course
from cli.demo.goods import Warehouse
from cli.demo.orders import Fate, Planned
from cli.trouble import Trouble
from commerce.documents import Stage

ERP = "salesforce"
OUTAGE_SECONDS = 15.0
LINKS_WITHIN_SECONDS = 45.0  # how long the outage is held for links that do not come
OUTAGE_BY_SECONDS = 40.0  # so long it is waited for payments before the outage
LOOK_EVERY_SECONDS = 0.7
GOODS_EVERY_LOOKS = 2  # the way of the goods is longer, and most orders are on it at the same time
PLACED_AT_ONCE = 3
PAID_AT_ONCE = 4
PAYMENT_SEEN_SECONDS = 30.0


@dataclass
class Outage:
    """What happened while the ERP was away."""

    began: float | None = None
    ended: float | None = None
    placed: int = 0
    linked: int = 0

    def seconds(self, now: float) -> float:
        return 0.0 if self.began is None else (self.ended or now) - self.began

    @property
    def on(self) -> bool:
        return self.began is not None and self.ended is None


class Play:
    """`tell` hears of what happens, in one line each."""

    def __init__(
        self, planned: Sequence[Planned], api: Api, sandbox: Sandbox, buyers: Buyers, tell: Callable[[str], None]
    ) -> None:
        # Every third buyer takes time: money must come in while the ERP is away, too.
        self.courses = [Course(p, p.fate is Fate.REFUNDED or i % 3 == 0) for i, p in enumerate(planned)]
        self.outage = Outage()
        self.began = self.now()
        self._api = api
        self._sandbox = sandbox
        self._buyers = buyers
        self._warehouse = Warehouse(sandbox, tell)
        self._tell = tell
        self._away = asyncio.Event()
        self._news = asyncio.Condition()  # somebody paid, or an order was placed
        self._placing = asyncio.Semaphore(PLACED_AT_ONCE)
        self._paying = asyncio.Semaphore(PAID_AT_ONCE)

    def now(self) -> float:
        return time.monotonic()

    def counts(self) -> Counter[str]:
        """Orders by where they stand."""
        return Counter(course.standing for course in self.courses)

    @property
    def paid(self) -> int:
        return sum(course.paid for course in self.courses)

    async def run(self, within: float) -> Books:
        """All of it; the books before the first order. What is not settled `within` so many seconds stays as it is.

        Raises Trouble when the sandbox does not do as it is told.
        """
        self.began = self.now()
        before = await self._sandbox.books()
        try:
            async with asyncio.timeout(within):
                await self._scenes()
        except TimeoutError:
            self._tell(f"not all orders are settled within {within:.0f} s")
        finally:
            if self.outage.on:
                await self._bring_back()
        return before

    async def _scenes(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow())
                group.create_task(self._erp_goes_away(group))
                for course in self.courses:
                    if not course.planned.in_outage:
                        group.create_task(self._one(course))
        except* Trouble as troubles:
            raise troubles.exceptions[0] from None

    # ---- one order ---------------------------------------------------------------------------------------------------

    async def _one(self, course: Course) -> None:
        """Place it, let its buyer do what the plan says, and send the goods."""
        try:
            async with self._placing:
                await self._place(course)
            await self._spread_news()
            await self._buyer(course)
            if course.planned.fate is Fate.COMPLETED:
                await self._warehouse.send(course)
        except Trouble as trouble:
            course.trouble = str(trouble)
            course.linked.set()
            await self._spread_news()
            self._tell(f"{course.key or course.planned.title}: {trouble}")

    async def _place(self, course: Course) -> None:
        planned = course.planned
        if planned.shop_order is not None:
            course.key = await self._sandbox.place_in_shop(planned.shop_order)
            course.stage = Stage.RECEIVED.value
            return
        assert planned.order is not None
        placed = await place(Asked("", planned.order.key, planned.order.model_dump_json()), self._api)
        if placed.outcome == "refused":
            raise Trouble("; ".join((f"order {planned.order.key} was refused: {placed.problem}", *placed.details)))
        course.key = planned.order.key
        course.stage = placed.stage or Stage.RECEIVED.value
        self._take_link(course, placed.payment_link)

    def _take_link(self, course: Course, link: str) -> None:
        if link and not course.link:
            course.link = link
            course.linked.set()

    async def _buyer(self, course: Course) -> None:
        planned = course.planned
        if planned.fate is Fate.PARKED or not planned.by_link:
            return
        await course.linked.wait()
        if not course.link:
            return
        if planned.fate is Fate.CANCELLED:
            await self._cancel(course, "the buyer changed their mind")
            return
        if course.pays_late:
            await self._away.wait()
        async with self._paying:
            await self._buyers.pay(course.link, declined=planned.declined)
        course.paid = True
        await self._spread_news()
        if planned.fate is Fate.REFUNDED:
            await self._payment_in_books(course)
            await self._cancel(course, "the buyer paid and wants the money back")

    async def _payment_in_books(self, course: Course) -> None:
        until = self.now() + PAYMENT_SEEN_SECONDS
        while self.now() < until:
            payments = (await self._sandbox.books()).of("juston", "payments")
            if any(payment["key"] == course.key and payment["total_minor"] for payment in payments):
                return
            await asyncio.sleep(LOOK_EVERY_SECONDS)
        raise Trouble(f"the payment of order {course.key} is not in JustOn's books")

    async def _cancel(self, course: Course, reason: str) -> None:
        answer = await self._api.post(f"{order_path(course.key)}/cancel", {"reason": reason})
        if answer.status >= 300:
            raise Trouble(f"order {course.key} could not be cancelled: {answer.message}")

    # ---- the outage --------------------------------------------------------------------------------------------------

    async def _erp_goes_away(self, group: asyncio.TaskGroup) -> None:
        by_link = [c for c in self.courses if c.planned.by_link and c.planned.fate is Fate.COMPLETED]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OUTAGE_BY_SECONDS), self._news:
                await self._news.wait_for(lambda: self.paid >= len(by_link) // 3)
        # An order that needs the ERP's answer is placed slowly while it is away, and would hold up those that do not.
        async with self._news:
            await self._news.wait_for(lambda: all(c.key or c.trouble for c in self.courses if not c.planned.in_outage))
        late = [course for course in self.courses if course.planned.in_outage]
        await self._sandbox.take_down(ERP)
        self.outage.began = self.now()
        self._away.set()
        self._tell(f"the ERP is taken down; {len(late)} more orders are placed meanwhile")
        for course in late:
            group.create_task(self._one(course))
        linked = asyncio.gather(*(course.linked.wait() for course in late))
        try:
            await asyncio.wait({linked}, timeout=LINKS_WITHIN_SECONDS)
            left = OUTAGE_SECONDS - self.outage.seconds(self.now())
            await asyncio.sleep(max(left, 0))
        finally:
            self.outage.placed = len(late)
            self.outage.linked = sum(bool(course.link) for course in late)
            linked.cancel()
            await self._bring_back()

    async def _bring_back(self) -> None:
        await self._sandbox.bring_back(ERP)
        self.outage.ended = self.now()
        self._tell(
            f"the ERP is back after {self.outage.seconds(self.now()):.0f} s; {self.outage.linked} of "
            f"{self.outage.placed} orders placed meanwhile had their payment link"
        )

    # ---- following ---------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Ask for every order that is not settled, again and again, until all are."""
        room = asyncio.Semaphore(6)

        async def look(course: Course) -> None:
            async with room:
                await self._look_at(course)

        for looks in itertools.count():
            left = [course for course in self.courses if not course.settled]
            if not left:
                return
            goods_too = looks % GOODS_EVERY_LOOKS == 0
            await asyncio.gather(
                *(look(course) for course in left if course.key and (goods_too or not course.completed))
            )
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _spread_news(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def _look_at(self, course: Course) -> None:
        try:
            answer = await self._api.get(order_path(course.key))
        except Trouble:
            return  # asked again in a moment; the deadline of the play names what stays silent
        if answer.status != 200:
            return  # an order of the shop is not known before the feed has brought it
        view = answer.body
        course.stage = view["stage"]
        course.goods = view.get("goods") or course.goods
        self._take_link(course, view.get("payment_link") or "")
        course.why_parked = [f"{case['came_back']}. {case['do_next']}" for case in view["cases"]]
        if course.settled:
            course.linked.set()
        async with course.looked:
            course.looked.notify_all()
        if course.why_parked:
            self._tell(f"order {course.key} waits for a person: {course.why_parked[0]}")
