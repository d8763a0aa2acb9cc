"""Which rows of an order are goods: what the ERP books as lines, and what it must have an item for.

A row without a parent is one line. Of a configurable, the row with the price is the line, under the variant's SKU, and
the child without money is left out. Of a bundle, the children are the goods and are lines; the bundle's own row is a
line only where it carries the price, and then children without money are left out, because the ERP's kit item brings
them. A child with money of its own is always a line: no amount is dropped.
"""

from collections.abc import Mapping
from decimal import Decimal

from commerce.order import Line, Order


def goods(order: Order) -> tuple[Line, ...]:
    """The rows that become lines, in the order's own sequence, each under the SKU of what is delivered."""
    rows = {row.id: row for row in order.lines}
    children: dict[str, list[Line]] = {}
    for row in order.lines:
        if row.parent is not None:
            children.setdefault(row.parent, []).append(row)

    def is_line(row: Line) -> bool:
        if row.total or row.tax:
            return True
        parent = rows[row.parent] if row.parent is not None else None
        if parent is not None and parent.kind == "configurable":
            return False
        if parent is not None and parent.kind == "bundle":
            return not (parent.total or parent.tax)
        return not (row.kind == "bundle" and row.id in children)

    return tuple(_delivered(row, children.get(row.id, [])) for row in order.lines if is_line(row))


def _delivered(row: Line, children: list[Line]) -> Line:
    """A configurable's row under its variant's SKU: Magento writes it there, other portals leave it to the child."""
    if row.kind == "configurable" and len(children) == 1 and not (children[0].total or children[0].tax):
        return row.model_copy(update={"sku": children[0].sku})
    return row


def cancelled_goods(order: Order, rows: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The quantity by line that a shop's cancelled `rows` mean: a bundle's row takes its parts along in proportion."""
    heads = {row.id: row for row in order.lines}
    found: dict[str, Decimal] = {}
    for line in goods(order):
        quantity = rows.get(line.id, Decimal(0))
        head = heads.get(line.parent or "")
        if head is not None and head.id in rows:
            quantity = max(quantity, rows[head.id] * line.quantity / head.quantity)
        if quantity:
            found[line.id] = quantity
    return found
