"""What the books must show for an order, from the order alone. Pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from cli.demo.books import Document
from cli.demo.orders import Fate, Planned
from commerce.money import rounded
from commerce.order import PaymentState
from commerce.totals import amount_due, captured, gross_total, is_on_account


@dataclass(frozen=True)
class Expected:
    """Amounts in minor units. `total`: what is paid; `gross`: what is booked and invoiced; `due`: paid by link.

    `captured`: amount by transaction id of what the shop's own gateway took. `goods`: what must leave the house,
    quantity by SKU.
    """

    key: str
    title: str
    fate: Fate
    currency: str
    total: int
    gross: int
    due: int
    captured: tuple[tuple[str, int], ...] = ()
    on_account: bool = False
    in_shop: bool = False
    goods: Mapping[str, Decimal] = field(default_factory=dict)


def expected_of(planned: Planned, key: str, shop_row: Document | None, shop_payments: tuple[Document, ...]) -> Expected:
    """`shop_row`: the order in the shop's books, for one that was placed there."""
    order = planned.order
    if order is not None:
        return Expected(
            key=key,
            title=planned.title,
            fate=planned.fate,
            currency=order.currency,
            total=order.total.minor,
            gross=gross_total(order).minor,
            due=amount_due(order).minor,
            captured=tuple((payment.transaction_id, payment.amount.minor) for payment in captured(order)),
            on_account=is_on_account(order),
            goods=planned.goods,
        )
    if shop_row is None or planned.shop_order is None:
        raise ValueError(f"{key} is not in the shop's books")
    total, currency = int(shop_row["total_minor"]), str(shop_row["currency"])
    card = rounded(Decimal(planned.shop_order.get("gift_card", 0)), currency).minor
    taken = tuple((str(p["number"]), int(p["total_minor"])) for p in shop_payments if p["key"] == key)
    on_account = planned.payment is PaymentState.ON_ACCOUNT
    return Expected(
        key=key,
        title=planned.title,
        fate=planned.fate,
        currency=currency,
        total=total,
        gross=total + card,
        due=total if planned.by_link else 0,
        captured=taken,
        on_account=on_account,
        in_shop=True,
        goods=planned.goods,
    )
