"""What a reconciliation asks: of every system its documents, of our memory the comparing. Counts come back, no bulk."""

from collections.abc import Sequence
from typing import Protocol

from temporalio import activity

from commerce.model import Model, UtcDatetime
from commerce.reconciliation_report import Report
from commerce.statements import Statement


class Period(Model):
    """Orders of which a document was made or changed from `since` (with overlap) until before `until`."""

    since: UtcDatetime
    until: UtcDatetime


class KeyPage(Model):
    """Order keys that were touched in a period. `cursor` is opaque text for the next page; empty: this was the last."""

    keys: tuple[str, ...]
    cursor: str = ""


class Reader(Protocol):
    """Reads one system's documents, from the system itself. Raises commerce.failures.SystemFailure."""

    async def touched(self, period: Period, cursor: str) -> KeyPage:
        """One page of the keys of orders of which a document was made or changed. A key may come more than once."""
        ...

    async def statements(self, keys: Sequence[str]) -> list[Statement]:
        """Every document of these orders (at most `ORDERS_AT_ONCE`), whenever it was made, also a surplus one."""
        ...


ORDERS_AT_ONCE = 100


class Ask(Model):
    """What is compared. `id` names the comparison; `scheduled`: by the clock, so that operators are told."""

    id: str
    since: UtcDatetime
    until: UtcDatetime
    store: str = ""
    pair: str = ""
    by: str = ""
    scheduled: bool = False


class Course(Model):
    """How a comparison goes: the endpoints to read from, and the period with its overlap."""

    endpoints: tuple[str, ...]
    period: Period


class FindKeys(Model):
    ask_id: str
    endpoint: str
    store: str = ""
    period: Period
    cursor: str = ""


class KeysFound(Model):
    """`cursor` goes on in the next turn; empty: all are found."""

    number: int
    cursor: str = ""


class ReadBooks(Model):
    """Read the documents of the orders after `after`. `again`: of those only that were not in step."""

    ask_id: str
    endpoint: str
    after: str = ""
    again: bool = False


class BooksRead(Model):
    """`after` is the last order that was read; empty: there are no more."""

    orders: int
    documents: int
    after: str = ""


class Compare(Model):
    """`last`: what still differs now counts; else it is only marked to be read again."""

    ask: Ask
    last: bool = False


class Outcome(Model):
    """`report` is set after the last look. `was_in_step`: what the scheduled comparison before this one found."""

    unexplained: int
    report: Report | None = None
    was_in_step: bool = True
    summary: str = ""


class Failed(Model):
    ask: Ask
    reason: str


class Books:
    """Filled for every endpoint, on its own queue."""

    @activity.defn(name="books.find_keys")
    async def find_keys(self, task: FindKeys) -> KeysFound:
        """Some pages of keys, written to the ledger."""
        raise NotImplementedError

    @activity.defn(name="books.read")
    async def read(self, task: ReadBooks) -> BooksRead:
        """The documents of some hundred orders, written to the ledger in place of what was read before."""
        raise NotImplementedError


class Reconciler:
    """Filled by our own memory, on the control queue."""

    @activity.defn(name="reconcile.begin")
    async def begin(self, ask: Ask) -> Course:
        """Note that the comparison begins; what an earlier one of the same id left is dropped."""
        raise NotImplementedError

    @activity.defn(name="reconcile.find_keys")
    async def find_own_keys(self, task: FindKeys) -> KeysFound:
        """The orders that portals placed, which live in no shop."""
        raise NotImplementedError

    @activity.defn(name="reconcile.read")
    async def read_own(self, task: ReadBooks) -> BooksRead:
        raise NotImplementedError

    @activity.defn(name="reconcile.compare")
    async def compare(self, task: Compare) -> Outcome:
        raise NotImplementedError

    @activity.defn(name="reconcile.fail")
    async def fail(self, failed: Failed) -> None:
        """Note that the comparison could not be made, and why."""
        raise NotImplementedError
