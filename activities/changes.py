"""How a system says what changed, and how it reads a notification: the two ways into the same run."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

from temporalio import activity

from commerce.billing import BillingProgress
from commerce.fulfillment import Fulfillment
from commerce.model import Model, UtcDatetime
from commerce.order import Order
from commerce.payment import EntryState


class Reading(Model):
    """What a feed has read from the system itself, for the run that it tells. `at` is the record's own time stamp.

    A run believes only what it was waiting for, and looks itself at everything else. `replaced_by` comes with an order
    that an edit in the shop cancelled: the number of the order in its place.
    """

    at: UtcDatetime
    entry: EntryState | None = None
    billing: BillingProgress | None = None
    goods: Fulfillment | None = None
    replaced_by: str = ""


class Change(Model):
    """Something changed for one order. `digest` is equal for equal states, so that a repeat can be skipped.

    `order` is the whole order for a new or changed shop order. `problem` says why a shop's order could not be read into
    the shared language; such a change is quarantined with its reason, never dropped. `quiet`: a state that no run waits
    for (an entry nobody paid into yet, an order not billed yet); it is remembered, and telling the run is saved.
    `shop_lines_canceled`: quantities of a shop's order were cancelled there, and the order as a whole was not.
    """

    order_key: str
    what: Literal["shop-order", "entry", "billing", "fulfillment", "parcel"]
    digest: str
    at: UtcDatetime | None = None
    order: Order | None = None
    shop_canceled: bool = False
    shop_lines_canceled: bool = False
    problem: str = ""
    quiet: bool = False
    reading: Reading | None = None


class Page(Model):
    """Changes since a cursor, oldest first. `cursor` is opaque text for the next read; inclusive with overlap."""

    changes: tuple[Change, ...]
    cursor: str
    more: bool = False


class Source(Protocol):
    """Reads what changed in one system. `name` is stable: the cursor is kept under it (`magento:orders`)."""

    name: str
    system: str

    async def read(self, cursor: str | None) -> Page:
        """One page since `cursor` (None: from the configured start). Raises commerce.failures.SystemFailure."""
        ...

    async def fetch(self, reference: str) -> Change | None:
        """The present state behind one notification's reference, read from the system itself; None when it is gone."""
        ...


@runtime_checkable
class Detailed(Protocol):
    """A source that can read more of what changed, many at once, so that no run has to ask for it on its own."""

    async def detailed(self, changes: Sequence[Change]) -> list[Change]:
        """The same changes, with their readings where there is something to tell. Raises SystemFailure."""
        ...


@runtime_checkable
class Gathering(Protocol):
    """A source that reads the records behind many notifications at once: many cost as many calls as one does."""

    async def fetch_all(self, references: Sequence[str]) -> Mapping[str, Change | None]:
        """What `fetch` answers for each reference. Raises SystemFailure."""
        ...


class Told(Model):
    """What came at once. `references` are what the feed's source reads; `gap` says why it must look at everything."""

    references: tuple[str, ...]
    replay_id: bytes
    gap: str = ""


class PlaceLost(Exception):
    """The system does not go on from the place that it was given."""


class Push(Protocol):
    """A stream of a system. `source` is the change source that reads the references."""

    name: str
    system: str
    source: str

    def listen(self, replay_id: bytes | None) -> AsyncGenerator[Told, None]:
        """What is told after the place; from now on without one. Raises PlaceLost, SystemFailure."""
        ...


class Heard(Model):
    """A notification whose sender was verified. `id` is the sender's message id; `reference` what to read again."""

    id: str
    reference: str
    source: str


class Unreadable(ValueError):
    """A notification that is not what the vendor sends; kept in quarantine with this reason."""


class Forged(ValueError):
    """A notification whose signature is missing or wrong; refused."""


class RunRefused(Exception):
    """The engine refuses this one order for good: trying again does not help, and others must not wait for it."""


class Listener(Protocol):
    """Verifies and reads a system's notifications. Raises Forged or Unreadable."""

    def hear(self, headers: Mapping[str, str], body: bytes) -> Heard: ...


class Intents(Protocol):
    """Our own memory of writes that were begun, for targets that take no idempotency key."""

    async def begun(self, key: str) -> UtcDatetime | None:
        """Note that the write under `key` begins now. Returns when it was first begun, or None if this is the first."""
        ...


class Follow(Model):
    source: str


class LatePaymentInput(Model):
    """Something happened to the payment entry of an order whose run has ended."""

    order_key: str
    store: str
    number: str


class Feeds:
    @activity.defn(name="feed.follow")
    async def follow(self, task: Follow) -> int:
        """Pass on what changes in one source, for some hours; returns how many changes. Heartbeats."""
        raise NotImplementedError
