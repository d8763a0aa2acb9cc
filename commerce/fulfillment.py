"""How far the goods of an order are: states, their legal moves, and what a reading of the ERP says about an order.

A reading is a whole picture of one order at one moment. Readings may come late, twice or out of order; what they may
never do is take goods back that have left the house. `problems` says so, and the order parks.
"""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from commerce.model import Model, UtcDatetime
from commerce.order import Quantity

ZERO = Decimal(0)


def _plain(value: Decimal) -> Decimal:
    return Decimal(format(value.normalize(), "f"))


Count = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=6), AfterValidator(_plain)]


class State(StrEnum):
    """Where goods stand: of one line, of one shipment, or of the whole order."""

    BOOKED = "booked"
    ALLOCATED = "allocated"
    BACK_ORDERED = "back-ordered"
    PICKING = "picking"
    PACKED = "packed"
    READY = "ready"
    DISPATCHED = "dispatched"
    DELIVERED = "delivered"
    CLOSED = "closed"
    CANCELLED = "cancelled"


# What may directly follow what. Before the goods leave, a warehouse may take every step back; afterwards it may not.
MOVES: dict[State, frozenset[State]] = {
    State.BOOKED: frozenset({State.ALLOCATED, State.BACK_ORDERED, State.CANCELLED}),
    State.ALLOCATED: frozenset({State.BOOKED, State.BACK_ORDERED, State.PICKING, State.CANCELLED}),
    State.BACK_ORDERED: frozenset({State.BOOKED, State.ALLOCATED, State.CANCELLED}),
    State.PICKING: frozenset({State.ALLOCATED, State.PACKED, State.CANCELLED}),
    State.PACKED: frozenset({State.PICKING, State.READY, State.CANCELLED}),
    State.READY: frozenset({State.PACKED, State.DISPATCHED, State.CANCELLED}),
    State.DISPATCHED: frozenset({State.DELIVERED, State.CLOSED}),
    State.DELIVERED: frozenset({State.CLOSED}),
    State.CLOSED: frozenset(),
    State.CANCELLED: frozenset(),
}
LEFT_THE_HOUSE = frozenset({State.DISPATCHED, State.DELIVERED, State.CLOSED})


def _reach() -> dict[State, frozenset[State]]:
    found = {state: {state} for state in State}
    grew = True
    while grew:
        grew = False
        for reached in found.values():
            new = {after for state in reached for after in MOVES[state]} - reached
            reached |= new
            grew = grew or bool(new)
    return {state: frozenset(reached) for state, reached in found.items()}


_REACH = _reach()


def may_become(old: State, new: State) -> bool:
    """Whether a later reading may say `new` after `old`. Readings skip states, so any chain of moves is one."""
    return new in _REACH[old]


class Portion(Model):
    """A quantity of one order line, named by the line's id in the shop's order."""

    line: str
    sku: str
    quantity: Quantity


class Parcel(Model):
    """One box of a shipment, with the carrier's number where it has one."""

    number: str
    tracking: str = ""


class Shipment(Model):
    """One delivery as the ERP knows it. `number` is the ERP's document number and the shipment's key everywhere."""

    number: str
    id: str
    state: State
    portions: tuple[Portion, ...]
    source: str = Field(default="", description="The warehouse that it leaves, by the ERP's name")
    carrier: str = ""
    service: str = ""
    tracking: str = Field(default="", description="The carrier's number of the whole shipment")
    parcels: tuple[Parcel, ...] = ()
    dispatched_at: UtcDatetime | None = None

    def tracking_numbers(self) -> tuple[str, ...]:
        """Every number that the carrier knows it by, each once: the boxes' own, else the shipment's."""
        numbers = [parcel.tracking for parcel in self.parcels if parcel.tracking] or [self.tracking]
        return tuple(dict.fromkeys(number for number in numbers if number))


class LineProgress(Model):
    """One line's quantities in the ERP. What is packed is still allocated; what is shipped is neither.

    `intangible`: a service or a download. Nothing of it leaves the house, whatever the ERP counts as shipped.
    """

    line: str
    sku: str
    intangible: bool = False
    ordered: Count
    cancelled: Count = ZERO
    allocated: Count = ZERO
    back_ordered: Count = ZERO
    picked: Count = ZERO
    packed: Count = ZERO
    shipped: Count = ZERO
    promised_on: date | None = None

    @property
    def undelivered(self) -> Decimal:
        """What the ERP has neither shipped nor cancelled; of services too."""
        return max(self.ordered - self.cancelled - self.shipped, ZERO)

    @property
    def open(self) -> Decimal:
        """What is still to leave the house."""
        return ZERO if self.intangible else self.undelivered

    @property
    def state(self) -> State:
        """The state of what is still open, or how it ended."""
        if self.cancelled >= self.ordered:
            return State.CANCELLED
        if not self.open:
            return State.DISPATCHED
        if self.back_ordered:
            return State.BACK_ORDERED
        if self.packed >= self.open:
            return State.PACKED
        if self.picked:
            return State.PICKING
        return State.ALLOCATED if self.allocated >= self.open else State.BOOKED


