"""The quantity ledger of one order: ordered, cancelled, shipped, invoiced, returned and refunded, per line.

It is a set of documents, each known by its kind and number, and the counts are worked out from the whole set. The same
document twice counts once, and the order in which they were heard of changes nothing. What would go beyond what is
open never counts: it is named in `beyond`, and whoever keeps the ledger parks the order before anything is written.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum

from commerce.fulfillment import ZERO, Count
from commerce.model import Model
from commerce.order import Order, Quantity


class Kind(StrEnum):
    """What a document does with quantities, in the order in which the causes come."""

    CANCEL = "cancelled"
    SHIP = "shipped"
    INVOICE = "invoiced"
    RETURN = "returned"
    REFUND = "refunded"


_CAUSES = list(Kind)


class Entry(Model):
    """One document's quantities by line id. `document` is its number where it was made: its key."""

    kind: Kind
    document: str
    quantities: dict[str, Quantity]


class Counts(Model):
    """One line. Every count stays within what the others leave open."""

    ordered: Count
    cancelled: Count = ZERO
    shipped: Count = ZERO
    invoiced: Count = ZERO
    returned: Count = ZERO
    refunded: Count = ZERO

    def room(self, kind: Kind) -> Decimal:
        """How much more of a kind this line can take.

        What left the house cannot be cancelled, what is cancelled cannot leave. What was cancelled after it was
        invoiced is refunded. Only what was shipped comes back; only what was invoiced is refunded.
        """
        return {
            Kind.CANCEL: self.ordered - self.cancelled - self.shipped,
            Kind.SHIP: self.ordered - self.cancelled - self.shipped,
            Kind.INVOICE: self.ordered - self.invoiced,
            Kind.RETURN: self.shipped - self.returned,
            Kind.REFUND: self.invoiced - self.refunded,
        }[kind]

    def count(self, kind: Kind) -> Decimal:
        return {
            Kind.CANCEL: self.cancelled,
            Kind.SHIP: self.shipped,
            Kind.INVOICE: self.invoiced,
            Kind.RETURN: self.returned,
            Kind.REFUND: self.refunded,
        }[kind]

    def plus(self, kind: Kind, quantity: Decimal) -> "Counts":
        return self.model_copy(update={kind.value: self.count(kind) + quantity})


class Beyond(Model):
    """A document that goes further than the order leaves room for; `line` may be none of the order's."""

    kind: Kind
    document: str
    line: str
    asked: Count
    room: Count

    def words(self) -> str:
        return f"{self.document}: {self.asked} of line {self.line} cannot be {self.kind.value}, {self.room} are open"


class Balance(Model):
    """The counts of every line, and what did not fit."""

    lines: dict[str, Counts]
    beyond: tuple[Beyond, ...] = ()


class Conflict(ValueError):
    """The same document number with other content."""


class QuantityLedger:
    """The documents of one order. `ordered` is the quantity by line id."""

    def __init__(self, ordered: Mapping[str, Decimal], entries: Iterable[Entry] = ()) -> None:
        self._ordered = dict(ordered)
        self._entries: dict[tuple[Kind, str], Entry] = {}
        for entry in entries:
            self.take(entry)

    @classmethod
    def of(cls, order: Order) -> "QuantityLedger":
        return cls({line.id: line.quantity for line in order.lines})

    def take(self, entry: Entry) -> bool:
        """Take a document in. False when it is known already. Raises Conflict when it is known with other content."""
        key = (entry.kind, entry.document)
        known = self._entries.get(key)
        if known is not None and known.quantities != entry.quantities:
            raise Conflict(
                f"{entry.document} {entry.kind.value} {_said(known.quantities)} and now {_said(entry.quantities)}"
            )
        self._entries[key] = entry
        return known is None

    def entries(self) -> tuple[Entry, ...]:
        """All documents, in the order in which they count: causes first, then by number."""
        return tuple(sorted(self._entries.values(), key=lambda e: (_CAUSES.index(e.kind), e.document)))

    def balance(self) -> Balance:
        """Whole documents count or do not: half a shipment is none."""
        lines = {line: Counts(ordered=quantity) for line, quantity in self._ordered.items()}
        beyond: list[Beyond] = []
        for entry in self.entries():
            wrong = _without_room(lines, entry)
            if wrong:
                beyond += wrong
                continue
            for line, quantity in entry.quantities.items():
                lines[line] = lines[line].plus(entry.kind, quantity)
        return Balance(lines=lines, beyond=tuple(beyond))

    def would(self, entry: Entry) -> tuple[Beyond, ...]:
        """What stands against one more document, before it is made."""
        if (entry.kind, entry.document) in self._entries:
            return ()
        return tuple(_without_room(self.balance().lines, entry))


def _without_room(lines: Mapping[str, Counts], entry: Entry) -> list[Beyond]:
    found = []
    for line, quantity in sorted(entry.quantities.items()):
        room = max(lines[line].room(entry.kind), ZERO) if line in lines else ZERO
        if quantity > room:
            found.append(Beyond(kind=entry.kind, document=entry.document, line=line, asked=quantity, room=room))
    return found


def _said(quantities: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{quantity} of line {line}" for line, quantity in sorted(quantities.items()))
