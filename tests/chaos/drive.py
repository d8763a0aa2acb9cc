"""The drive of a chaos run: orders are placed, buyers act, troubles strike, and every order is followed to its end."""

import asyncio
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Any

from commerce.documents import CLOSED_STAGES, Stage
from commerce.money import decimals_of
from commerce.order import Order, PaymentState
from tests.chaos.operator import LATE, Operator
from tests.chaos.orders import GATEWAY_REFUND, PAY_BACK, After, Asked, Cancel, End, Portal
from tests.chaos.plan import Plan
from tests.chaos.portal import IMPATIENT_SECONDS, Api, Buyers, Gone, Reply
from tests.chaos.stage import BACK_WITHIN, Killer
from tests.chaos.systems import Refused, Systems
from tests.chaos.trouble import Fault, Kill, Note, Outage, Trouble

CLOSED = frozenset(stage.value for stage in CLOSED_STAGES)
LOOK_FIRST, LOOK_LONGEST = 0.5, 5.0  # seconds between two looks at an order


@dataclass
class Course:
    """One order on its way. `accepted`: a portal heard 2xx. `oddities`: what went against the plan."""

    asked: Asked
    key: str = ""
    accepted: bool = False
    link: str = ""
    stage: str = ""
    cancel_accepted: bool = False
    oddities: list[str] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return self.stage in CLOSED


