"""What the ERP's own books show of shipments, for a reconciliation: under the ERP's number, with lines and prices."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from activities.financialforce.goods import (
    Puzzling,
    Rows,
    UnknownValue,
    fulfillment_of,
    line_id,
    queries,
    rows_of,
)
from activities.financialforce.mapping import number
from activities.financialforce.orders import CANCELLED
from activities.financialforce.settings import FieldNames, FinancialForceSettings
from activities.salesforce.changed import at_path, moment
from activities.salesforce.client import SalesforceClient
from activities.salesforce.soql import chunks
from commerce.fulfillment import LEFT_THE_HOUSE, ZERO, Shipment, State
from commerce.money import Money
from commerce.statements import Piece, Statement, StatementKind, StatementState, quantities_of, worth

INTANGIBLE = "SCMC__Item_Master__r.SCMC__Intangible__c"
# All that shipments are read from: boxes and transfers change nothing about what left.
_KINDS = ("lines", "shippings", "picks")


def lines_of(order_key: str, lines: Iterable[Mapping[str, Any]], names: FieldNames) -> tuple[Piece, ...]:
    """The lines of a sales order that are the shop's, as they were ordered, with their prices."""
    return tuple(
        Piece(
            line=line,
            sku=str(at_path(row, "SCMC__Item_Master__r.Name") or ""),
            quantity=ordered_of(row, names),
            price=number(row["SCMC__Price__c"]),
        )
        for row in lines
        if (line := line_id(row, order_key, names))
    )


def ordered_of(row: Mapping[str, Any], names: FieldNames) -> Decimal:
    """What a line was about before anything of it was cancelled; of lines that people added, what it is about now."""
    return max(number(row[names.ordered_quantity]), number(row["SCMC__Quantity__c"]))


def cancelled_of(
    order_key: str, lines: Iterable[Mapping[str, Any]], names: FieldNames, *, whole: bool
) -> tuple[Piece, ...]:
    """What of the shop's lines was cancelled. `whole`: the order was, with all that had not left."""
    found = []
    for row in lines:
        line = line_id(row, order_key, names)
        kept = number(row["SCMC__Quantity__c"])
        if whole or row["SCMC__Status__c"] == CANCELLED:
            kept = number(row["SCMC__Quantity_Shipped__c"])
        gone = ordered_of(row, names) - kept
        if line and gone > 0:
            sku = str(at_path(row, "SCMC__Item_Master__r.Name") or "")
            found.append(Piece(line=line, sku=sku, quantity=gone, price=number(row["SCMC__Price__c"])))
    return tuple(found)


def unsent_of(order_key: str, lines: Sequence[Mapping[str, Any]], names: FieldNames) -> tuple[Piece, ...]:
    """What of the shop's lines may still leave the house, where the order stands."""
    gone = quantities_of(cancelled_of(order_key, lines, names, whole=False))
    sent = {line_id(row, order_key, names): number(row["SCMC__Quantity_Shipped__c"]) for row in lines}
    kept = [line for line in lines if at_path(line, INTANGIBLE) is not True]
    still = (
        piece.model_copy(update={"quantity": piece.quantity - gone.get(piece.line, ZERO) - sent[piece.line]})
        for piece in lines_of(order_key, kept, names)
    )
    return tuple(piece for piece in still if piece.quantity > 0)


async def shipments_of(
    client: SalesforceClient, orders: Sequence[Statement], settings: FinancialForceSettings, *, tried: str
) -> list[Statement]:
    """Every shipment of these sales orders. Those of an order that cannot be made out are there and do not count."""
    found: list[Statement] = []
    by_key = {order.key: order for order in orders}
    for portion in chunks(by_key):
        asked = {kind: soql for kind, soql in queries(portion, settings).items() if kind in _KINDS}
        answer = await client.query_many(asked, tried=tried)
        for key in portion:
            rows = rows_of(key, answer, settings.fields)
            if rows.lines and rows.shippings:
                found += _statements(by_key[key], rows, settings)
    return found


def _statements(order: Statement, rows: Rows, settings: FinancialForceSettings) -> list[Statement]:
    try:
        shipments = {each.id: each for each in fulfillment_of(order.key, rows, settings).shipments}
    except (UnknownValue, Puzzling):
        shipments = {}  # the order's run parks with what is unknown; what it shipped cannot be told until then
    found = []
    for row in rows.shippings:
        shipment = shipments.get(row["Id"])
        goods = _goods(order, shipment)
        if shipment is not None and not goods:
            continue  # what people added at the ERP is not the shop's goods
        changed = moment(row["SystemModstamp"])
        left_at = shipment.dispatched_at if shipment is not None else None
        found.append(
            Statement(
                kind=StatementKind.SHIPMENT,
                system=order.system,
                key=order.key,
                id=str(row["Id"]),
                number=str(row["Name"]),
                item=str(row["Name"]),
                amount=worth(goods, order.amount.currency) if goods else Money.zero(order.amount.currency),
                state=_state(shipment),
                status=str(row["SCMC__Status__c"] or ""),
                goods=goods,
                created_at=left_at or changed,
                modified_at=changed,
            )
        )
    return found


def _goods(order: Statement, shipment: Shipment | None) -> tuple[Piece, ...]:
    prices = {piece.line: piece.price for piece in order.goods}
    return tuple(
        Piece(line=each.line, sku=each.sku, quantity=each.quantity, price=prices[each.line])
        for each in (shipment.portions if shipment is not None else ())
        if each.line in prices
    )


def _state(shipment: Shipment | None) -> StatementState:
    if shipment is not None and shipment.state in LEFT_THE_HOUSE:
        return StatementState.LIVE
    is_cancelled = shipment is not None and shipment.state is State.CANCELLED
    return StatementState.CANCELED if is_cancelled else StatementState.PENDING
