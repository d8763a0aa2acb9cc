"""Which rows of the shop's order a document names: the ERP's line is not always the row that the shop counts.

The ERP's lines are the rows that carry the price (`commerce/goods.py`), and those are the rows that the shop invoices.
For shipments the shop counts others: of a bundle that leaves as a whole its own row, of one that leaves part by part
its parts. A configurable is its own row for both. Pure functions over the shop's rows.
"""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

from activities.magento.fields import flag, number, rows, text
from commerce.fulfillment import ZERO, Portion

# States in which the shop takes no shipment, from its own validators.
NOT_SHIPPABLE = frozenset({"payment_review", "holded", "canceled", "closed"})
Row = Mapping[str, Any]
Quantities = dict[str, Decimal]


class NotTaken(ValueError):
    """The shop has no row for what the ERP ships, or takes no more of it. `do_next`: what a person can do."""

    def __init__(self, came_back: str, do_next: str) -> None:
        super().__init__(came_back)
        self.do_next = do_next


def priced_rows(order: Row, portions: Iterable[Portion]) -> Quantities:
    """Quantity by row as the ERP names them. Raises NotTaken."""
    wanted: Quantities = {}
    for portion in portions:
        if not item_of(order, portion.line):
            raise NotTaken(
                f"the ERP ships line {portion.line} ({portion.sku}), which the shop has not",
                "mend it in the shop, then decide 'retry'",
            )
        wanted[portion.line] = wanted.get(portion.line, ZERO) + portion.quantity
    if not wanted:  # to the shop, no row means all of them
        raise NotTaken("nothing of it is a row of the shop's order", "mend it in the shop, then decide 'retry'")
    return wanted


def bundles_of(order: Row, wanted: Collection[str]) -> dict[str, str]:
    """Product id by row of every bundle that these rows are, or are a part of."""
    heads = {text(item_of(order, line), "parent_item_id") or line for line in wanted}
    return {head: text(item_of(order, head), "product_id") for head in sorted(heads) if is_bundle(order, head)}


def sent_rows(order: Row, priced: Quantities, separately: Collection[str]) -> Quantities:
    """Quantity by the row that the shop counts as sent. `separately`: rows of the bundles that leave part by part.

    Of a bundle that leaves as a whole its own row is meant, which brings the parts; parts that left without it are
    counted in `bundles.py`. Raises NotTaken for a part that has a price of its own beside its bundle's.
    """
    wanted = dict(priced)
    for head in bundles_of(order, priced):
        parts = [item for item in parts_of(order, head) if not flag(item, "is_virtual")]
        if not parts:
            continue
        if head in separately:
            whole = wanted.pop(head, ZERO)
            if whole:  # a kit of the ERP brings all its parts
                for part in parts:
                    line = text(part, "item_id")
                    wanted[line] = wanted.get(line, ZERO) + in_parts(order, head, part, whole)
        elif head in wanted:
            for part in parts:
                wanted.pop(text(part, "item_id"), None)
        else:
            raise NotTaken(
                f"bundle {text(item_of(order, head), 'sku')} leaves the shop as a whole, and a part of it left "
                "apart from the rest",
                "when the rest has left too, ship the bundle in the shop by hand, and decide 'skip' for each of its "
                "shipments; goods that may leave one by one are set to ship separately in the shop",
            )
    return wanted


def may_ship(order: Row, wanted: Quantities) -> None:
    """Raises NotTaken where the shop would refuse the shipment."""
    state = text(order, "state")
    if state in NOT_SHIPPABLE:
        raise NotTaken(
            f"the order is {state} in the shop, where it takes no shipment, and the goods have left",
            "release the order in the shop and decide 'retry', or 'skip' the shop's shipment",
        )
    for item_id, quantity in wanted.items():
        item = item_of(order, item_id)
        if flag(item, "is_virtual"):
            raise NotTaken(
                f"{text(item, 'sku')} left the house, and is virtual in the shop, which ships nothing of it",
                "make the article intangible in the ERP or a simple product in the shop, then decide 'skip'",
            )
        gone = max(number(item, "qty_shipped"), number(item, "qty_refunded"))
        room = number(item, "qty_ordered") - gone - number(item, "qty_canceled")
        if quantity > room:
            raise NotTaken(
                f"{quantity} of {text(item, 'sku')} left the house, the shop has {room} open to ship",
                "find out what was shipped or canceled in the shop by hand; put our number "
                "into the comment of a shipment that is the same and decide 'retry', or 'skip'",
            )


def in_parts(order: Row, head: str, part: Row, quantity: Decimal) -> Decimal:
    """How many of a part so many of the bundle bring."""
    return quantity * number(part, "qty_ordered") / number(item_of(order, head), "qty_ordered")


def item_of(order: Row, item_id: str) -> Row:
    """The order's row; empty when there is none."""
    return next((item for item in rows(order, "items") if text(item, "item_id") == item_id), {})


def parts_of(order: Row, head: str) -> list[Row]:
    return [item for item in rows(order, "items") if text(item, "parent_item_id") == head]


def is_bundle(order: Row, item_id: str) -> bool:
    return text(item_of(order, item_id), "product_type") == "bundle"


def held(order: Row, shown: Iterable[Row], wanted: Collection[str]) -> Quantities:
    """What a document of the shop holds, in the rows that were wanted.

    It also lists rows that only go with others: a variant, the parts of a bundle, a bundle's row beside its parts.
    """
    heads = {line for line in wanted if not text(item_of(order, line), "parent_item_id")}
    behind = {text(item, "item_id") for item in rows(order, "items") if text(item, "parent_item_id") in heads}
    found: Quantities = {}
    for row in shown:
        line = text(row, "order_item_id")
        if line in wanted or (line not in behind and not is_bundle(order, line)):
            found[line] = found.get(line, ZERO) + number(row, "qty")
    return found


def said(order: Row, quantities: Mapping[str, Decimal]) -> str:
    return ", ".join(
        f"{quantity:f} of {text(item_of(order, line), 'sku') or line}" for line, quantity in quantities.items()
    )