class Drive:
    """`unreadable` are the notifications that must be in quarantine; `behaved` counts what portals and notes did."""

    def __init__(
        self, plan: Plan, api: Api, buyers: Buyers, systems: Systems, killer: Killer, secret: str, at_once: int
    ) -> None:
        self.plan = plan
        self.courses = [Course(asked) for asked in plan.asked]
        self.unreadable: list[str] = []
        self.oddities: list[str] = []
        self.behaved: Counter[str] = Counter()
        self.operator = Operator(api, self._rules_of)
        self._api = api
        self._buyers = buyers
        self._systems = systems
        self._killer = killer
        self._secret = secret
        self._room = asyncio.Semaphore(at_once)
        self._begun = 0
        self._news = asyncio.Condition()
        self._by_key: dict[str, Course] = {}

    @property
    def begun(self) -> int:
        return self._begun

    @property
    def ended(self) -> int:
        return sum(course.ended for course in self.courses)

    async def run(self, patience: float) -> None:
        """All of it. When no order begins or ends for `patience` seconds it stays so, and the verdict names it."""
        deciding = asyncio.create_task(self.operator.run())
        playing = asyncio.create_task(self._play())
        clock = asyncio.get_running_loop().time
        try:
            standing, since = (0, 0), clock()
            while not playing.done():
                await asyncio.wait({playing}, timeout=LOOK_LONGEST)
                if (self.begun, self.ended) != standing:
                    standing, since = (self.begun, self.ended), clock()
                elif not playing.done() and clock() - since > patience:
                    stuck = [
                        f"{course.key or course.asked.title} ({course.stage or 'not known'})"
                        for course in self.courses
                        if not course.ended
                    ]
                    self.oddities.append(f"no order began or ended for {patience:.0f} s; open: {', '.join(stuck)}")
                    playing.cancel()
                    await asyncio.wait({playing})
            if not playing.cancelled():
                playing.result()
        finally:
            playing.cancel()
            deciding.cancel()
            await asyncio.gather(playing, deciding, return_exceptions=True)
            await self._systems.no_faults()

    async def _play(self) -> None:
        async with asyncio.TaskGroup() as group:
            for trouble in self.plan.troubles:
                group.create_task(self._strike(trouble))
            for course in self.courses:
                await asyncio.sleep(course.asked.gap)
                await self._room.acquire()
                group.create_task(self._one(course)).add_done_callback(lambda _: self._room.release())

    # ---- troubles ----------------------------------------------------------------------------------------------------

    async def _strike(self, trouble: Trouble) -> None:
        async with self._news:
            await self._news.wait_for(lambda: self._begun >= trouble.when)
        await asyncio.sleep(trouble.wait)
        if isinstance(trouble, Fault):
            await self._systems.add_fault(trouble.system, trouble.kind, trouble.rule)
        elif isinstance(trouble, Outage):
            await self._systems.outage(trouble.system, trouble.seconds)
        elif isinstance(trouble, Kill):
            try:
                await self._killer.kill(trouble.process)
            except TimeoutError:
                self.oddities.append(f"{trouble.process} did not serve again within {BACK_WITHIN:.0f} s of its kill")
        elif isinstance(trouble, Note):
            await self._note(trouble)

    async def _note(self, note: Note) -> None:
        """A notification of JustOn's flow that is wrong in one way, or right and told twice."""
        told: dict[str, Any] = {
            "id": f"chaos-{note.text}",
            "object": "JPAY1__Entry__c",
            "recordId": "a00000000000001AAA",
            "assignmentKey": f"de:nobody-{note.text}",
            "event": "updated",
        }
        if note.kind == "told twice":
            key = next((course.key for course in self.courses if course.key), "")
            told["assignmentKey"] = key or told["assignmentKey"]
        if note.kind == "without an id":
            told.pop("id")
            told["recordId"] = note.text
        body = json.dumps(told).encode()
        if note.kind == "not JSON":
            body = b"<<<" + body
        signed = "sha256=" + hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"x-holdfast-signature": "sha256=forged" if note.kind == "forged" else signed}
        for _ in range(2 if note.kind == "told twice" else 1):
            reply = await self._api.notify("juston", body, headers)
            if reply.status != (401 if note.kind == "forged" else 202):
                self.oddities.append(f"a notification that is {note.kind} was answered with {reply.status}")
        if note.kind in ("not JSON", "without an id"):
            self.unreadable.append(hashlib.sha256(body).hexdigest())
        self.behaved[f"notification {note.kind}"] += 1

    # ---- one order ---------------------------------------------------------------------------------------------------

    async def _one(self, course: Course) -> None:
        async with self._news:
            self._begun += 1
            self._news.notify_all()
        try:
            await self._place(course)
            await self._people(course)
        except Refused as err:
            course.oddities.append(str(err))
        except Gone:
            if course.asked.end is not End.UNDONE:
                course.oddities.append("the payment link had ended before the buyer could pay")
        await self._until(course, lambda: course.ended)
        await self._afterwards(course)

    async def _place(self, course: Course) -> None:
        asked = course.asked
        if asked.shop_order is not None:
            course.key = await self._systems.place_in_shop(asked.shop_order)
            self._by_key[course.key] = course
            self.behaved["placed in the shop"] += 1
            return
        assert asked.order is not None
        course.key = asked.order.key
        self._by_key[course.key] = course
        body = asked.order.model_dump(mode="json")
        self.behaved[f"portal {asked.portal.value}"] += 1
        if asked.portal in (Portal.DOUBLE_CLICK, Portal.TWO_PORTALS):
            replies = list(await asyncio.gather(*(self._api.place(body) for _ in range(2))))
        else:
            replies = [await self._api.place(body, patience=_patience(asked.portal))]
        for reply in replies:
            self._heard(course, reply)
        links = {reply.body.get("payment_link") for reply in replies if reply.status < 300} - {None}
        if len(links) > 1:
            course.oddities.append(f"the same order got {len(links)} different links")
        if asked.portal is Portal.CONFLICT:
            other = body | {"note": "another order under the same number"}
            refused = await self._api.place(other)
            if refused.status != 409:
                course.oddities.append(f"other content under its number was answered with {refused.status}, not 409")

    def _heard(self, course: Course, reply: Reply) -> None:
        if reply.status not in (200, 201, 202):
            course.oddities.append(f"the order was answered with {reply.status}: {str(reply.body)[:300]}")
            return
        course.accepted = True
        course.link = reply.body.get("payment_link") or course.link
        course.stage = reply.body["stage"]

    async def _people(self, course: Course) -> None:
        """What the buyer, and whoever cancels, do."""
        asked = course.asked
        if asked.cancel is Cancel.AT_ONCE:
            await self._cancel(course)
        if not asked.by_link or (not asked.parts and asked.cancel is Cancel.NEVER):
            return
        await self._until(course, lambda: bool(course.link) or course.ended)
        await asyncio.sleep(asked.dawdles)
        if course.ended:
            return
        if asked.parts:
            await self._pay(course)
        if asked.cancel is Cancel.PAID:
            await asyncio.sleep(asked.dawdles)
        if asked.cancel in (Cancel.LINKED, Cancel.PAID):
            await self._cancel(course)
        elif asked.cancel is Cancel.IN_SHOP:
            await self._systems.act("magento", "cancel-order", increment_id=course.key.partition(":")[2])

    async def _pay(self, course: Course) -> None:
        asked = course.asked
        for _ in range(asked.declined):
            if asked.page:
                await self._buyers.decline(course.link)
            else:
                await self._provider(course, "fail")
        if asked.page:
            await self._buyers.pay(course.link)
            return
        if asked.after is After.FAILS_FIRST:
            await self._provider(course, "pay")
            await asyncio.sleep(asked.dawdles)
            await self._provider(course, "fail", times=asked.repeats)
            await asyncio.sleep(asked.dawdles)
        for part in asked.parts:
            amount = {} if part == 100 or asked.order is None else {"amount": _percent(asked.order, part)}
            await self._provider(course, "pay", times=asked.repeats, **amount)

    async def _afterwards(self, course: Course) -> None:
        """Money that moves when nobody expects it any more. Returns when it is settled."""
        act = {After.CHARGED_BACK: "chargeback", After.FAILED: "fail", After.PAID_LATE: "late-pay"}.get(
            course.asked.after
        )
        if act is None:
            return
        self.behaved[course.asked.after.value] += 1
        try:
            await self._systems.act("juston", act, key=course.key, times=course.asked.repeats)
        except Refused as err:
            course.oddities.append(str(err))
            return
        late = course.asked.after is After.PAID_LATE
        step = PAY_BACK if late else LATE
        while not self.operator.has_decided(course.key, step):  # noqa: ASYNC110 - he looks at a pace of his own
            await asyncio.sleep(LOOK_FIRST)
        if late:
            await self._systems.act("juston", "refund", key=course.key)

    async def _provider(self, course: Course, do: str, **arguments: Any) -> None:
        """The payment provider tells JustOn. One whose link has ended meanwhile takes no money any more."""
        try:
            await self._systems.act("juston", do, key=course.key, **arguments)
        except Refused as err:
            if "is Canceled" not in str(err):
                raise
            raise Gone(course.key) from None

    async def _cancel(self, course: Course) -> None:
        """A buyer who is too late sends the goods back instead: that is no part of the plan.

        The portal asks for no cancellation that a person must finish, but for the one that the plan's operator knows.
        """
        unattended = not any(step == GATEWAY_REFUND for step, _ in course.asked.decides)
        while True:
            found = await self._api.order(course.key)
            if found is not None and found["stage"] == Stage.COMPLETED.value:
                return
            reply = None
            if found is not None:
                reply = await self._api.cancel(course.key, "the buyer changed their mind", unattended=unattended)
            if reply is not None and reply.status != 404:  # an order of the shop that no feed has brought yet
                break
            await asyncio.sleep(LOOK_FIRST)
        course.cancel_accepted = reply.status == 202
        await self._look(course)
        if reply.status == 409 and course.stage in (Stage.CANCELLED.value, Stage.UNDOING.value):
            course.cancel_accepted = True  # an earlier call was taken in, and its answer was lost
        elif reply.status not in (202, 409):
            course.oddities.append(f"the cancellation was answered with {reply.status}: {str(reply.body)[:200]}")

    # ---- following ---------------------------------------------------------------------------------------------------

    async def _until(self, course: Course, reached: Callable[[], bool]) -> None:
        pause = LOOK_FIRST
        while not reached():
            await self._look(course)
            if reached():
                return
            await asyncio.sleep(pause)
            pause = min(pause * 1.4, LOOK_LONGEST)

    async def _look(self, course: Course) -> None:
        found = await self._api.order(course.key)
        if found is None:
            return
        course.stage = found["stage"]
        course.link = course.link or found.get("payment_link") or ""

    def _rules_of(self, key: str) -> Mapping[str, str]:
        course = self._by_key.get(key)
        return dict(course.asked.decides) if course is not None else {}


def _patience(portal: Portal) -> float | None:
    return IMPATIENT_SECONDS if portal is Portal.IMPATIENT else None


def _percent(order: Order, percent: int) -> str:
    """A part of what is due, in decimals that every system can hold."""
    due = [payment.amount.decimal() for payment in order.payments if payment.state is PaymentState.DUE]
    step = Decimal(1).scaleb(-min(decimals_of(order.currency), 2))
    return str(max((sum(due, Decimal(0)) * percent / 100).quantize(step, ROUND_DOWN), step))
