"""How a shop's order is paid: by our link, by the shop's own gateway, or on account."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from activities.magento.fields import Unmappable, group, money, rows, text
from activities.magento.settings import MagentoSettings
from commerce.money import Money
from commerce.order import Payment, PaymentState


def payments_of(order: Mapping[str, Any], grand_total: Money, settings: MagentoSettings) -> tuple[Payment, ...]:
    """The payments of an order. Raises Unmappable for a method without a meaning, or money that is not taken yet."""
    payment = group(order, "payment")
    method = text(payment, "method")
    if not method:
        raise Unmappable("payment: the order has no payment method")
    parts = _parts(order, grand_total.currency, settings)
    if parts:
        return parts
    state = PaymentState(settings.payment_methods.get(method, "captured"))
    if state is not PaymentState.CAPTURED:
        purchase_order = text(payment, "po_number")
        return (Payment(method=method, amount=grand_total, state=state, purchase_order=purchase_order),)
    return (_captured(payment, method, grand_total, named=method in settings.payment_methods),)


def _captured(payment: Mapping[str, Any], method: str, grand_total: Money, *, named: bool) -> Payment:
    paid = money(payment, "amount_paid", grand_total.currency)
    transaction = text(payment, "last_trans_id")
    if grand_total and (not paid or not transaction):
        hint = "" if named else f"; if {method} is not a gateway, give it a meaning in payment_methods"
        raise Unmappable(
            f"payment: {method} shows {paid} of {grand_total} taken and "
            f"{'a' if transaction else 'no'} transaction id; it is read again when the shop has captured it{hint}"
        )
    return Payment(method=method, amount=paid, state=PaymentState.CAPTURED, gateway=method, transaction_id=transaction)


def _parts(order: Mapping[str, Any], currency: str, settings: MagentoSettings) -> tuple[Payment, ...]:
    """An order's money taken in several parts, where the gateway's extension names them."""
    extension = group(order, "extension_attributes")
    for entry in rows(extension, "payment_additional_info"):
        if text(entry, "key") != settings.split_payments_key:
            continue
        try:
            listed = json.loads(text(entry, "value"), parse_float=Decimal)
        except ValueError as err:
            raise Unmappable(f"payment: {settings.split_payments_key} is not JSON") from err
        parts = rows({"parts": listed}, "parts")
        if not parts:
            raise Unmappable(f"payment: {settings.split_payments_key} is not a list of payments")
        return tuple(_part(part, currency, settings) for part in parts)
    return ()


def _part(part: Mapping[str, Any], currency: str, settings: MagentoSettings) -> Payment:
    method = text(part, "method")
    state = PaymentState(settings.payment_methods.get(method, "captured"))
    transaction = text(part, "transaction_id")
    if not method or (state is PaymentState.CAPTURED and not transaction):
        raise Unmappable(f"payment: a part of {settings.split_payments_key} lacks its method or transaction id")
    return Payment(
        method=method,
        amount=money(part, "amount", currency),
        state=state,
        gateway=method if state is PaymentState.CAPTURED else "",
        transaction_id=transaction,
    )
