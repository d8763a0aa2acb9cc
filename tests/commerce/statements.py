"""Documents of one order as the systems state them, for tests that compare them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from commerce.money import Money
from commerce.reconciliation import Difference, compare
from commerce.statements import Piece, Statement, StatementKind, StatementState

K, S = StatementKind, StatementState
AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
KEY = "de:1001"


def statement(kind: StatementKind, minor: int = 9984, state: StatementState = S.LIVE, **more: Any) -> Statement:
    fields: dict[str, Any] = {
        "kind": kind,
        "system": "somewhere",
        "key": KEY,
        "id": f"{kind}-1",
        "amount": {"minor": minor, "currency": "EUR"},
        "state": state,
        "created_at": AT,
        "modified_at": AT,
    }
    return Statement.model_validate(fields | more)


def piece(line: str, quantity: int, price: str, parent: str = "") -> Piece:
    return Piece(line=line, sku=f"SKU-{line}", quantity=Decimal(quantity), price=Decimal(price), parent=parent)


# An order in the shop with everything that belongs to it.
WHOLE = (
    statement(K.SHOP_ORDER),
    statement(K.SALES_ORDER),
    statement(K.PAYMENT, item="tx-1"),
    statement(K.RECEIPT, item="tx-1"),
    statement(K.BILLING_ORDER),
    statement(K.INVOICE),
    statement(K.SHOP_INVOICE),
    statement(K.ENTRY),
    statement(K.SETTLEMENT),
    statement(K.SHIPMENT, item="SH-1"),
    statement(K.SHOP_SHIPMENT, item="SH-1"),
)


def found(*statements: Statement) -> list[str]:
    return [
        f"{one.pair}: {one.kind}{f' in {one.side}' if one.side else ''} {one.amount}"
        for compared in compare(KEY, statements)
        for one in compared.differences
    ]


def without(*kinds: StatementKind) -> list[Statement]:
    return [one for one in WHOLE if one.kind not in kinds]


def invoiced(currency: str) -> list[Statement]:
    amount = Money(minor=9984, currency=currency)
    return [statement(K.INVOICE, amount=amount), statement(K.SHOP_INVOICE, amount=amount)]


# A lamp, and a set that the ERP ships in parts; the shop shows the set above them and a variant below its article.
BOOKED = statement(K.SALES_ORDER, goods=[piece("1", 3, "39.50"), piece("2", 2, "10.00"), piece("3", 4, "5.00")])
IN_SHOP = (statement(K.SHOP_ORDER), BOOKED)
LEFT = statement(
    K.SHIPMENT, 10900, item="SH-1", goods=[piece("1", 2, "39.50"), piece("2", 1, "10.00"), piece("3", 4, "5.00")]
)
SHOWN = [
    piece("1", 2, "41.99"),
    piece("11", 2, "0", parent="1"),
    piece("2", 1, "9"),
    piece("9", 1, "19"),
    piece("3", 4, "4"),
]
SHOWN = [each if each.line not in "23" else each.model_copy(update={"parent": "9"}) for each in SHOWN]


def shipped(*goods: Piece, **more: Any) -> Statement:
    return statement(K.SHOP_SHIPMENT, 1, goods=goods or SHOWN, **{"item": "SH-1", "names": ["SH-1"], **more})


def goods_found(*statements: Statement) -> list[str]:
    return [line for line in found(*IN_SHOP, *statements) if line.startswith("shipments")]


def difference(*statements: Statement, pair: str = "orders") -> Difference:
    [one] = [each for c in compare(KEY, statements) for each in c.differences if c.pair.name == pair]
    return one


MISSING = difference(statement(K.SHOP_ORDER))
