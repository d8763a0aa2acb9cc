"""Money from a provider: begin, capture, fail, charge back (contract 2.1), and the sums that follow from it.

Promise: one capture is assigned at most once, however often and in whatever order the provider reports it.
"""

from decimal import Decimal

from sandbox.salesforce.org import Org
from sandbox.salesforce.packages.cash_money import ZERO, money
from sandbox.salesforce.packages.cash_objects import COLLECTED, ENTRY, ITEM, NOTIFICATION, PAYMENT
from sandbox.salesforce.packages.cash_settings import current
from sandbox.salesforce.schema import Doc

PROVIDER = "Mollie"


class CannotPay(ValueError):
    """The step is not possible in the state that the entry or the payment is in; the message says why."""


def begin(org: Org, entry: Doc, amount: Decimal, method: str) -> str:
    """The buyer confirms: a pending payment and an entry item that expects `amount`. Returns the payment's id."""
    if amount <= 0:
        raise CannotPay(f"amount: {amount} is not positive")
    currency = entry["CurrencyIsoCode"]
    number = org.store.number("salesforce.JPAY1.transaction")
    payment_id = org.create(
        PAYMENT,
        {
            "JPAY1__Amount__c": amount,
            "JPAY1__PaymentMethod__c": method,
            "JPAY1__Provider__c": PROVIDER,
            "JPAY1__TransactionNo__c": f"tr_{number:010d}",
            "JPAY1__Date__c": org.today(),
            "CurrencyIsoCode": currency,
        },
        system=True,
    )
    item = {"JPAY1__Entry__c": entry["Id"], "JPAY1__Payment__c": payment_id, "JPAY1__ExpectedAmount__c": amount}
    org.create(ITEM, item | {"CurrencyIsoCode": currency}, system=True)
    return payment_id


def event_number(org: Org) -> str:
    """The provider's id of one event; a repeated delivery of the event carries the same id."""
    return f"evt_{org.store.number('salesforce.JPAY1.event'):010d}"


def captured(org: Org, payment_id: str, event: str, amount: Decimal) -> str:
    """The provider reports a capture. Returns `Processed`, or `Duplicate` when it changes nothing."""
    payment = _payment(org, payment_id)
    fresh = payment["JPAY1__Status__c"] in ("Pending", "Failed") and not _seen(org, payment_id, event)
    status = "Processed" if fresh else "Duplicate"
    _note(org, payment, event, "Capture", amount, status)
    if not fresh:
        return status
    org.update(PAYMENT, payment_id, {"JPAY1__Status__c": "Collected", "JPAY1__CollectedAmount__c": amount}, system=True)
    left = amount
    for item in org.find(ITEM, "JPAY1__Payment__c", payment_id):
        entry = _entry(org, item["JPAY1__Entry__c"])
        room = money(entry["JPAY1__OpenAmount__c"]) if entry["JPAY1__Status__c"] == "Open" else ZERO
        share = max(min(left, room), ZERO)
        assign(org, item, share)
        settle(org, entry["Id"])
        left -= share
    return status


def failed(org: Org, payment_id: str, event: str, message: str = "") -> str:
    """The provider reports that no money comes, possibly after it had reported a capture: the entry opens again."""
    payment = _payment(org, payment_id)
    if payment["JPAY1__Status__c"] in ("Refunded", "Charged back") or _seen(org, payment_id, event):
        _note(org, payment, event, "Capture", None, "Duplicate", message)
        return "Duplicate"
    if money(payment["JPAY1__RefundedAmount__c"]):
        raise CannotPay(f"payment {payment['Name']} has been refunded in part")
    _note(org, payment, event, "Capture", None, "Processed", message)
    returned = {"JPAY1__Status__c": current(org.store).failed_status, "JPAY1__CollectedAmount__c": ZERO}
    org.update(PAYMENT, payment_id, returned, system=True)
    for item in org.find(ITEM, "JPAY1__Payment__c", payment_id):
        assign(org, item, ZERO, expected=money(payment["JPAY1__Amount__c"]))
        settle(org, item["JPAY1__Entry__c"])
    return "Processed"


