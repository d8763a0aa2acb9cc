"""Refunds: Prepared -> Approved -> Paid out (or Rejected). A payout lowers the entry items, never below zero."""

from decimal import Decimal

from sandbox.salesforce.org import Org
from sandbox.salesforce.packages.cash_money import ZERO, money
from sandbox.salesforce.packages.cash_objects import COLLECTED, ITEM, NOTIFICATION, PAYMENT, REFUND
from sandbox.salesforce.packages.cash_payments import CannotPay, assign, event_number, payments_of, settle
from sandbox.salesforce.packages.cash_settings import current
from sandbox.salesforce.schema import Doc

PAYOUT_JOB = "juston.payout"


def refundable(org: Org, entry_id: str) -> Decimal:
    """What was collected for the entry and is neither refunded nor promised to be."""
    there = sum((_left(payment) for payment in payments_of(org, entry_id)), ZERO)
    promised = [
        refund
        for refund in org.find(REFUND, "JPAY1__Entry__c", entry_id)
        if refund["JPAY1__Status__c"] in ("Prepared", "Approved")
    ]
    return there - sum((money(refund["JPAY1__Amount__c"]) for refund in promised), ZERO)


def prepare(org: Org, entry: Doc, amount: Decimal, reason: str) -> str:
    """Plan a refund and return its id; raises CannotPay when nothing or not that much can be refunded."""
    available = refundable(org, entry["Id"])
    if available <= 0:
        raise CannotPay(f"entry {entry['Name']} has no collected payment that is left to refund")
    if not 0 < amount <= available:
        raise CannotPay(f"amount: {amount} is not above 0 and at most {available}")
    payment = next(payment for payment in payments_of(org, entry["Id"]) if _left(payment) > 0)
    values = {
        "JPAY1__Entry__c": entry["Id"],
        "JPAY1__Payment__c": payment["Id"],
        "JPAY1__Amount__c": amount,
        "JPAY1__Reason__c": reason,
        "CurrencyIsoCode": entry["CurrencyIsoCode"],
    }
    return org.create(REFUND, values, system=True)


def approve(org: Org, refund_id: str) -> None:
    """Release a prepared refund; the provider pays it out a little later."""
    refund = org.existing(org.schema(REFUND), refund_id)
    if refund["JPAY1__Status__c"] != "Prepared":
        raise CannotPay(f"refund {refund['Name']} is {refund['JPAY1__Status__c']}, not Prepared")
    org.update(REFUND, refund_id, {"JPAY1__Status__c": "Approved"}, system=True)
    org.schedule(PAYOUT_JOB, current(org.store).refund_delay_ms / 1000, {"refund": refund_id})


def reject(org: Org, refund_id: str, reason: str) -> None:
    """The provider or a person refuses a refund that is not paid out yet."""
    refund = org.existing(org.schema(REFUND), refund_id)
    if refund["JPAY1__Status__c"] not in ("Prepared", "Approved"):
        raise CannotPay(f"refund {refund['Name']} is {refund['JPAY1__Status__c']}")
    org.update(REFUND, refund_id, {"JPAY1__Status__c": "Rejected", "JPAY1__Reason__c": reason[:255]}, system=True)


def pay_out(org: Org, refund_id: str) -> None:
    """The provider has paid back: lower payments and items. Repeating it changes nothing."""
    refund = org.existing(org.schema(REFUND), refund_id)
    if refund["JPAY1__Status__c"] != "Approved":
        return
    entry_id, amount = refund["JPAY1__Entry__c"], money(refund["JPAY1__Amount__c"])
    payments = payments_of(org, entry_id)
    if sum((_left(payment) for payment in payments), ZERO) < amount:
        reject(org, refund_id, "the collected money is no longer there")
        return
    payout = {"JPAY1__Status__c": "Paid out", "JPAY1__PayoutDate__c": org.today()}
    number = org.store.number("salesforce.JPAY1.transaction")
    org.update(REFUND, refund_id, payout | {"JPAY1__TransactionNo__c": f"re_{number:010d}"}, system=True)
    left = amount
    for payment in payments:
        share = min(left, _left(payment))
        if share > 0:
            _take(org, payment, entry_id, share)
            left -= share
    settle(org, entry_id, reopen=False)


def run_payout(org: Org, payload: Doc) -> None:
    pay_out(org, payload["refund"])


def _left(payment: Doc) -> Decimal:
    if payment["JPAY1__Status__c"] not in COLLECTED:
        return ZERO
    return money(payment["JPAY1__CollectedAmount__c"]) - money(payment["JPAY1__RefundedAmount__c"])


def _take(org: Org, payment: Doc, entry_id: str, share: Decimal) -> None:
    """Take `share` from a payment: first from what is assigned to nothing, then from the entry's item."""
    free = min(max(money(payment["JPAY1__UnassignedAmount__c"]), ZERO), share)
    refunded = money(payment["JPAY1__RefundedAmount__c"]) + share
    status = "Refunded" if refunded == money(payment["JPAY1__CollectedAmount__c"]) else payment["JPAY1__Status__c"]
    change = {"JPAY1__RefundedAmount__c": refunded, "JPAY1__Status__c": status}
    org.update(PAYMENT, payment["Id"], change, system=True)
    note = {
        "JPAY1__Payment__c": payment["Id"],
        "JPAY1__ExternalId__c": event_number(org),
        "JPAY1__Type__c": "Refund",
        "JPAY1__Amount__c": -share,
        "JPAY1__Status__c": "Processed",
        "CurrencyIsoCode": payment["CurrencyIsoCode"],
    }
    org.create(NOTIFICATION, note, system=True)
    for item in org.find(ITEM, "JPAY1__Payment__c", payment["Id"]):
        if item["JPAY1__Entry__c"] == entry_id:
            assign(org, item, max(money(item["JPAY1__AssignedAmount__c"]) - (share - free), ZERO))
