"""A basket as an order that adds up to the minor unit. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Literal, NamedTuple

from cli.demo.catalog import BASE_CURRENCY, BUNDLE, FINEST_DECIMALS, PARTS, SHIRT, Article, Buyer, Shop
from commerce.money import Money, decimals_of, rounded, total
from commerce.order import (
    Channel,
    Discount,
    DiscountLevel,
    Duty,
    Fee,
    GiftCard,
    Line,
    Order,
    Payment,
    PaymentState,
    Shipping,
    Tax,
)

HUNDRED = Decimal(100)


@dataclass(frozen=True)
class Wish:
    """What a buyer puts together. Charges are in the base currency, gift card and store credit in percent."""

    buyer: Buyer
    basket: tuple[tuple[Article, int], ...]
    shirts: tuple[tuple[Article, int], ...] = ()
    bundles: int = 0
    shipping: Decimal = Decimal("4.90")
    line_discount_percent: int = 0
    order_discount: Decimal = Decimal(0)
    shipping_discount: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    duty: Decimal = Decimal(0)
    gift_card_percent: int = 0
    store_credit_percent: int = 0
    pay: PaymentState = PaymentState.DUE
    channel: Channel | None = None
    note: str = ""


def order_of(wish: Wish, number: str, placed_at: datetime) -> Order:
    """The order; `mismatches` finds nothing in it."""
    shop = wish.buyer.shop
    lines, discounts = _lines(wish)
    shipping, shipping_discounts = _shipping(wish)
    fees = _fees(wish)
    duties = (
        (Duty(code="IMPORT", title="Import duty", amount=shop.price(wish.duty), tariff_number="9405.21"),)
        if wish.duty
        else ()
    )
    discounts = (*discounts, *shipping_discounts)
    taxes = [line.tax for line in lines] + [shipping.tax] + [fee.tax for fee in fees]
    tax = total(taxes, shop.currency)
    charges = [line.total for line in lines] + [shipping.amount, *(f.amount for f in fees), *(d.amount for d in duties)]
    gross = total(charges, shop.currency) + tax - total((d.amount for d in discounts), shop.currency)
    card = _share(gross, wish.gift_card_percent)
    credit = _share(gross, wish.store_credit_percent)
    due = gross - card - credit
    return Order(
        store=shop.code,
        number=number,
        placed_at=placed_at,
        currency=shop.currency,
        base_currency=BASE_CURRENCY,
        base_rate=shop.rate,
        base_total=rounded(due.decimal() / shop.rate, BASE_CURRENCY),
        total=due,
        customer=wish.buyer.customer,
        billing=wish.buyer.address,
        delivery=wish.buyer.address,
        lines=lines,
        shipping=shipping,
        fees=fees,
        taxes=_taxes(shop, tax, number),
        duties=duties,
        discounts=discounts,
        gift_cards=(GiftCard(code=f"GIFT-{number}", amount=card),) if card else (),
        store_credit=credit or None,
        payments=_payments(wish, due, number, placed_at),
        channel=wish.channel,
        language=shop.language,
        note=wish.note,
    )


class _Row(NamedTuple):
    sku: str
    name: str
    quantity: int
    price: Money
    kind: Literal["simple", "configurable", "bundle"] = "simple"
    parent: str | None = None

    @property
    def total(self) -> Money:
        return Money(minor=self.price.minor * self.quantity, currency=self.price.currency)


def _rows(wish: Wish) -> list[_Row]:
    """As a shop sends them: a configurable's row has the price and the variant's SKU, its child has no money."""
    shop = wish.buyer.shop
    zero = Money.zero(shop.currency)
    rows = [_Row(article.sku, article.name, quantity, shop.price(article.eur)) for article, quantity in wish.basket]
    for variant, quantity in wish.shirts:
        parent = str(len(rows) + 1)
        rows.append(_Row(variant.sku, SHIRT, quantity, shop.price(variant.eur), "configurable"))
        rows.append(_Row(variant.sku, variant.name, quantity, zero, parent=parent))
    if wish.bundles:
        parent = str(len(rows) + 1)
        rows.append(_Row(BUNDLE.sku, BUNDLE.name, wish.bundles, zero, "bundle"))
        rows += [_Row(part.sku, part.name, wish.bundles, shop.price(part.eur), parent=parent) for part in PARTS]
    return rows


def _lines(wish: Wish) -> tuple[tuple[Line, ...], tuple[Discount, ...]]:
    """The rows with their line discounts, and the order's discount; tax is on what is left after both."""
    shop, rows = wish.buyer.shop, _rows(wish)
    totals = [row.total for row in rows]
    row_off = _share(totals[0], wish.line_discount_percent)
    order_off = min(shop.price(wish.order_discount), _share(total(totals, shop.currency), 50))
    taxed = [amount.decimal() - part for amount, part in zip(totals, _spread(order_off, totals), strict=True)]
    taxed[0] -= row_off.decimal()
    lines = tuple(
        Line(
            id=str(i),
            sku=row.sku,
            name=row.name,
            quantity=Decimal(row.quantity),
            unit_price=row.price,
            total=row.total,
            tax=_tax(shop, base),
            tax_percent=shop.tax_percent if row.price else Decimal(0),
            kind=row.kind,
            parent=row.parent,
        )
        for i, (row, base) in enumerate(zip(rows, taxed, strict=True), 1)
    )
    line_discount = Discount(level=DiscountLevel.LINE, amount=row_off, code="ROW", title="Row discount", line="1")
    order_discount = Discount(level=DiscountLevel.ORDER, amount=order_off, code="WELCOME", title="Willkommen ❄")
    return lines, tuple(discount for discount in (line_discount, order_discount) if discount.amount)


