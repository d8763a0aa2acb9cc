"""JustOn Cash Management in the org: entries, payments, refunds, and the invocable `EntryCancellation` (contract 2)."""

from typing import Any

from sandbox.kernel.world import ActError
from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages import cash_refunds
from sandbox.salesforce.packages.cash_money import ZERO, decimals, money, rounded
from sandbox.salesforce.packages.cash_objects import CBS, ENTITY, ENTRY, ITEM, OBJECTS, PAYMENT, REFUND
from sandbox.salesforce.packages.cash_payments import CannotPay, assign, settle
from sandbox.salesforce.packages.cash_settings import PROMISED, current
from sandbox.salesforce.schema import Doc

BATCH = 30
BUSINESS_ENTITIES = ("DE", "US", "JP", "KW", "CH")
# What a client of the action may name; anything else is a misspelling that Apex would refuse.
INPUTS = frozenset(
    "entryId cancellationReason cancellationCBS cancellationNo cancellationId cancellationDocument "
    "cancellationDistributionUrl".split()
)


def install(org: Org) -> None:
    for obj in OBJECTS:
        org.define(obj)
    org.before_save(ENTRY, _one_entry_per_key)
    org.before_save(ENTRY, _entry_rules, guard=True)
    org.before_save(PAYMENT, _payment_rules, guard=True)
    org.before_delete(ENTRY, _only_untouched, guard=True)
    org.after_save(ENTRY, _announce_entry)
    org.after_save(ITEM, _announce_new_payment)
    org.after_save(PAYMENT, _announce_payment)
    org.action("JPAY1__EntryCancellation", cancel_entries)
    org.job(cash_refunds.PAYOUT_JOB, cash_refunds.run_payout)
    org.on_act("approve-refunds", _approve_refunds)
    org.on_act("reject-refunds", _reject_refunds)
    org.on_seed(_seed)


def cancel_entries(org: Org, inputs: list[Doc]) -> list[Doc]:
    """EntryCancellation.cancelEntry: up to 30 entries, one `code` (200 or 500) and `detail` for each."""
    if len(inputs) > BATCH:
        raise SalesforceError("INVALID_INPUT", f"EntryCancellation takes up to {BATCH} entries, not {len(inputs)}")
    results: list[Doc] = []
    for one in inputs:
        try:
            with org.savepoint():
                results.append({"code": 200, "detail": cancel_entry(org, one)})
        except (SalesforceError, CannotPay) as err:
            results.append({"code": 500, "detail": str(err)})
    return results


def cancel_entry(org: Org, one: Doc) -> str:
    """Cancel one entry and say what happens to the money already paid; raises when it cannot be canceled."""
    unknown = sorted(set(one) - INPUTS)
    if unknown:
        raise CannotPay(f"unknown input {', '.join(unknown)}; known are {', '.join(sorted(INPUTS))}")
    entry = org.get(ENTRY, str(one.get("entryId") or ""))
    if entry is None:
        raise CannotPay(f"entryId: there is no entry {one.get('entryId')!r}")
    if entry["JPAY1__Status__c"] == "Canceled":
        raise CannotPay(f"entry {entry['Name']} is canceled already")
    if entry.get("JPAY1__Invoice__c"):
        raise CannotPay(f"entry {entry['Name']} belongs to an invoice; cancel the invoice, which cancels the entry")
    cbs = one.get("cancellationCBS") or "Future Settlement"
    if cbs not in CBS:
        raise CannotPay(f"cancellationCBS: {cbs!r} is not one of {', '.join(CBS)}")
    paid = cash_refunds.refundable(org, entry["Id"])
    change = {
        "JPAY1__Status__c": "Canceled",
        "JPAY1__CancellationReason__c": one.get("cancellationReason"),
        "JPAY1__CancellationCBS__c": cbs,
        "JPAY1__CancellationNo__c": one.get("cancellationNo"),
        "JPAY1__CancellationId__c": one.get("cancellationId"),
        "JPAY1__CancellationDocument__c": one.get("cancellationDocument"),
        "JPAY1__CancellationDistributionUrl__c": one.get("cancellationDistributionUrl"),
    }
    org.update(ENTRY, entry["Id"], change, system=True)
    for item in org.find(ITEM, "JPAY1__Entry__c", entry["Id"]):
        if money(item["JPAY1__AssignedAmount__c"]):
            assign(org, item, ZERO)
    settle(org, entry["Id"])
    if paid <= 0 or cbs == "Future Settlement":
        return f"entry {entry['Name']} canceled; {paid.normalize():f} stays with the payments for future settlement"
    refund = cash_refunds.prepare(org, entry, paid, str(one.get("cancellationReason") or "Cancellation"))
    if cbs == "Direct Refund":
        cash_refunds.approve(org, refund)
    return (
        f"entry {entry['Name']} canceled; refund of {paid.normalize():f} {'approved' if cbs[0] == 'D' else 'prepared'}"
    )


