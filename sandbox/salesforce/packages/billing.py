"""JustOn Billing & Invoice Management in the org: drafts, final invoices that nobody can change, balances, bookings."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sandbox.kernel.world import ActError
from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages.billing_balances import add_balance, after_balance, refresh
from sandbox.salesforce.packages.billing_finalize import add_cash_balance, cancel, finalize, refused
from sandbox.salesforce.packages.billing_objects import (
    BALANCE,
    BOOKING,
    DRAFTS,
    ENTRY_FIELDS,
    INVOICE,
    LINE,
    OBJECTS,
    PERIOD,
    TEMPLATE,
)
from sandbox.salesforce.packages.cash import announce
from sandbox.salesforce.packages.cash_money import ZERO, money, rounded
from sandbox.salesforce.packages.cash_objects import CBS, ENTRY, ITEM, PAYMENT, REFUND
from sandbox.salesforce.packages.fields import text
from sandbox.salesforce.schema import Doc

WATCHED = ("ONB2__Status__c", "ONB2__Balance__c")


def install(org: Org) -> None:
    for obj in OBJECTS:
        org.define(obj)
    org.extend(ENTRY, *ENTRY_FIELDS)
    org.extend("Account", text("ON_DebtorNo__c", 80))
    org.before_save(INVOICE, _draft_number)
    org.before_save(INVOICE, _final_is_final, guard=True)
    org.before_delete(INVOICE, _only_drafts_go)
    org.before_save(LINE, _line_totals)
    org.before_save(LINE, _line_of_draft, guard=True)
    org.before_delete(LINE, _line_of_draft_goes, guard=True)
    org.before_save(BALANCE, _imported_balance, guard=True)
    org.before_delete(BALANCE, _draft_balance_goes, guard=True)
    org.before_save(BOOKING, _frozen, guard=True)
    org.after_save(LINE, lambda org, new, _old: _refresh_parent(org, new))
    org.after_delete(LINE, _refresh_parent)
    org.after_save(BALANCE, after_balance)
    org.after_save(ITEM, _follow_cash)
    org.after_save(REFUND, _follow_refund)
    org.after_save(INVOICE, _announce)
    org.action("ONB2__InvoiceFinalization", _finalize_action)
    org.action("ONB2__InvoiceCancellation", _cancel_action)
    org.on_act("finalize", _act_finalize)
    org.on_act("cancel-invoice", _act_cancel)
    org.on_act("assign-balances", _act_assign)
    org.on_act("close-booking-period", _act_close)
    org.on_seed(_seed)


def line_amounts(kind: str | None, quantity: Any, price: Any, rate: Any, currency: str) -> tuple[Decimal, Decimal]:
    """Net and tax of a line, rounded half up. A tax delta is tax only; an information line is worth nothing."""
    net = rounded(money(quantity) * money(price), currency)
    if kind == "Information":
        return ZERO, ZERO
    if kind == "Tax Delta":
        return ZERO, net
    return net, rounded(net * money(rate) / 100, currency)


def _draft_number(org: Org, new: Doc, old: Doc | None) -> None:
    if old is None:
        new["Name"] = f"DRAFT-{org.store.number(f'salesforce.{INVOICE}.draft'):06d}"


def _final_is_final(org: Org, new: Doc, old: Doc | None) -> None:
    if old is None or old["ONB2__Status__c"] in DRAFTS:
        return
    guarded = [
        column.name
        for column in org.schema(INVOICE).fields
        if (column.name.startswith("ONB2__") or column.name in ("EntryAssignmentKey__c", "CurrencyIsoCode"))
        and new.get(column.name) != old.get(column.name)
    ]
    if guarded:
        raise SalesforceError(
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            f"Invoice {old['Name']} is final and cannot be changed",
            tuple(guarded),
        )


def _only_drafts_go(_org: Org, old: Doc) -> None:
    if old["ONB2__Status__c"] not in DRAFTS:
        raise SalesforceError("DELETE_FAILED", f"Invoice {old['Name']} is final and cannot be deleted")


def _line_totals(org: Org, new: Doc, old: Doc | None) -> None:
    invoice = org.existing(org.schema(INVOICE), new["ONB2__Invoice__c"]) if new.get("ONB2__Invoice__c") else None
    if invoice is None:
        return  # the required field is refused right after this
    net, tax = line_amounts(
        new["ONB2__Type__c"],
        new["ONB2__Quantity__c"],
        new["ONB2__UnitPrice__c"],
        new["ONB2__TaxRate__c"],
        invoice["CurrencyIsoCode"],
    )
    new |= {"ONB2__PosTotalNet__c": net, "ONB2__PosTotalTax__c": tax, "CurrencyIsoCode": invoice["CurrencyIsoCode"]}


def _line_of_draft(org: Org, new: Doc, old: Doc | None) -> None:
    for row in (new, old or {}):
        if row.get("ONB2__Invoice__c"):
            _line_of_draft_goes(org, row)


def _line_of_draft_goes(org: Org, old: Doc) -> None:
    invoice = org.get(INVOICE, old["ONB2__Invoice__c"])
    if invoice is not None and invoice["ONB2__Status__c"] not in DRAFTS:
        raise refused(f"Invoice {invoice['Name']} is final and its lines cannot be changed")


def _refresh_parent(org: Org, line: Doc) -> None:
    if org.get(INVOICE, line["ONB2__Invoice__c"]) is not None:
        refresh(org, line["ONB2__Invoice__c"])


def _imported_balance(org: Org, new: Doc, old: Doc | None) -> None:
    if (old is not None and not old["ONB2__Draft__c"]) or not new["ONB2__Draft__c"]:
        raise refused("Balances are imported as drafts (Draft = true); an assigned balance cannot be changed")
    if money(new["ONB2__Amount__c"]) != rounded(money(new["ONB2__Amount__c"]), new["CurrencyIsoCode"]):
        raise refused(f"Amount: has more decimals than {new['CurrencyIsoCode']}")
    invoice = org.get(INVOICE, new["ONB2__Invoice__c"]) if new["ONB2__Invoice__c"] else None
    if invoice is not None and invoice["CurrencyIsoCode"] != new["CurrencyIsoCode"]:
        raise refused(f"Invoice {invoice['Name']} is in {invoice['CurrencyIsoCode']}, not {new['CurrencyIsoCode']}")


def _draft_balance_goes(_org: Org, old: Doc) -> None:
    if not old["ONB2__Draft__c"]:
        raise SalesforceError("DELETE_FAILED", f"Balance {old['Name']} is assigned and cannot be deleted")


def _frozen(_org: Org, _new: Doc, _old: Doc | None) -> None:
    raise refused("Booking details are written by the booking job only")


def _follow_cash(org: Org, new: Doc, old: Doc | None) -> None:
    """Money assigned to the entry of a final invoice after billing, and money that the provider takes back."""
    before = money(old["JPAY1__AssignedAmount__c"]) if old else ZERO
    change = money(new["JPAY1__AssignedAmount__c"]) - before
    entry = org.get(ENTRY, new["JPAY1__Entry__c"])
    payment = org.get(PAYMENT, new["JPAY1__Payment__c"])
    invoice = org.get(INVOICE, entry["JPAY1__Invoice__c"]) if entry and entry["JPAY1__Invoice__c"] else None
    if not change or invoice is None or payment is None:
        return
    if change > 0:
        add_cash_balance(org, invoice, new, "Payment", -change)
    elif payment["JPAY1__Status__c"] == "Charged back":
        add_cash_balance(org, invoice, new, "Chargeback", -change)
    elif payment["JPAY1__Status__c"] in ("Pending", "Failed"):
        add_cash_balance(org, invoice, new, "Payment", -change)
    # Any other decrease is a refund, which has a balance of its own.


def _follow_refund(org: Org, new: Doc, old: Doc | None) -> None:
    """A refund that was paid out is money out: on the entry's invoice, or on the account once that is canceled."""
    if new["JPAY1__Status__c"] != "Paid out" or (old and old["JPAY1__Status__c"] == "Paid out"):
        return
    more: Doc = {
        "ONB2__Origin__c": "JPAY1",
        "ONB2__NoAutoAssignment__c": True,
        "ONB2__TransactionNo__c": new["JPAY1__TransactionNo__c"],
        "JPAY1__Payment__c": new["JPAY1__Payment__c"],
    }
    entry = org.get(ENTRY, new["JPAY1__Entry__c"])
    linked = entry["JPAY1__Invoice__c"] if entry else None
    if linked is None:
        loose = [
            row for row in org.find(BALANCE, "JPAY1__Payment__c", new["JPAY1__Payment__c"]) if not row["ONB2__Draft__c"]
        ]
        linked = next((row["ONB2__RelatedInvoice__c"] for row in loose if row["ONB2__RelatedInvoice__c"]), None)
        more |= {"ONB2__Invoice__c": None, "ONB2__RelatedInvoice__c": linked}
    invoice = org.get(INVOICE, linked) if linked else None
    if invoice is not None:
        add_balance(org, invoice, "Refund", money(new["JPAY1__Amount__c"]), **more)


