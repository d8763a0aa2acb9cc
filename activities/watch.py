"""Watching the health of the connected systems: what the endpoint watch asks of the control queue."""

from typing import Literal

from temporalio import activity

from commerce.model import Model, UtcDatetime
from commerce.money import Money
from commerce.windows import Opening

State = Literal["up", "down", "recovering", "paused", "closed", "spent"]
"""`closed`: outside its windows nothing is written to it; reads go on. `spent`: it allows no more calls for now."""


class Watch(Model):
    """Follow one endpoint until it is no longer in `state`."""

    endpoint: str
    state: Literal["up", "down"]


class Found(Model):
    """What a watch or a check found. `reason` is what the last probe said.

    `stands` is set when it is up and yet its queue stands still: what waits there.
    """

    up: bool
    reason: str = ""
    stands: str = ""


class Moves(Model):
    """Whether steps are handed out. `stands` says what waits when none is."""

    stands: str = ""


class SetRate(Model):
    """Dispatch rate of the endpoint's queue in steps per second; None: its configured pace."""

    endpoint: str
    per_second: float | None
    reason: str


class RateSet(Model):
    """`by_server` False: the server refused, so the workers hold the endpoint back by themselves.

    `later`: it refused for now. What it had before is still in force, and it must be told again.
    """

    by_server: bool
    later: bool = False
    note: str = ""


class Held(Model):
    """What waits for an endpoint.

    `orders` are open orders that rest at it (the engine's search), with their money per currency and the time of the
    oldest. `steps` is the engine's own, approximate count of steps in the endpoint's queue, and `step_since` when the
    oldest of these came in; a step between two tries is in neither. They overlap: an order may have several steps, and
    a step beside the way (the shop's note on an order that waits for the ERP) belongs to an order that rests elsewhere.
    """

    orders: int = 0
    money: tuple[Money, ...] = ()
    oldest: UtcDatetime | None = None
    steps: int = 0
    step_since: UtcDatetime | None = None

    def words(self) -> str:
        return f"{self._orders()}; {self._steps()}"

    def _orders(self) -> str:
        if not self.orders:
            return "no order rests at it"
        money = ", ".join(str(amount) for amount in self.money)
        since = f", the oldest since {self.oldest:%Y-%m-%d %H:%M} UTC" if self.oldest else ""
        some = "1 order waits" if self.orders == 1 else f"{self.orders} orders wait"
        return f"{some} for it: {money}{since}"

    def _steps(self) -> str:
        if not self.steps:
            return "its queue is empty"
        since = f", the oldest since {self.step_since:%Y-%m-%d %H:%M} UTC" if self.step_since else ""
        return f"about {self.steps} step{'s are' if self.steps > 1 else ' is'} in its queue{since}"


class EndpointNote(Model):
    """A change of state, kept in the ledger and seen by every worker within a second."""

    endpoint: str
    state: State
    reason: str
    since: UtcDatetime
    until: UtcDatetime | None = None
    held: Held = Held()


class WatchPlan(Model):
    """How one endpoint is watched. Durations in seconds; `ramp` in steps per second.

    `standstill`: a queue that is free and hands out nothing for so long stands still.

    `opening` is how its windows stood at the time that was asked for, `until_words` its end in the system's own zone.
    """

    probe_every: float = 15
    ramp: tuple[float, ...] = (1, 2, 5, 10)
    ramp_step: float = 10
    standstill: float = 30
    opening: Opening = Opening()
    until_words: str = ""


class PlanAsked(Model):
    endpoint: str
    at: UtcDatetime


class Endpoints:
    @activity.defn(name="endpoint.plan")
    async def plan(self, asked: PlanAsked) -> WatchPlan:
        raise NotImplementedError

    @activity.defn(name="endpoint.watch")
    async def watch(self, task: Watch) -> Found:
        """Probe until the state changes, or, while up, until the queue stands still. A healthy year is one activity."""
        raise NotImplementedError

    @activity.defn(name="endpoint.check")
    async def check(self, endpoint: str) -> Found:
        """Probe now, twice when the first fails."""
        raise NotImplementedError

    @activity.defn(name="endpoint.set_rate")
    async def set_rate(self, task: SetRate) -> RateSet:
        raise NotImplementedError

    @activity.defn(name="endpoint.moves")
    async def moves(self, endpoint: str) -> Moves:
        """After the rate was raised: wait for a step to be handed out, but not for long."""
        raise NotImplementedError

    @activity.defn(name="endpoint.held")
    async def held(self, endpoint: str) -> Held:
        raise NotImplementedError

    @activity.defn(name="endpoint.note")
    async def note(self, note: EndpointNote) -> None:
        raise NotImplementedError
