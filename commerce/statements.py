"""One document as its own system shows it: what is compared, and how goods and money of several are added up."""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator

from commerce.model import Model, UtcDatetime
from commerce.money import Money, rounded, total

PORTAL = "portal"  # the system of an order that a portal placed: what was accepted stands for the shop's side
Plain = Annotated[Decimal, AfterValidator(lambda value: Decimal(format(value.normalize(), "f")))]


class StatementKind(StrEnum):
    SHOP_ORDER = "shop order"
    SALES_ORDER = "sales order"
    PAYMENT = "payment"
    RECEIPT = "cash receipt"
    REFUND = "refund"
    CASH_REFUND = "cash refund"
    BILLING_ORDER = "billing order"
    INVOICE = "invoice"
    SHOP_INVOICE = "shop invoice"
    ENTRY = "payment entry"
    SETTLEMENT = "settled invoice"
    SHIPMENT = "shipment"
    SHOP_SHIPMENT = "shop shipment"


class StatementState(StrEnum):
    """`live` counts; `pending` is there but does not count yet (a draft, an open entry); `canceled` counts no more."""

    LIVE = "live"
    PENDING = "pending"
    CANCELED = "canceled"


class Piece(Model):
    """A quantity of one order line. `price`: of one, without tax. `parent`: the row that this one goes with."""

    line: str
    sku: str
    quantity: Plain
    price: Plain
    parent: str = ""


class Statement(Model):
    """One document as its system shows it. `key` is the order's; `item` tells payments or shipments of one order apart.

    `amount` is never negative; what goes out has a kind of its own. `status` is the system's own word. `on_account`:
    a shop order that is paid by terms. `keyed`: it carries our key; else it was made by hand and only names the order.
    `goods`: of shipments, and all lines of a sales order as they were ordered. Of orders, whose amount is that of the
    day they were placed: `canceled`, what was cancelled later, `refunded`, what the shop gave back, `unsent`, what may
    still leave the house. `names`: numbers that its text mentions, of which one may be the other side's.
    """

    kind: StatementKind
    system: str
    key: str
    id: str
    number: str = ""
    item: str = ""
    amount: Money
    state: StatementState
    status: str = ""
    on_account: bool = False
    keyed: bool = True
    goods: tuple[Piece, ...] = ()
    canceled: tuple[Piece, ...] = ()
    refunded: tuple[Piece, ...] = ()
    unsent: tuple[Piece, ...] = ()
    names: tuple[str, ...] = ()
    created_at: UtcDatetime
    modified_at: UtcDatetime


def worth(goods: Iterable[Piece], currency: str) -> Money:
    """Quantity by price, each line rounded once, however many pieces it came in."""
    prices = {piece.line: piece.price for piece in goods}
    amounts = (rounded(number * prices[line], currency) for line, number in quantities_of(goods).items())
    return total(amounts, currency)


def quantities_of(goods: Iterable[Piece]) -> dict[str, Decimal]:
    """Quantity by line, without lines of which there is nothing."""
    found: dict[str, Decimal] = {}
    for piece in goods:
        found[piece.line] = found.get(piece.line, Decimal(0)) + piece.quantity
    return {line: number for line, number in found.items() if number}


def sums_of(statements: Iterable[Statement]) -> dict[str, int]:
    """Minor units by currency."""
    found: dict[str, int] = {}
    for one in statements:
        found[one.amount.currency] = found.get(one.amount.currency, 0) + one.amount.minor
    return found