def _announce(org: Org, new: Doc, old: Doc | None) -> None:
    if old is None or any(new[name] != old[name] for name in WATCHED):
        announce(org, INVOICE, new["Id"], new["EntryAssignmentKey__c"], "updated" if old else "created")


def _each(org: Org, inputs: list[Doc], step: Callable[[Doc], str]) -> list[Doc]:
    results: list[Doc] = []
    for one in inputs:
        try:
            with org.savepoint():
                results.append({"code": 200, "detail": step(one)})
        except SalesforceError as err:
            results.append({"code": 500, "detail": err.message})
    return results


def _finalize_action(org: Org, inputs: list[Doc]) -> list[Doc]:
    return _each(org, inputs, lambda one: finalize(org, str(one.get("invoiceId") or "")))


def _cancel_action(org: Org, inputs: list[Doc]) -> list[Doc]:
    def step(one: Doc) -> str:
        cbs = one.get("cancellationCBS")
        if cbs is not None and cbs not in CBS:
            raise refused(f"cancellationCBS: {cbs!r} is not one of {', '.join(CBS)}")
        return cancel(org, str(one.get("invoiceId") or ""), one.get("cancellationReason"), cbs)

    return _each(org, inputs, step)


def _named(org: Org, arguments: Doc) -> Doc:
    """The invoice that an act means, by `number` or by the assignment key `key`."""
    for name, column in (("number", "Name"), ("key", "EntryAssignmentKey__c")):
        if arguments.get(name):
            found = [row for row in org.find(INVOICE, column, arguments[name]) if row["ONB2__Type__c"] != "Cancelation"]
            if not found:
                raise ActError(f"{name}: there is no invoice {arguments[name]!r}")
            return found[-1]
    raise ActError("number or key: the invoice's number or its assignment key is needed")


