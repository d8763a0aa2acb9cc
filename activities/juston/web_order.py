"""The record that JustOn's invoice run bills: an order as its lines, payments and expected total. Pure functions.

The run computes per line `net = round(quantity x unit price)` and `tax = round(net x rate / 100)`, half up, to the
currency's decimals; a `Tax Delta` line adds its price to the tax. The lines made here come out at the order's gross
total to the minor unit: every net is met exactly, and the delta carries what the shop's tax differs from the rates'.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any
from urllib.parse import quote as percent

from activities.juston.mapping import EMAIL, relation
from activities.juston.settings import BillingFields, JustOnSettings
from activities.roles import EnsureBillingOrder
from activities.salesforce.wire import Sub
from commerce.money import Money, rounded, total
from commerce.order import Discount, DiscountLevel, Line, Order
from commerce.text import DoesNotFit, Limit, Unit, require, shorten
from commerce.totals import gross_total, tax_total

ORDER_KEY = Limit(field="Web_Order__c.Magento_Order_Id__c", size=255, unit=Unit.UTF16)
LINE_KEY = Limit(field="Web_Order_Line__c.Line_Key__c", size=255, unit=Unit.UTF16)
TITLE = Limit(field="Web_Order_Line__c.ON_Title__c", size=255, unit=Unit.UTF16)
REFERENCE = Limit(field="Web_Order__c.PP_Reference__c", size=255, unit=Unit.UTF16)
# Digits after the point of ON_UnitPrice__c, ON_Quantity__c and ON_TaxRate__c; before the point of the first two.
PRICE_STEP = Decimal("0.000000001")
QUANTITY_STEP = Decimal("0.000001")
RATE_STEP = Decimal("0.00001")
MOST = Decimal(10) ** 12

PRODUCT, SHIPPING, HANDLING, TAX_DELTA = "Product", "Shipping Fees", "Handling Fees", "Tax Delta"


@dataclass(frozen=True)
class BillLine:
    """One line as the invoice run will read it. `price` is net, negative for a discount."""

    key: str
    title: str
    description: str
    quantity: Decimal
    price: Decimal
    rate: Decimal
    type: str

    def net(self, currency: str) -> Money:
        return Money.zero(currency) if self.type == TAX_DELTA else rounded(self.quantity * self.price, currency)

    def tax(self, currency: str) -> Money:
        if self.type == TAX_DELTA:
            return rounded(self.quantity * self.price, currency)
        return rounded(self.net(currency).decimal() * self.rate / 100, currency)


@dataclass(frozen=True)
class WebOrder:
    """Everything that is written, and compared with what is there."""

    key: str
    account: str
    currency: str
    service_date: str
    email: str
    entry_key: str
    expected_total: Money
    gift_cards: Money
    store_credit: Money
    gateway: Money
    reference: str
    lines: tuple[BillLine, ...]


def web_order(task: EnsureBillingOrder, settings: JustOnSettings) -> WebOrder:
    """Raises DoesNotFit for a value that has no room."""
    order = task.order
    zero = Money.zero(order.currency)
    return WebOrder(
        key=require(order.key, ORDER_KEY),
        account=task.customer.key if settings.account_by == "key" else task.customer.id,
        currency=order.currency,
        service_date=order.placed_at.date().isoformat(),
        email=require(order.customer.email, EMAIL),
        entry_key=task.entry_key,
        expected_total=gross_total(order),
        gift_cards=total((card.amount for card in order.gift_cards), order.currency),
        store_credit=order.store_credit or zero,
        gateway=total((payment.amount for payment in task.already_paid), order.currency),
        reference=_references(task),
        lines=bill_lines(order, settings),
    )


def bill_lines(order: Order, settings: JustOnSettings) -> tuple[BillLine, ...]:
    """The order's lines, charges and discounts, and the tax delta where the shop's tax is not what the rates give."""
    lines = [_goods(order, line) for line in order.lines if not stands_behind_parent(line)]
    if order.shipping is not None and (order.shipping.amount or order.shipping.tax):
        title = order.shipping.title or settings.shipping_title
        amount, rate = order.shipping.amount, order.shipping.tax_percent
        lines.append(_charge(order, "shipping", 1, title, order.shipping.method, amount, rate, SHIPPING))
    for i, fee in enumerate(order.fees, 1):
        title = fee.title or fee.code
        lines.append(_charge(order, "fee", i, title, fee.code, fee.amount, fee.tax_percent, HANDLING))
    for i, duty in enumerate(order.duties, 1):
        about = " ".join(part for part in (duty.code, duty.tariff_number, duty.country_of_origin) if part)
        lines.append(_charge(order, "duty", i, duty.title or duty.code, about, duty.amount, Decimal(0), HANDLING))
    for i, discount in enumerate(order.discounts, 1):
        title = discount.title or settings.discount_title
        rate = _discount_rate(order, discount)
        lines.append(_charge(order, "discount", i, title, discount.code, -discount.amount, rate, PRODUCT))
    delta = tax_total(order) - total((line.tax(order.currency) for line in lines), order.currency)
    if delta:
        lines.append(_charge(order, "tax-delta", 1, settings.tax_title, "", delta, Decimal(0), TAX_DELTA))
    return tuple(lines)


def stands_behind_parent(line: Line) -> bool:
    """A configurable's or bundle's row without money: its parent stands for it on the invoice."""
    return line.parent is not None and not line.total and not line.tax


def invoice_total(lines: tuple[BillLine, ...], currency: str) -> Money:
    """What the invoice run will make of the lines."""
    return total((line.net(currency) + line.tax(currency) for line in lines), currency)


def unit_price(line: Line) -> Decimal:
    """The net price of one, with nine decimals at most, whose product with the quantity rounds to the line's total.

    The shop's own unit price where it does; it may be rounded there, and the total is what was charged.
    """
    currency = line.total.currency
    given = line.unit_price.decimal()
    if rounded(given * line.quantity, currency) == line.total:
        return given
    with localcontext(prec=50):
        price = (line.total.decimal() / line.quantity).quantize(PRICE_STEP, ROUND_HALF_UP)
    if rounded(price * line.quantity, currency) != line.total:
        raise DoesNotFit(
            f"Web_Order_Line__c.ON_UnitPrice__c: no price of nine decimals times {line.quantity} gives {line.total}"
        )
    return price


def _goods(order: Order, line: Line) -> BillLine:
    if line.quantity >= MOST or abs(unit_price(line)) >= MOST:
        raise DoesNotFit(f"line {line.id}: quantity or price has more than 12 digits before the point")
    return BillLine(
        key=require(f"{order.key}:{line.id}", LINE_KEY),
        title=shorten(line.name, TITLE),
        description=line.sku,
        quantity=line.quantity.quantize(QUANTITY_STEP),
        price=unit_price(line),
        rate=_rate(line.tax_percent),
        type=PRODUCT,
    )


def _charge(
    order: Order, part: str, place: int, title: str, about: str, amount: Money, rate: Decimal, type: str
) -> BillLine:
    # A line's own id holds no colon: the key of a charge can never be a line's.
    return BillLine(
        key=require(f"{order.key}:{part}:{place}", LINE_KEY),
        title=shorten(title, TITLE),
        description=about,
        quantity=Decimal(1),
        price=amount.decimal(),
        rate=_rate(rate),
        type=type,
    )


def _rate(percent: Decimal) -> Decimal:
    return percent.quantize(RATE_STEP, ROUND_HALF_UP)


def _discount_rate(order: Order, discount: Discount) -> Decimal:
    """The rate of what is discounted, so that the tax delta stays small; none where several rates are."""
    if discount.level is DiscountLevel.LINE:
        return next(line.tax_percent for line in order.lines if line.id == discount.line)
    if discount.level is DiscountLevel.SHIPPING:
        return order.shipping.tax_percent if order.shipping is not None else Decimal(0)
    rates = {line.tax_percent for line in order.lines if not stands_behind_parent(line)}
    return rates.pop() if len(rates) == 1 else Decimal(0)


def _references(task: EnsureBillingOrder) -> str:
    """References of the money taken elsewhere; whole ones only, the rest counted. A gift card is named by its end."""
    found = [f"{p.gateway or p.method} {p.transaction_id}".strip() for p in task.already_paid]
    found += [f"gift card …{card.code[-4:]}" for card in task.order.gift_cards]
    text = ""
    for i, reference in enumerate(found):
        longer = f"{text}; {reference}" if text else reference
        rest = len(found) - i - 1
        try:
            require(longer + (f"; +{rest}" if rest else ""), REFERENCE)
        except DoesNotFit:
            return f"{text}; +{rest + 1}" if text else shorten(reference, REFERENCE)
        text = longer
    return text


# ---- to the org and back ---------------------------------------------------------------------------------------------


def order_body(wanted: WebOrder, settings: JustOnSettings) -> dict[str, Any]:
    fields = settings.fields.billing
    body: dict[str, Any] = {
        fields.service_date: wanted.service_date,
        fields.email: wanted.email,
        fields.expected_total: wanted.expected_total.decimal(),
    }
    if settings.account_by == "key":
        body[relation(fields.account)] = {fields.account_key: wanted.account}
    else:
        body[fields.account] = wanted.account
    if not settings.single_currency:
        body["CurrencyIsoCode"] = wanted.currency
    if wanted.entry_key:
        body[fields.entry_key] = wanted.entry_key
    for field, amount in _prepaid(wanted, fields).items():
        if amount:
            body[field] = amount.decimal()
    if wanted.reference:
        body[fields.prepaid_reference] = wanted.reference
    return body


def line_body(line: BillLine, sort: int, fields: BillingFields, order_id: str) -> dict[str, Any]:
    return {
        fields.line_order: order_id,
        fields.line_title: line.title,
        fields.line_description: line.description,
        fields.line_quantity: line.quantity,
        fields.line_price: line.price,
        fields.line_tax_rate: line.rate,
        fields.line_type: line.type,
        fields.line_sort: sort,
    }


def write_parts(wanted: WebOrder, settings: JustOnSettings) -> list[Sub]:
    """The order and its lines as parts of one all-or-nothing request."""
    fields = settings.fields.billing
    path = f"/sobjects/{fields.order}/{fields.order_key}/{percent(wanted.key, safe='')}"
    parts = [Sub("PATCH", path, "order", order_body(wanted, settings))]
    for i, line in enumerate(wanted.lines, 1):
        path = f"/sobjects/{fields.line}/{fields.line_key}/{percent(line.key, safe='')}"
        parts.append(Sub("PATCH", path, f"line{i}", line_body(line, i, fields, "@{order.id}")))
    return parts


def differences(
    wanted: WebOrder, row: Mapping[str, Any], lines: list[dict[str, Any]], settings: JustOnSettings
) -> list[str]:
    """Where the order in the org is not the one that is wanted, with both values. Texts for people are not compared."""
    fields = settings.fields.billing
    there: dict[str, Any] = {
        fields.order_key: row.get(fields.order_key),
        fields.entry_key: row.get(fields.entry_key) or "",
    }
    want: dict[str, Any] = {fields.order_key: wanted.key, fields.entry_key: wanted.entry_key}
    if settings.account_by == "key":
        account = row.get(relation(fields.account))
        there[fields.account] = account.get(fields.account_key) if account else None
        want[fields.account] = wanted.account
    else:
        there[fields.account], want[fields.account] = str(row.get(fields.account) or "")[:15], wanted.account[:15]
    there["currency"], want["currency"] = settings.single_currency or row.get("CurrencyIsoCode"), wanted.currency
    for field, amount in {fields.expected_total: wanted.expected_total, **_prepaid(wanted, fields)}.items():
        there[field], want[field] = _number(row.get(field)), amount.decimal()
    found = [f"{name} is {there[name]}, wanted {want[name]}" for name in want if there[name] != want[name]]
    by_key = {str(line.get(fields.line_key)): line for line in lines}
    keys = [line.key for line in wanted.lines]
    found += [f"line {key} is not there" for key in keys if key not in by_key]
    found += [f"line {key} is there, but not in the order" for key in by_key if key not in keys]
    for line in wanted.lines:
        known = by_key.get(line.key)
        if known is None:
            continue
        numbers = {
            fields.line_quantity: line.quantity,
            fields.line_price: line.price,
            fields.line_tax_rate: line.rate,
        }
        found += [
            f"line {line.key}: {field} is {_number(known.get(field))}, wanted {value}"
            for field, value in numbers.items()
            if _number(known.get(field)) != value
        ]
        if known.get(fields.line_type) != line.type:
            found.append(f"line {line.key}: {fields.line_type} is {known.get(fields.line_type)}, wanted {line.type}")
    return found


def _prepaid(wanted: WebOrder, fields: BillingFields) -> dict[str, Money]:
    return {
        fields.gift_cards: wanted.gift_cards,
        fields.store_credit: wanted.store_credit,
        fields.gateway: wanted.gateway,
    }


def _number(value: Any) -> Any:
    """An empty number field means nothing was paid or charged."""
    return Decimal(0) if value is None else value
