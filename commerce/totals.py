"""Does an order add up? Every rule here names the difference in money, because a person has to act on it.

  sum of line totals and line tax
+ shipping, fees and duties with their tax
- discounts
= gross total                        what is invoiced
- gift cards - store credit
= order total                        what the payments sum up to
"""

from decimal import Decimal

from commerce.money import Money, decimals_of, rounded, total
from commerce.order import Order, Payment, PaymentState


def gross_total(order: Order) -> Money:
    """What the invoice shows: all charges with tax, after discounts, before gift cards and store credit."""
    result = total((line.total + line.tax for line in order.lines), order.currency)
    if order.shipping is not None:
        result += order.shipping.amount + order.shipping.tax
    result += total((fee.amount + fee.tax for fee in order.fees), order.currency)
    result += total((duty.amount for duty in order.duties), order.currency)
    return result - total((discount.amount for discount in order.discounts), order.currency)


def tax_total(order: Order) -> Money:
    """Tax of lines, shipping and fees together."""
    result = total((line.tax for line in order.lines), order.currency)
    if order.shipping is not None:
        result += order.shipping.tax
    return result + total((fee.tax for fee in order.fees), order.currency)


def prepaid_elsewhere(order: Order) -> Money:
    """Gift cards and store credit: money the merchant has had before this order."""
    cards = total((card.amount for card in order.gift_cards), order.currency)
    return cards + order.store_credit if order.store_credit is not None else cards


def amount_due(order: Order) -> Money:
    """What is still to be paid through the payment link."""
    return total((p.amount for p in order.payments if p.state is PaymentState.DUE), order.currency)


def captured(order: Order) -> tuple[Payment, ...]:
    """The payments that the shop's own gateway has taken already."""
    return tuple(p for p in order.payments if p.state is PaymentState.CAPTURED)


def is_on_account(order: Order) -> bool:
    return any(p.state is PaymentState.ON_ACCOUNT for p in order.payments)


def on_account_total(order: Order) -> Money:
    """What the buyer pays later, by the terms."""
    return total((p.amount for p in order.payments if p.state is PaymentState.ON_ACCOUNT), order.currency)


def mismatches(order: Order) -> list[str]:
    """Every rule that the order breaks, with the difference; empty when it adds up."""
    found: list[str] = []
    for i, line in enumerate(order.lines):
        expected = rounded(line.unit_price.decimal() * line.quantity, order.currency)
        # A shop rounds the unit price to the currency; that error is at most half a minor unit for each piece.
        allowed = line.quantity / 2 + Decimal("0.5")
        off = line.total - expected
        if abs(off.minor) > allowed:
            found.append(
                f"lines[{i}] ({line.sku}): {line.quantity} x {line.unit_price} is {expected}, "
                f"but total says {line.total} (difference {off})"
            )
    off = order.total - (gross_total(order) - prepaid_elsewhere(order))
    if off:
        found.append(f"total: the parts add up to {order.total - off}, but total says {order.total} (difference {off})")
    paid = total((p.amount for p in order.payments), order.currency)
    if paid.minor != order.total.minor:
        found.append(f"payments: they sum up to {paid}, but total says {order.total} (difference {paid - order.total})")
    ids = [p.transaction_id for p in captured(order) if p.amount]
    for twice in sorted({one for one in ids if ids.count(one) > 1}):
        # A receipt is known by its transaction id: two payments under one would be booked as one.
        found.append(f"payments: transaction id {twice!r} is used more than once; every payment has its own")
    if order.taxes:
        named = total((tax.amount for tax in order.taxes), order.currency)
        off = named - tax_total(order)
        if off:
            found.append(
                f"taxes: they sum up to {named}, but lines, shipping and fees carry {tax_total(order)} "
                f"(difference {off})"
            )
    for name, amount in _never_negative(order):
        if amount.minor < 0:
            found.append(f"{name}: {amount} is negative; money taken off is a discount")
    if is_on_account(order) and amount_due(order):
        found.append(f"payments: {amount_due(order)} is due by link in an order on account; use one or the other")
    if order.base_total is None:
        return found
    if order.base_total.currency == order.currency:
        off = order.base_total - order.total
        if off:
            found.append(
                f"base_total: total is {order.total}, but base_total says {order.base_total} (difference {off})"
            )
    else:
        decimals = decimals_of(order.base_total.currency)
        converted = order.total.decimal() / order.base_rate
        # Shops convert row by row: allow one minor unit of the base currency for each row.
        slack = Decimal(len(order.lines) + 4).scaleb(-decimals)
        if abs(converted - order.base_total.decimal()) > slack:
            found.append(
                f"base_total: {order.total} at rate {order.base_rate} is {converted:.4f}, not {order.base_total}"
            )
    return found


def _never_negative(order: Order) -> list[tuple[str, Money]]:
    amounts = [("total", order.total)]
    for i, line in enumerate(order.lines):
        amounts += [(f"lines[{i}].{name}", getattr(line, name)) for name in ("unit_price", "total", "tax")]
    if order.shipping is not None:
        amounts += [("shipping.amount", order.shipping.amount), ("shipping.tax", order.shipping.tax)]
    amounts += [(f"discounts[{i}].amount", d.amount) for i, d in enumerate(order.discounts)]
    amounts += [(f"gift_cards[{i}].amount", c.amount) for i, c in enumerate(order.gift_cards)]
    amounts += [(f"payments[{i}].amount", p.amount) for i, p in enumerate(order.payments)]
    if order.store_credit is not None:
        amounts.append(("store_credit", order.store_credit))
    return amounts
