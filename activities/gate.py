"""The gate before every outside system, in each worker process: closed while the endpoint watch says so.

The server's dispatch rate keeps new steps away from a system that is down. The gate keeps away what the rate cannot
reach: a step that was dispatched a moment before, a look-up that another system's step makes, a change feed. It also
counts runs of failed calls, so that the watch hears of trouble within seconds.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from commerce.failures import Family, SystemFailure

HELD = "held"  # the failure's code
# As many failures in a row, over all of a worker's calls, are reported to the watch.
RUN_OF_FAILURES = 3
_probing: ContextVar[bool] = ContextVar("probing", default=False)


class Gate:
    """`closed` and `no_writes` map an endpoint to the reason: nothing may reach it, or no write.

    `on_trouble` hears of a run of failures, once per run.
    """

    def __init__(self) -> None:
        self.closed: Mapping[str, str] = {}
        self.no_writes: Mapping[str, str] = {}
        self.on_trouble: Callable[[str, str], None] | None = None
        self._failures: dict[str, int] = {}

    def check(self, endpoint: str, tried: str, *, writes: bool = False) -> None:
        """Raises SystemFailure (TRANSIENT) when the endpoint is held back and this call is no probe."""
        reason = self.closed.get(endpoint) or (self.no_writes.get(endpoint) if writes else None)
        if reason is None or _probing.get():
            return
        raise SystemFailure(
            Family.TRANSIENT,
            tried,
            f"{endpoint} is held back: {reason}",
            system=endpoint,
            code=HELD,
            retry_after=2,
            do_next=f"nothing: it goes on by itself when {endpoint} is back",
        )

    def answered(self, endpoint: str) -> None:
        self._failures.pop(endpoint, None)

    def failed(self, endpoint: str, reason: str) -> None:
        if _probing.get():
            return
        count = self._failures[endpoint] = self._failures.get(endpoint, 0) + 1
        if count == RUN_OF_FAILURES and self.on_trouble is not None:
            self.on_trouble(endpoint, reason)


@contextmanager
def probing() -> Iterator[None]:
    """Calls inside pass a closed gate, and their failures are not trouble but an answer."""
    token = _probing.set(True)
    try:
        yield
    finally:
        _probing.reset(token)


gate = Gate()
"""The one of this process. Clients meet it in `activities.http.send`; the worker keeps it in step with the ledger."""
