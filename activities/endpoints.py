"""Fills `Endpoints`: probes, dispatch rates, and what is held while a system is away."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from temporalio import activity
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import RateLimit
from temporalio.api.workflowservice.v1 import UpdateTaskQueueConfigRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.gate import gate, probing
from activities.held import held_by
from activities.ledger.calls import CallBook
from activities.ledger.endpoints import EndpointBook
from activities.standstill import look_at
from activities.steps import ending, patient_step
from activities.watch import EndpointNote, Endpoints, Found, Held, Moves, PlanAsked, RateSet, SetRate, Watch, WatchPlan
from commerce.failures import Family, SystemFailure
from commerce.windows import Window, opening

log = logging.getLogger("holdfast.endpoints")

# So many probes in a row must fail (or succeed) before the state changes: one lost packet is not an outage.
CONFIRM = 2
PROBE_LIMIT = 20.0  # seconds that one probe may take
SPARING = 10  # so much longer are the pauses between probes while calls are short
CHECK_LIMIT = 12.0  # two of these fit into the half minute of a control step; else a system that hangs is never down
QUEUE_LOOK_EVERY = 10.0  # seconds; at most, and at least twice before a queue is said to stand still
MOVES_WITHIN = 8.0  # seconds that a freed queue is given; the engine's own numbers are up to 5 s old
_DESCRIBED_WITHIN = timedelta(seconds=5)
_REFUSALS = frozenset({RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED})
# What the server says while its memory of a queue is older than its database: a call like this one was broken off there
# (its worker was killed), was kept, and was not taken in. It reads again after some minutes, `engine.temporal` sooner.
_NOT_NOW = RPCStatusCode.INVALID_ARGUMENT
Probe = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class SharedProbes:
    """`of` names what one probe answers for, by endpoint: systems in one org need one probe, not one each."""

    book: CallBook
    of: Mapping[str, str]


@dataclass
class Seen:
    """When the shared answer was given that was looked at last."""

    at: datetime | None = None


@dataclass(frozen=True)
class Hours:
    """When a system takes writes."""

    windows: tuple[Window, ...]
    zone: str


class EndpointActivities(Endpoints):
    """`probes` and `queues` by endpoint; `identity` tells in the server who set a rate."""

    def __init__(
        self,
        client: Client,
        book: EndpointBook,
        probes: Mapping[str, Probe],
        plans: Mapping[str, WatchPlan],
        identity: str,
        hours: Mapping[str, Hours] = MappingProxyType({}),
        shared: SharedProbes | None = None,
    ) -> None:
        self._client = client
        self._book = book
        self._probes = probes
        self._plans = plans
        self._identity = identity
        self._hours = hours
        self._shared = shared

    @activity.defn(name="endpoint.plan")
    @patient_step
    async def plan(self, asked: PlanAsked) -> WatchPlan:
        plan, hours = self._plans.get(asked.endpoint, WatchPlan()), self._hours.get(asked.endpoint)
        if hours is None:
            return plan
        stands = opening(hours.windows, hours.zone, asked.at)
        until = stands.until.astimezone(ZoneInfo(hours.zone)) if stands.until else None
        words = f"{until:%a %Y-%m-%d %H:%M} {hours.zone}" if until else ""
        return plan.model_copy(update={"opening": stands, "until_words": words})

    @activity.defn(name="endpoint.watch")
    async def watch(self, task: Watch) -> Found:
        every = self._plans[task.endpoint].probe_every
        against, seen = 0, Seen()
        queue = QueueWatch(self._client, task.endpoint, self._plans[task.endpoint].standstill)
        while not ending():
            activity.heartbeat()
            pause = min(every, 1.0) if against else every
            if gate.is_sparing(task.endpoint):  # probes are calls, too
                pause *= SPARING
            found = await self._look(task.endpoint, pause, seen)
            if found is not None:
                against = against + 1 if found.up != (task.state == "up") else 0
            if found is not None and against >= CONFIRM:
                return found
            stands = await _heartbeating_sleep(
                min(every, 1.0) if against else pause, queue.look if task.state == "up" else None
            )
            if stands and not against:
                return Found(up=True, stands=stands)
        return Found(up=task.state == "up")  # nothing changed; another worker follows on

    @activity.defn(name="endpoint.check")
    @patient_step
    async def check(self, endpoint: str) -> Found:
        found = await self._probe(endpoint, CHECK_LIMIT)
        if not found.up:
            await asyncio.sleep(0.5)
            found = await self._probe(endpoint, CHECK_LIMIT)
        return found

    @activity.defn(name="endpoint.set_rate")
    @patient_step
    async def set_rate(self, task: SetRate) -> RateSet:
        return await self._limit(task)

    async def _limit(self, task: SetRate) -> RateSet:
        update = UpdateTaskQueueConfigRequest.RateLimitUpdate(reason=task.reason)
        if task.per_second is not None:
            update.rate_limit.CopyFrom(RateLimit(requests_per_second=task.per_second))
        request = UpdateTaskQueueConfigRequest(
            namespace=self._client.namespace,
            identity=self._identity,
            task_queue=f"system:{task.endpoint}",
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            update_queue_rate_limit=update,
        )
        try:
            await self._client.workflow_service.update_task_queue_config(request)
        except RPCError as err:
            if err.status is _NOT_NOW:
                note = f"The engine did not take the dispatch rate of its queue ({err.message}) and is told again."
                log.warning("%s: %s", task.endpoint, note)
                return RateSet(by_server=False, later=True, note=note)
            if err.status not in _REFUSALS:
                raise
            note = (
                f"The engine's server refused to hold the queue back ({err.message}); every worker does it by itself."
            )
            log.warning("%s: %s", task.endpoint, note)
            return RateSet(by_server=False, note=note)
        return RateSet(by_server=True)

    @activity.defn(name="endpoint.moves")
    @patient_step
    async def moves(self, endpoint: str) -> Moves:
        clock = asyncio.get_running_loop().time
        until = clock() + MOVES_WITHIN
        while True:
            look = await look_at(self._client, f"system:{endpoint}", within=_DESCRIBED_WITHIN)
            if look.moves:
                return Moves()
            if clock() >= until:
                log.warning("%s was let go, and its queue stands still: %s", endpoint, look.words())
                return Moves(stands=look.words())
            await asyncio.sleep(1)

    @activity.defn(name="endpoint.held")
    @patient_step
    async def held(self, endpoint: str) -> Held:
        return await held_by(self._client, self._book, endpoint)

    @activity.defn(name="endpoint.note")
    @patient_step
    async def note(self, note: EndpointNote) -> None:
        if note.state == "up":
            # A watch that was terminated while its system was away left the queue at rate 0; the next one begins "up".
            done = await self._limit(SetRate(endpoint=note.endpoint, per_second=None, reason=note.reason[:200]))
            if done.later:  # it may still be held back, so it is not up
                raise SystemFailure(Family.TRANSIENT, f"let the queue of {note.endpoint} go", done.note)
        await self._book.note(note)

    async def _look(self, endpoint: str, every: float, seen: "Seen") -> Found | None:
        """A probe, or what another one that answers for this endpoint found; None: nothing new."""
        if gate.rest_of(endpoint)[0] > 0:  # it asked to be called less, so it answers
            return None
        if gate.is_spent(endpoint):  # a watch that is being ended hears of it with a heartbeat, not at once
            return None
        if self._shared is None or endpoint not in self._shared.of:
            return await self._probe(endpoint)
        shared, book = self._shared.of[endpoint], self._shared.book
        try:
            if not await book.may_probe(shared, every * 0.8):
                last = await book.last_probe(shared)
                if last is None or last[0] == seen.at:
                    return None
                seen.at = last[0]
                return Found(up=last[1], reason=last[2])
            found = await self._probe(endpoint)
            await book.probed(shared, up=found.up, reason=found.reason)
            return found
        except SystemFailure:  # our own memory is away: each sees for itself
            return await self._probe(endpoint)

    async def _probe(self, endpoint: str, limit: float = PROBE_LIMIT) -> Found:
        with probing():
            try:
                # Not `wait_for`: before Python 3.12 it swallows a cancellation that meets the end of the probe.
                async with asyncio.timeout(limit):
                    await self._probes[endpoint]()
            except SystemFailure as failure:
                if gate.rest_of(endpoint)[0] > 0:  # "too many" is an answer
                    return Found(up=True, reason=failure.came_back)
                return Found(up=False, reason=failure.came_back)
            except TimeoutError:
                return Found(up=False, reason=f"no answer within {limit:.0f} s")
            except Exception as err:  # a probe that breaks has not found the system well
                log.exception("the probe of %s broke", endpoint)
                return Found(up=False, reason=f"the probe broke: {type(err).__name__}")
        return Found(up=True)


class QueueWatch:
    """Looks at the queue of an endpoint that is up, now and then. Engines without such numbers show an empty one."""

    def __init__(self, client: Client, endpoint: str, patience: float) -> None:
        self._client = client
        self._endpoint = endpoint
        self._patience = patience
        self._every = min(QUEUE_LOOK_EVERY, patience)
        self._due = asyncio.get_running_loop().time() + self._every
        self._stood = False

    async def look(self) -> str:
        """What waits, once two looks in a row have found that nothing of it is handed out."""
        if asyncio.get_running_loop().time() < self._due:
            return ""
        self._due = asyncio.get_running_loop().time() + self._every
        try:
            look = await look_at(self._client, f"system:{self._endpoint}", within=_DESCRIBED_WITHIN)
        except RPCError as err:
            log.info("the queue of %s could not be looked at: %s", self._endpoint, err)
            self._stood = False
            return ""
        stood, self._stood = self._stood, look.stands(self._patience)
        if not (stood and self._stood):
            return ""
        log.warning("%s is up, and its queue stands still: %s", self._endpoint, look.words())
        return look.words()


async def _heartbeating_sleep(seconds: float, look: Callable[[], Awaitable[str]] | None = None) -> str:
    """What `look` has to say, if anything, which ends the sleep."""
    until = asyncio.get_running_loop().time() + seconds
    while (left := until - asyncio.get_running_loop().time()) > 0 and not ending():
        activity.heartbeat()
        if look is not None and (said := await look()):
            return said
        await asyncio.sleep(min(left, 1))
    return ""
