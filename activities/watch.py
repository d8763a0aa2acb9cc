"""Watching the health of the connected systems: what the endpoint watch asks of the control queue."""

from typing import Literal

from temporalio import activity

from commerce.model import Model, UtcDatetime
from commerce.money import Money

State = Literal["up", "down", "recovering", "paused"]


class Watch(Model):
    """Follow one endpoint until it is no longer in `state`."""

    endpoint: str
    state: Literal["up", "down"]


class Found(Model):
    """What a watch or a check found. `reason` is what the last probe said."""

    up: bool
    reason: str = ""


class SetRate(Model):
    """Dispatch rate of the endpoint's queue in steps per second; None: its configured pace."""

    endpoint: str
    per_second: float | None
    reason: str


class RateSet(Model):
    """`by_server` False: the server refused, so the workers hold the endpoint back by themselves."""

    by_server: bool
    note: str = ""


class Held(Model):
    """What waits for an endpoint: open orders, their money per currency, and the time of the oldest."""

    orders: int = 0
    money: tuple[Money, ...] = ()
    oldest: UtcDatetime | None = None

    def words(self) -> str:
        if not self.orders:
            return "no order waits for it"
        money = ", ".join(str(amount) for amount in self.money)
        since = f", the oldest since {self.oldest:%Y-%m-%d %H:%M} UTC" if self.oldest else ""
        return (
            f"{self.orders} order{'s' if self.orders > 1 else ''} wait{'' if self.orders > 1 else 's'}: {money}{since}"
        )


class EndpointNote(Model):
    """A change of state, kept in the ledger and seen by every worker within a second."""

    endpoint: str
    state: State
    reason: str
    since: UtcDatetime
    until: UtcDatetime | None = None
    held: Held = Held()


class WatchPlan(Model):
    """How one endpoint is watched. Durations in seconds; `ramp` in steps per second."""

    probe_every: float = 15
    ramp: tuple[float, ...] = (1, 2, 5, 10)
    ramp_step: float = 10


class Endpoints:
    @activity.defn(name="endpoint.plan")
    async def plan(self, endpoint: str) -> WatchPlan:
        raise NotImplementedError

    @activity.defn(name="endpoint.watch")
    async def watch(self, task: Watch) -> Found:
        """Probe until the state changes. Heartbeats; a healthy year is one activity."""
        raise NotImplementedError

    @activity.defn(name="endpoint.check")
    async def check(self, endpoint: str) -> Found:
        """Probe now, twice when the first fails."""
        raise NotImplementedError

    @activity.defn(name="endpoint.set_rate")
    async def set_rate(self, task: SetRate) -> RateSet:
        raise NotImplementedError

    @activity.defn(name="endpoint.held")
    async def held(self, endpoint: str) -> Held:
        raise NotImplementedError

    @activity.defn(name="endpoint.note")
    async def note(self, note: EndpointNote) -> None:
        raise NotImplementedError