def _acted(step: Callable[[], str]) -> str:
    try:
        return step()
    except SalesforceError as err:
        raise ActError(err.message) from err


def _act_finalize(org: Org, arguments: Doc) -> Doc:
    return {"number": _acted(lambda: finalize(org, _named(org, arguments)["Id"]))}


def _act_cancel(org: Org, arguments: Doc) -> Doc:
    invoice = _named(org, arguments)
    reason = str(arguments.get("reason") or "canceled by a person")
    opposite = _acted(lambda: cancel(org, invoice["Id"], reason, arguments.get("cbs")))
    return {"number": org.existing(org.schema(INVOICE), opposite)["Name"]}


def _act_assign(org: Org, _arguments: Doc) -> Doc:
    """The fix job: imported drafts become balances; those with an invoice count there from now on."""
    assigned = []
    for row in org.all(BALANCE):
        if row["ONB2__Draft__c"]:
            org.update(BALANCE, row["Id"], {"ONB2__Draft__c": False}, system=True)
            assigned.append(row["Name"])
    return {"balances": assigned}


def _act_close(org: Org, arguments: Doc) -> Doc:
    """Close a booking period; `month` is `2026-11`. Makes it when no booking has."""
    year, _, month = str(arguments.get("month") or "").partition("-")
    if len(year) != 4 or len(month) != 2 or not (year + month).isdigit():
        raise ActError("month: a month such as 2026-11 is needed")
    tenant = str(arguments.get("tenant") or "Nordlicht")
    known = [row for row in org.find(PERIOD, "ONB2__Year__c", year) if row["ONB2__Month__c"] == month]
    for row in known:
        org.update(PERIOD, row["Id"], {"ONB2__Status__c": "Closed"}, system=True)
    if not known:
        closed = {
            "ONB2__Year__c": year,
            "ONB2__Month__c": month,
            "ONB2__Tenant__c": tenant,
            "ONB2__Status__c": "Closed",
        }
        org.create(PERIOD, closed | {"Name": f"{tenant} {year}-{month}"}, system=True)
    return {"closed": f"{year}-{month}"}


def _seed(org: Org, _data_set: str) -> None:
    org.create(TEMPLATE, {"Name": "Standard", "ONB2__Default__c": True, "ONB2__Language__c": "de"}, system=True)
