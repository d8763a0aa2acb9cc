"""What the shop's own books show of shipments, for a reconciliation: rows, quantities, and the numbers in comments."""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from activities.magento.fields import moment, number, rows, text
from commerce.fulfillment import ZERO
from commerce.statements import Piece, Statement, StatementKind, StatementState, worth

ITEMS = "items[item_id,parent_item_id,product_type,sku,price,qty_ordered,qty_canceled,qty_refunded]"
SHIPMENT = "entity_id,increment_id,order_id,created_at,updated_at,comments[comment],items[order_item_id,qty]"
_NUMBER = re.compile(r"[\w/.-]*\d[\w/.-]*")
Row = Mapping[str, Any]


def counted(items: Sequence[Row], counter: str) -> tuple[Piece, ...]:
    """The rows of an order of which its counter (such as `qty_canceled`) tells something."""
    return tuple(
        Piece(
            line=text(item, "item_id"),
            sku=text(item, "sku"),
            quantity=number(item, counter),
            price=number(item, "price"),
            parent=text(item, "parent_item_id"),
        )
        for item in items
        if number(item, counter)
    )


def shipment_of(order: Statement, items: Sequence[Row], row: Row, *, prefix: str) -> Statement:
    """One shipment of the shop; `items` are the rows of its order. Raises Unmappable."""
    comments = [html.unescape(text(each, "comment")) for each in rows(row, "comments")]
    ours = [found[1] for said in comments if (found := re.fullmatch(rf"{re.escape(prefix)}(\S+)", said.strip()))]
    mentioned = [name.rstrip(".") for said in comments for name in _NUMBER.findall(said)]
    goods = tuple(_pieces(items, rows(row, "items")))
    created = moment(row, "created_at")
    return Statement(
        kind=StatementKind.SHOP_SHIPMENT,
        system=order.system,
        key=order.key,
        id=text(row, "entity_id"),
        number=text(row, "increment_id"),
        item=ours[0] if ours else "",
        amount=worth(goods, order.amount.currency),
        state=StatementState.LIVE,
        status="shipped",
        keyed=bool(ours),
        goods=goods,
        names=tuple(dict.fromkeys((*ours, *mentioned))),
        created_at=created,
        modified_at=max(created, moment(row, "updated_at")),
    )


def _pieces(items: Sequence[Row], shipped: Sequence[Row]) -> Iterator[Piece]:
    """Each row once. A bundle that was shipped as a whole brings its parts, also where the shop does not list them.

    Where it was shipped part by part, the shop lists its own row too, with quantity 1: there its parts count.
    """
    known = {text(item, "item_id"): item for item in items}
    quantities: dict[str, Decimal] = {}
    for row in shipped:
        line = text(row, "order_item_id")
        quantities[line] = quantities.get(line, ZERO) + number(row, "qty")
    for line, quantity in list(quantities.items()):
        parts = [item for item in items if text(item, "parent_item_id") == line]
        if text(known.get(line, {}), "product_type") != "bundle":
            continue
        of_one = {
            text(part, "item_id"): number(part, "qty_ordered") / number(known[line], "qty_ordered") for part in parts
        }
        if any(part in quantities for part in of_one):
            quantities[line] = min(quantities.get(part, ZERO) / number_ for part, number_ in of_one.items())
        else:
            quantities |= {part: quantity * number_ for part, number_ in of_one.items()}
    for line, quantity in quantities.items():
        if not quantity:
            continue
        item = known.get(line, {})
        parts_cost = any(number(part, "price") for part in items if text(part, "parent_item_id") == line)
        yield Piece(
            line=line,
            sku=text(item, "sku"),
            quantity=quantity,
            price=ZERO if parts_cost else number(item, "price"),
            parent=text(item, "parent_item_id"),
        )