def _shipping(wish: Wish) -> tuple[Shipping, tuple[Discount, ...]]:
    shop = wish.buyer.shop
    amount = shop.price(wish.shipping)
    off = min(shop.price(wish.shipping_discount), amount)
    tax = _tax(shop, (amount - off).decimal())
    shipping = Shipping(method="dhl_paket", title="DHL Paket", amount=amount, tax=tax, tax_percent=shop.tax_percent)
    discount = Discount(level=DiscountLevel.SHIPPING, amount=off, code="SHIP", title="Shipping discount")
    return shipping, (discount,) if off else ()


def _fees(wish: Wish) -> tuple[Fee, ...]:
    if not wish.fee:
        return ()
    shop = wish.buyer.shop
    amount = shop.price(wish.fee)
    tax = _tax(shop, amount.decimal())
    return (Fee(code="GIFT-WRAP", title="Geschenkpapier 🎁", amount=amount, tax=tax, tax_percent=shop.tax_percent),)


def _taxes(shop: Shop, tax: Money, number: str) -> tuple[Tax, ...]:
    """The tax service's view: one entry for each tax, the last one takes the rounding."""
    named: list[Tax] = []
    left = tax
    for i, (code, percent) in enumerate(shop.tax_parts):
        last = i == len(shop.tax_parts) - 1
        amount = left if last else rounded(tax.decimal() * percent / shop.tax_percent, shop.currency)
        left -= amount
        named.append(
            Tax(
                code=code, percent=percent, amount=amount, transaction_id=f"TX-{number}", document_id=f"TD-{number}-{i}"
            )
        )
    return tuple(named)


def _payments(wish: Wish, due: Money, number: str, placed_at: datetime) -> tuple[Payment, ...]:
    if wish.pay is PaymentState.ON_ACCOUNT:
        return (Payment(method="purchaseorder", amount=due, state=wish.pay, purchase_order=f"PO-{number}"),)
    if wish.pay is PaymentState.DUE:
        return (Payment(method="juston", amount=due, state=wish.pay),)
    first = _share(due, 60)
    return tuple(
        Payment(
            method=method,
            amount=amount,
            state=wish.pay,
            gateway=method,
            transaction_id=f"{method}-{number}",
            paid_at=placed_at,
        )
        for method, amount in (("adyen", first), ("paypal", due - first))
    )


def _tax(shop: Shop, base: Decimal) -> Money:
    return rounded(base * shop.tax_percent / HUNDRED, shop.currency)


def _share(amount: Money, percent: int) -> Money:
    """A part of an amount, rounded down to what every system can hold."""
    decimals = min(decimals_of(amount.currency), FINEST_DECIMALS)
    part = (amount.decimal() * percent / HUNDRED).quantize(Decimal(1).scaleb(-decimals), ROUND_DOWN)
    return rounded(part, amount.currency)


def _spread(amount: Money, over: Sequence[Money]) -> list[Decimal]:
    """An order's discount over its rows, for their tax only."""
    whole = sum((part.minor for part in over), 0)
    return [amount.decimal() * part.minor / whole if whole else Decimal(0) for part in over]
