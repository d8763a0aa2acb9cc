"""The gate before every outside system, in each worker process: closed while the endpoint watch says so.

The server's dispatch rate keeps new steps away from a system that is down. The gate keeps away what the rate cannot
reach: a step that was dispatched a moment before, a look-up that another system's step makes, a change feed. It also
counts runs of failed calls, so that the watch hears of trouble within seconds; it counts every call, so that a daily
allowance is kept; and it lets a vendor rest that asked for it, not only the step that was told.
"""

import math
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from temporalio import activity

from activities.budget import Level, may_call
from commerce.failures import Family, SystemFailure

HELD = "held"  # the failure's code
# As many failures in a row, over all of a worker's calls, are reported to the watch.
RUN_OF_FAILURES = 3
LONGEST_REST = 6 * 3600.0  # seconds; as for a single step
SPARING_LOOK = 900  # seconds until work that must wait for new calls looks again
_SPREAD = 30.0  # seconds over which those who waited for a rest to end come back
_probing: ContextVar[bool] = ContextVar("probing", default=False)


class Gate:
    """`closed` and `no_writes` map an endpoint to the reason: nothing may reach it, or no write.

    `on_trouble` hears of a run of failures, once per run; `on_rest` of a vendor that asks to be called less, with the
    seconds. While nobody listens a rest is not kept, because no other worker would.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Open, and nobody listens: as before anybody kept it."""
        self.closed: Mapping[str, str] = {}
        self.no_writes: Mapping[str, str] = {}
        self.levels: Mapping[str, Level] = {}
        self.on_trouble: Callable[[str, str], None] | None = None
        self.on_rest: Callable[[str, str, float], None] | None = None
        self._failures: dict[str, int] = {}
        self._rests: dict[str, tuple[float, str]] = {}
        self._calls: Counter[str] = Counter()
        self._said: dict[str, tuple[int, int]] = {}

    def check(self, endpoint: str, tried: str, *, writes: bool = False) -> None:
        """Raises SystemFailure (TRANSIENT) when the endpoint is held back and this call is no probe."""
        left, why = self.rest_of(endpoint)
        if left > 0:
            wait = math.ceil(left + random.uniform(0, min(left, _SPREAD)))
            raise _held(endpoint, tried, f"{endpoint} asked to be called less: {why}", wait)
        if _probing.get():
            return
        reason = self.closed.get(endpoint) or (self.no_writes.get(endpoint) if writes else None)
        if reason is not None:
            raise _held(endpoint, tried, f"{endpoint} is held back: {reason}", 2)
        level = self.levels.get(endpoint, "free")
        if not may_call(level, activity.info().activity_type if activity.in_activity() else ""):
            what = "are spent" if level == "spent" else "are nearly spent, and the rest is kept for money"
            raise _held(endpoint, tried, f"the calls that {endpoint} allows in 24 hours {what}", SPARING_LOOK)

    def answered(self, endpoint: str) -> None:
        self._failures.pop(endpoint, None)

    def failed(self, endpoint: str, reason: str) -> None:
        if _probing.get():
            return
        count = self._failures[endpoint] = self._failures.get(endpoint, 0) + 1
        if count == RUN_OF_FAILURES and self.on_trouble is not None:
            self.on_trouble(endpoint, reason)

    # ---- rests -------------------------------------------------------------------------------------------------------

    def asked_to_rest(self, endpoint: str, reason: str, seconds: float) -> None:
        """The vendor said "too many": nothing is sent to it for so long, by any worker."""
        if self.on_rest is None or seconds <= 0:
            return
        seconds = min(seconds, LONGEST_REST)
        self.rest(endpoint, reason, seconds)
        self.on_rest(endpoint, reason, seconds)

    def rest(self, endpoint: str, reason: str, seconds: float) -> None:
        until = time.monotonic() + seconds
        if until > self._rests.get(endpoint, (0.0, ""))[0]:
            self._rests[endpoint] = (until, reason)

    def rest_of(self, endpoint: str) -> tuple[float, str]:
        """Seconds that are left of a rest (0: none), and why."""
        until, reason = self._rests.get(endpoint, (0.0, ""))
        left = until - time.monotonic()
        if left > 0:
            return left, reason
        self._rests.pop(endpoint, None)
        return 0.0, ""

    # ---- counts ------------------------------------------------------------------------------------------------------

    def called(self, endpoint: str) -> None:
        self._calls[endpoint] += 1

    def said(self, endpoint: str, used: int, allowed: int) -> None:
        """The vendor's own count of calls and how many it allows, from its last answer."""
        self._said[endpoint] = (used, allowed)

    def take_counts(self) -> tuple[dict[str, int], dict[str, tuple[int, int]]]:
        """Calls since the last time, and what vendors said since."""
        taken = dict(self._calls), dict(self._said)
        self._calls.clear()
        self._said.clear()
        return taken

    def give_back(self, calls: Mapping[str, int]) -> None:
        """They could not be kept: they count the next time."""
        self._calls.update(calls)

    def is_spent(self, endpoint: str) -> bool:
        return self.levels.get(endpoint) == "spent"

    def is_sparing(self, endpoint: str) -> bool:
        return self.levels.get(endpoint, "free") in ("reserve", "spent")


def _held(endpoint: str, tried: str, why: str, wait: int) -> SystemFailure:
    return SystemFailure(
        Family.TRANSIENT,
        tried,
        why,
        system=endpoint,
        code=HELD,
        retry_after=wait,
        do_next=f"nothing: it goes on by itself when {endpoint} may be called again",
    )


@contextmanager
def probing() -> Iterator[None]:
    """Calls inside pass a closed gate, and their failures are not trouble but an answer. A rest they keep, too."""
    token = _probing.set(True)
    try:
        yield
    finally:
        _probing.reset(token)


gate = Gate()
"""The one of this process. Clients meet it in `activities.http.send`; the worker keeps it in step with the ledger."""