def charged_back(org: Org, payment_id: str, event: str, message: str = "") -> str:
    """The buyer's bank takes collected money back: the entry opens again."""
    payment = _payment(org, payment_id)
    amount = money(payment["JPAY1__CollectedAmount__c"])
    if payment["JPAY1__Status__c"] == "Charged back" or _seen(org, payment_id, event):
        _note(org, payment, event, "Chargeback", -amount, "Duplicate", message)
        return "Duplicate"
    if payment["JPAY1__Status__c"] not in COLLECTED:
        raise CannotPay(f"payment {payment['Name']} is {payment['JPAY1__Status__c']}; only collected money comes back")
    _note(org, payment, event, "Chargeback", -amount, "Processed", message)
    org.update(PAYMENT, payment_id, {"JPAY1__Status__c": "Charged back"}, system=True)
    for item in org.find(ITEM, "JPAY1__Payment__c", payment_id):
        assign(org, item, ZERO)
        settle(org, item["JPAY1__Entry__c"])
    return "Processed"


def assign(org: Org, item: Doc, amount: Decimal, expected: Decimal | None = None) -> None:
    """Set what an entry item assigns and expects, and the payment's sum."""
    change = {"JPAY1__AssignedAmount__c": amount, "JPAY1__ExpectedAmount__c": expected}
    org.update(ITEM, item["Id"], change, system=True)
    items = org.find(ITEM, "JPAY1__Payment__c", item["JPAY1__Payment__c"])
    total = sum((money(other["JPAY1__AssignedAmount__c"]) for other in items), ZERO)
    org.update(PAYMENT, item["JPAY1__Payment__c"], {"JPAY1__AssignedAmount__c": total}, system=True)


def settle(org: Org, entry_id: str, *, reopen: bool = True) -> None:
    """Bring an entry's sum and status in line with its items. A refund does not reopen what was balanced."""
    entry = _entry(org, entry_id)
    items = org.find(ITEM, "JPAY1__Entry__c", entry_id)
    total = sum((money(item["JPAY1__AssignedAmount__c"]) for item in items), ZERO)
    status = entry["JPAY1__Status__c"]
    if status != "Canceled":
        amount = money(entry["JPAY1__Amount__c"])
        covered = total >= amount if amount >= 0 else total <= amount
        status = "Balanced" if covered or (status == "Balanced" and not reopen) else "Open"
    org.update(ENTRY, entry_id, {"JPAY1__AssignedAmount__c": total, "JPAY1__Status__c": status}, system=True)


def payments_of(org: Org, entry_id: str) -> list[Doc]:
    """The payments that an entry's items belong to, oldest first."""
    rows = [org.get(PAYMENT, item["JPAY1__Payment__c"]) for item in org.find(ITEM, "JPAY1__Entry__c", entry_id)]
    return [row for row in rows if row is not None]


def _seen(org: Org, payment_id: str, event: str) -> bool:
    notes = org.find(NOTIFICATION, "JPAY1__ExternalId__c", event)
    return any(note["JPAY1__Payment__c"] == payment_id for note in notes)


def _note(
    org: Org, payment: Doc, event: str, kind: str, amount: Decimal | None, status: str, message: str = ""
) -> None:
    note = {
        "JPAY1__Payment__c": payment["Id"],
        "JPAY1__ExternalId__c": event,
        "JPAY1__Type__c": kind,
        "JPAY1__Amount__c": amount,
        "JPAY1__Status__c": status,
        "JPAY1__Message__c": message,
        "CurrencyIsoCode": payment["CurrencyIsoCode"],
    }
    org.create(NOTIFICATION, note, system=True)


def _payment(org: Org, payment_id: str) -> Doc:
    return org.existing(org.schema(PAYMENT), payment_id)


def _entry(org: Org, entry_id: str) -> Doc:
    return org.existing(org.schema(ENTRY), entry_id)