class Transfer(Model):
    """Goods on their way from one warehouse to another. `done` when they have arrived (or were called off)."""

    number: str
    id: str
    source: str
    destination: str
    portions: tuple[Portion, ...] = ()
    done: bool = False
    expected_on: date | None = None


class Fulfillment(Model):
    """One reading of the ERP: how far one order is. `closed`: the ERP expects nothing more to happen to it."""

    order_key: str
    number: str = Field(description="The ERP's order number")
    id: str
    cancelled: bool = False
    closed: bool = False
    lines: tuple[LineProgress, ...]
    shipments: tuple[Shipment, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    changed_at: UtcDatetime

    def dispatched(self) -> tuple[Shipment, ...]:
        """What has left the house, oldest first."""
        gone = [shipment for shipment in self.shipments if shipment.state in LEFT_THE_HOUSE]
        return tuple(sorted(gone, key=lambda each: (each.dispatched_at or self.changed_at, each.number)))


def overall(reading: Fulfillment, delivered: frozenset[str] = frozenset()) -> State:
    """The order's state: that of the line that is least far. `delivered` are shipments that the carrier handed over."""
    if reading.cancelled or all(line.state is State.CANCELLED for line in reading.lines):
        return State.CANCELLED
    states = [line.state for line in reading.lines if line.state is not State.CANCELLED and not line.intangible]
    if not states:
        return State.DELIVERED  # only services and downloads: there is nothing to wait for
    least = min(states, key=_FAR.index)
    if least is not State.DISPATCHED:
        return least
    gone = reading.dispatched()
    if gone and all(s.state is not State.DISPATCHED or s.number in delivered for s in gone):
        return State.DELIVERED
    return State.DISPATCHED


_FAR = [
    State.BACK_ORDERED,
    State.BOOKED,
    State.ALLOCATED,
    State.PICKING,
    State.PACKED,
    State.READY,
    State.DISPATCHED,
    State.DELIVERED,
    State.CLOSED,
]


def problems(earlier: Fulfillment | None, reading: Fulfillment) -> list[str]:
    """Why a reading cannot be what happened, one line each; empty when it can.

    A reading is checked in itself (nothing leaves that was not ordered, shipments and lines agree) and against the one
    before (what left the house stays gone, under the same number and with the same content).
    """
    found = [*_beyond(reading)]
    if earlier is None:
        return found
    now = {shipment.number: shipment for shipment in reading.shipments}
    for old in earlier.dispatched():
        new = now.get(old.number)
        if new is None:
            found.append(f"shipment {old.number} had left the house and is no longer there")
        elif not may_become(old.state, new.state):
            found.append(f"shipment {old.number} was {old.state.value} and is now {new.state.value}")
        elif _content(old) != _content(new):
            found.append(f"shipment {old.number} had left with {_said(old)} and now says {_said(new)}")
    return found


def _beyond(reading: Fulfillment) -> list[str]:
    found = []
    gone: dict[str, Decimal] = {}
    for shipment in reading.dispatched():
        for portion in shipment.portions:
            gone[portion.line] = gone.get(portion.line, ZERO) + portion.quantity
    lines = {line.line: line for line in reading.lines}
    for id_, quantity in gone.items():
        line = lines.get(id_)
        if line is None:
            found.append(f"line {id_} was shipped and is no line of the order")
        elif quantity > line.ordered - line.cancelled:
            left = line.ordered - line.cancelled
            found.append(f"{quantity} of line {id_} ({line.sku}) left the house, {left} were to be shipped")
        elif quantity != line.shipped:
            found.append(f"line {id_} ({line.sku}) counts {line.shipped} shipped, its shipments hold {quantity}")
    return found


def _content(shipment: Shipment) -> dict[str, Decimal]:
    content: dict[str, Decimal] = {}
    for portion in shipment.portions:
        content[portion.line] = content.get(portion.line, ZERO) + portion.quantity
    return content


def _said(shipment: Shipment) -> str:
    return ", ".join(f"{quantity} of line {line}" for line, quantity in sorted(_content(shipment).items())) or "nothing"
