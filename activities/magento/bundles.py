"""Bundles that the shop shows as sent only as a whole, while their parts leave the warehouse when they can.

What left is counted over all shipments, first out, first shown: a bundle is shown with the shipment that made it whole,
with the tracks of all that brought its parts. Pure functions; every shipment gets the same answer again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal

from activities.magento.fields import flag, number, text
from activities.magento.rows import Quantities, Row, bundles_of, in_parts, item_of, parts_of, sent_rows
from commerce.fulfillment import ZERO, Portion

Left = tuple[str, Quantities]  # a shipment's number, and its quantity by row as the ERP names them


@dataclass
class Sent:
    """What the shop can be shown of one shipment. `rows`: quantity by the row that it counts as sent.

    `also`: earlier shipments of which it shows parts too. `waits`: what left and cannot be shown yet, by shipment.
    `missing`: what has to leave first.
    """

    rows: Quantities
    also: tuple[str, ...] = ()
    waits: dict[str, tuple[Portion, ...]] = field(default_factory=dict)
    missing: tuple[Portion, ...] = ()


def sent_with(order: Row, left: Sequence[Left], separately: frozenset[str]) -> Sent:
    """Of the last shipment of `left`, all before it being shown. `separately`: bundles that leave part by part."""
    last, priced = left[-1]
    every = {line for _, quantities in left for line in quantities}
    # One whose own row left is a kit of the ERP: nothing of it leaves alone.
    heads = [head for head in bundles_of(order, every) if head not in separately and head not in every]
    waiting = [bundle for bundle in (_Bundle(order, head) for head in heads) if bundle.parts]
    rows: Quantities = {}
    also: dict[str, None] = {}
    for shipment, quantities in left:
        rows, also = {}, {}
        for bundle in waiting:
            whole, brought_by = bundle.take(shipment, quantities)
            if whole:
                rows[bundle.head] = whole
                also |= dict.fromkeys(brought_by)
    also.pop(last, None)
    parts = {line for bundle in waiting for line in bundle.parts}
    others = {line: quantity for line, quantity in priced.items() if line not in parts}
    waits: dict[str, list[Portion]] = {}
    for bundle in waiting:
        for shipment, portion in bundle.waits():
            waits.setdefault(shipment, []).append(portion)
    missing = tuple(portion for bundle in waiting for portion in bundle.missing())
    return Sent(
        rows={**sent_rows(order, others, separately), **rows},
        also=tuple(also),
        waits={shipment: tuple(portions) for shipment, portions in waits.items()},
        missing=missing,
    )


class _Bundle:
    """The parts of one bundle that left and were not shown, oldest first."""

    def __init__(self, order: Row, head: str) -> None:
        self.head = head
        of_one = {
            text(part, "item_id"): in_parts(order, head, part, Decimal(1))
            for part in parts_of(order, head)
            if not flag(part, "is_virtual") and number(part, "qty_ordered")
        }
        self.parts: Mapping[str, Decimal] = of_one
        self._skus = {line: text(item_of(order, line), "sku") for line in of_one}
        self._left: dict[str, list[tuple[str, Decimal]]] = {line: [] for line in of_one}

    def take(self, shipment: str, quantities: Quantities) -> tuple[Decimal, list[str]]:
        """How many became whole with it, and the shipments that brought their parts."""
        for line in self.parts:
            if quantities.get(line, ZERO):
                self._left[line].append((shipment, quantities[line]))
        whole = min(self._gone(line) // each for line, each in self.parts.items())
        brought_by: list[str] = []
        for line, each in self.parts.items() if whole else ():
            open_, rest = whole * each, []
            for number_, quantity in self._left[line]:
                used = min(open_, quantity)
                open_ -= used
                if used:
                    brought_by.append(number_)
                if quantity > used:
                    rest.append((number_, quantity - used))
            self._left[line] = rest
        return whole, brought_by

    def _gone(self, line: str) -> Decimal:
        return sum((quantity for _, quantity in self._left[line]), ZERO)

    def waits(self) -> Iterator[tuple[str, Portion]]:
        for line, left in self._left.items():
            for shipment, quantity in left:
                yield shipment, Portion(line=line, sku=self._skus[line], quantity=quantity)

    def missing(self) -> Iterator[Portion]:
        """What makes whole every bundle of which something left."""
        begun = max((self._gone(line) / each).to_integral_value(ROUND_CEILING) for line, each in self.parts.items())
        for line, each in self.parts.items():
            short = begun * each - self._gone(line)
            if short > 0:
                yield Portion(line=line, sku=self._skus[line], quantity=short)