def _one_entry_per_key(org: Org, new: Doc, old: Doc | None) -> None:
    key = new.get("JPAY1__AssignmentKey__c")
    if not key or (old and old.get("JPAY1__AssignmentKey__c") == key) or current(org.store).duplicate_keys == "allow":
        return
    # A canceled entry gives its key free again (inferred; the vendor says nothing about it).
    there = org.find(ENTRY, "JPAY1__AssignmentKey__c", key)
    taken = [row["Id"] for row in there if row.get("JPAY1__Status__c") != "Canceled"]
    taken += [row["id"] for row in org.store.table(PROMISED).where("key", key.lower())]
    for other in taken:
        if other != new.get("Id"):
            raise SalesforceError(
                "DUPLICATE_VALUE",
                f"duplicate value found: JPAY1__AssignmentKey__c duplicates value on record with id: {other}",
            )


def _entry_rules(org: Org, new: Doc, old: Doc | None) -> None:
    amount = money(new.get("JPAY1__Amount__c"))
    if amount != rounded(amount, new["CurrencyIsoCode"]):
        raise _refused(f"Amount: {new['CurrencyIsoCode']} has {decimals(new['CurrencyIsoCode'])} decimals", "Amount")
    if old is None:
        return
    for name in ("Amount", "AssignmentKey", "Date"):
        column = f"JPAY1__{name}__c"
        if new.get(column) != old.get(column) and (
            old["JPAY1__Status__c"] != "Open" or org.find(ITEM, "JPAY1__Entry__c", old["Id"])
        ):
            raise _refused(f"{name} of an entry with payments, or one that is not open, cannot be changed", name)


def _payment_rules(_org: Org, new: Doc, old: Doc | None) -> None:
    if old is not None and old["JPAY1__Status__c"] != "Pending" and new["JPAY1__Amount__c"] != old["JPAY1__Amount__c"]:
        raise _refused("Amount of a payment that is not pending cannot be changed", "Amount")


def _refused(message: str, name: str) -> SalesforceError:
    return SalesforceError("FIELD_CUSTOM_VALIDATION_EXCEPTION", message, (f"JPAY1__{name}__c",))


def _only_untouched(org: Org, old: Doc) -> None:
    if old["JPAY1__Status__c"] != "Open" or org.find(ITEM, "JPAY1__Entry__c", old["Id"]):
        raise SalesforceError("DELETE_FAILED", f"Entry {old['Name']} has payments or is not open")


def announce(org: Org, object_name: str, record_id: str, key: str | None, event: str) -> None:
    """Tell the merchant's webhook that a record changed (a hint, see docs/salesforce-org.md)."""
    org.notify({"object": object_name, "recordId": record_id, "assignmentKey": key, "event": event})


def _announce_entry(org: Org, new: Doc, old: Doc | None) -> None:
    # An entry of the hosted service is announced by that service, when it has become visible.
    if old is None and new.get("JPAY1__PaymentLink__c"):
        return
    if old is None or any(new.get(name) != old.get(name) for name in ("JPAY1__Status__c", "JPAY1__OpenAmount__c")):
        announce(org, ENTRY, new["Id"], new.get("JPAY1__AssignmentKey__c"), "updated" if old else "created")


def _announce_new_payment(org: Org, new: Doc, old: Doc | None) -> None:
    if old is None:
        announce(org, PAYMENT, new["JPAY1__Payment__c"], _key_of(org, new), "created")


def _announce_payment(org: Org, new: Doc, old: Doc | None) -> None:
    if old is None or new["JPAY1__Status__c"] == old["JPAY1__Status__c"]:
        return
    for item in org.find(ITEM, "JPAY1__Payment__c", new["Id"]):
        announce(org, PAYMENT, new["Id"], _key_of(org, item), "updated")


def _key_of(org: Org, item: Doc) -> str | None:
    entry = org.get(ENTRY, item["JPAY1__Entry__c"])
    return entry.get("JPAY1__AssignmentKey__c") if entry else None


def _refunds_for(org: Org, arguments: dict[str, Any], states: tuple[str, ...]) -> list[Doc]:
    key = arguments.get("key")
    if not isinstance(key, str) or not key:
        raise ActError("key: the assignment key of an entry is needed")
    found = [
        refund
        for entry in org.find(ENTRY, "JPAY1__AssignmentKey__c", key)
        for refund in org.find(REFUND, "JPAY1__Entry__c", entry["Id"])
        if refund["JPAY1__Status__c"] in states
    ]
    if not found:
        raise ActError(f"key: no refund of {key!r} is {' or '.join(states)}")
    return found


def _approve_refunds(org: Org, arguments: dict[str, Any]) -> Doc:
    refunds = _refunds_for(org, arguments, ("Prepared",))
    for refund in refunds:
        cash_refunds.approve(org, refund["Id"])
    return {"refunds": [refund["Name"] for refund in refunds]}


def _reject_refunds(org: Org, arguments: dict[str, Any]) -> Doc:
    refunds = _refunds_for(org, arguments, ("Prepared", "Approved"))
    for refund in refunds:
        cash_refunds.reject(org, refund["Id"], str(arguments.get("reason") or "rejected by the provider"))
    return {"refunds": [refund["Name"] for refund in refunds]}


def _seed(org: Org, _data_set: str) -> None:
    for name in BUSINESS_ENTITIES:
        org.create(ENTITY, {"Name": name}, system=True)
