"""The generic invoice run over Web Orders (contract 5): drafts, build errors, and the way to a final invoice.

A row is billed once: a filled `ON_Invoice__c` means done. What cannot be billed says why in `ON_InvoiceBuildError__c`
and is tried again by the next run.
"""

from datetime import timedelta
from decimal import Decimal

from sandbox.kernel.world import ActError
from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages.billing_finalize import finalize, invoice_with_key
from sandbox.salesforce.packages.billing_objects import DRAFTS, INVOICE, LINE, LINE_TYPES, RUN, TEMPLATE
from sandbox.salesforce.packages.cash_money import money, shown
from sandbox.salesforce.packages.cash_settings import current
from sandbox.salesforce.packages.web_order_objects import OBJECTS, ORDER, ORDER_LINE
from sandbox.salesforce.schema import Doc

FINALIZE_JOB = "juston.finalize"
CLOCK = "salesforce.invoice-run"
BATCH = 50  # invoices of one automatic run: the whole sandbox waits while a run works


class BuildError(Exception):
    """The row cannot be billed; the message goes into `ON_InvoiceBuildError__c`."""


class _NothingNew(Exception):
    """A run that made no invoice and met only errors that are known: it leaves no trace."""

    def __init__(self, result: Doc) -> None:
        super().__init__()
        self.result = result


def install(org: Org) -> None:
    for obj in OBJECTS:
        org.define(obj)
    org.job(FINALIZE_JOB, _finalize_job)
    org.on_act("run-invoices", _act_run)
    org.on_tick(_tick)


def run(org: Org, *, key: str | None = None, immediate: bool, most: int | None = None) -> Doc:
    """Bill what is due (or the one order `key`), at most `most`; `immediate` finalizes at once, else a job follows."""
    due = [row for row in _open_rows(org, key) if _selected(org, row)]
    if not due:
        return {"run": None, "invoices": [], "errors": []}
    try:
        with org.savepoint():
            return _run(org, due, immediate, most)
    except _NothingNew as same:
        return same.result


def _run(org: Org, due: list[Doc], immediate: bool, most: int | None) -> Doc:
    run_id = org.create(RUN, {"ONB2__Date__c": org.today()}, system=True)
    invoices: list[Doc] = []
    errors: list[Doc] = []
    fresh = False
    for row in due:
        if len(invoices) == most:
            break
        try:
            with org.savepoint():
                invoice_id = _build(org, row, run_id)
                if immediate:
                    finalize(org, invoice_id)
                else:
                    org.update(INVOICE, invoice_id, {"ONB2__Status__c": "Pre-Open"}, system=True)
                    wait = org.world.scaled(timedelta(minutes=current(org.store).finalize_after_minutes))
                    org.schedule(FINALIZE_JOB, wait, {"invoice": invoice_id, "order": row["Id"]})
        except (BuildError, SalesforceError) as err:
            message = err.message if isinstance(err, SalesforceError) else str(err)
            fresh = _refuse(org, row, run_id, message) or fresh
            errors.append({"order": row["Magento_Order_Id__c"], "error": message})
        else:
            invoice = org.existing(org.schema(INVOICE), invoice_id)
            invoices.append({"order": row["Magento_Order_Id__c"], "number": invoice["Name"], "id": invoice_id})
    if not invoices and not fresh:
        raise _NothingNew({"run": None, "invoices": [], "errors": errors})
    org.update(RUN, run_id, {"ONB2__Invoices__c": len(invoices)}, system=True)
    return {"run": org.existing(org.schema(RUN), run_id)["Name"], "invoices": invoices, "errors": errors}


def _open_rows(org: Org, key: str | None) -> list[Doc]:
    if key is None:
        return org.find(ORDER, "ON_Invoice__c", None)
    rows = org.find(ORDER, "Magento_Order_Id__c", key)
    if not rows:
        raise ActError(f"order: there is no web order {key!r}")
    return [row for row in rows if row["ON_Invoice__c"] is None]


def _selected(org: Org, row: Doc) -> bool:
    """Not canceled, and the service date lies in the run's period (an empty one is reported, not skipped)."""
    return not row["Canceled__c"] and (row["ON_ServiceDate__c"] or "") <= org.today()


def _build(org: Org, row: Doc, run_id: str) -> str:
    """Make the draft of one order; returns its id."""
    currency = row["CurrencyIsoCode"]
    lines = sorted(org.find(ORDER_LINE, "Web_Order__c", row["Id"]), key=_sort)
    _check(org, row, lines)
    account = org.existing(org.schema("Account"), row["ON_Account__c"])
    templates = org.find(TEMPLATE, "ONB2__Default__c", True)
    invoice_id = org.create(
        INVOICE,
        {
            "ONB2__Account__c": account["Id"],
            "ONB2__AccountName__c": account["Name"],
            "ONB2__Tenant__c": current(org.store).invoice_tenant,
            "ONB2__Template__c": templates[0]["Id"] if templates else None,
            "ONB2__Email__c": row["Email__c"],
            "ONB2__Date__c": row["ON_BookingDate__c"] or org.today(),
            "ONB2__ServicePeriodStart__c": row["ON_ServiceDate__c"],
            "ONB2__ServicePeriodEnd__c": row["ON_ServiceDate__c"],
            "ONB2__InvoiceRun__c": run_id,
            "EntryAssignmentKey__c": row["Entry_Key__c"],
            "CurrencyIsoCode": currency,
        },
        system=True,
    )
    for number, line in enumerate(lines, 1):
        values = {
            "ONB2__Invoice__c": invoice_id,
            "ONB2__Sequence__c": number,
            "ONB2__Title__c": line["ON_Title__c"],
            "ONB2__Description__c": line["ON_Description__c"],
            "ONB2__Quantity__c": line["ON_Quantity__c"] if line["ON_Quantity__c"] is not None else Decimal(1),
            "ONB2__UnitPrice__c": line["ON_UnitPrice__c"],
            "ONB2__TaxRate__c": line["ON_TaxRate__c"],
            "ONB2__Type__c": line["ON_LineType__c"],
        }
        org.create(LINE, values, system=True)
    grand = money(org.existing(org.schema(INVOICE), invoice_id)["ONB2__GrandTotal__c"])
    expected = row["Expected_Total__c"]
    if expected is not None and expected != grand:
        raise BuildError(
            f"Expected total {shown(expected, currency)} {currency}, but the lines give {shown(grand, currency)}: "
            f"the difference is {shown(grand - expected, currency)}"
        )
    if grand < 0:
        org.update(INVOICE, invoice_id, {"ONB2__Type__c": "Credit"}, system=True)
    done = {"ON_Invoice__c": invoice_id, "ON_LastInvoiceRun__c": run_id, "ON_InvoiceBuildError__c": None}
    org.update(ORDER, row["Id"], done, system=True)
    return invoice_id


def _check(org: Org, row: Doc, lines: list[Doc]) -> None:
    if row["ON_Account__c"] is None or org.get("Account", row["ON_Account__c"]) is None:
        raise BuildError("No account: ON_Account__c is empty")
    if row["ON_ServiceDate__c"] is None:
        raise BuildError("No service date: ON_ServiceDate__c is empty")
    if not lines:
        raise BuildError("No lines")
    for line in lines:
        name = line["Line_Key__c"] or line["Name"]
        if not line["ON_Title__c"]:
            raise BuildError(f"Line {name} has no title")
        if line["ON_LineType__c"] not in LINE_TYPES:
            raise BuildError(f"Line {name} has the unknown type {line['ON_LineType__c']!r}")
        if line["ON_UnitPrice__c"] is None and line["ON_LineType__c"] != "Information":
            raise BuildError(f"Line {name} has no price: ON_UnitPrice__c is empty")
        if line["ON_Quantity__c"] is None and line["ON_LineType__c"] != "Information":
            raise BuildError(f"Line {name} has no quantity: ON_Quantity__c is empty")
    twin = invoice_with_key(org, row["Entry_Key__c"])
    if twin is not None:
        raise BuildError(f"Invoice {twin['Name']} carries the assignment key {row['Entry_Key__c']} already")


def _sort(line: Doc) -> tuple[Decimal, str]:
    return (line["ON_Sort__c"] if line["ON_Sort__c"] is not None else Decimal(999_999), line["Id"])


def _refuse(org: Org, row: Doc, run_id: str, message: str) -> bool:
    """Write the reason on the row; False when it says so already."""
    error = message[:255]
    if row["ON_InvoiceBuildError__c"] == error:
        return False
    org.update(ORDER, row["Id"], {"ON_InvoiceBuildError__c": error, "ON_LastInvoiceRun__c": run_id}, system=True)
    return True


def _finalize_job(org: Org, payload: Doc) -> None:
    """Finalize a draft of the automatic run. One that cannot be is deleted, and its order says why."""
    invoice = org.get(INVOICE, payload["invoice"])
    if invoice is None or invoice["ONB2__Status__c"] not in DRAFTS:
        return
    try:
        with org.savepoint():
            finalize(org, invoice["Id"])
    except SalesforceError as err:
        org.delete(INVOICE, invoice["Id"], system=True)  # this clears ON_Invoice__c of the order
        row = org.get(ORDER, payload["order"])
        if row is not None:
            org.update(ORDER, row["Id"], {"ON_InvoiceBuildError__c": err.message[:255]}, system=True)


def _tick(org: Org) -> None:
    """The scheduled batch chain of the automatic clock."""
    clock = org.store.table(CLOCK)
    last = (clock.get("last") or {"at": 0})["at"]
    now = org.now().timestamp()
    if now - last < org.world.scaled(timedelta(minutes=current(org.store).run_every_minutes)):
        return
    result = run(org, immediate=False, most=BATCH)
    if len(result["invoices"]) < BATCH:
        clock.put("last", {"at": now})


def _act_run(org: Org, arguments: Doc) -> Doc:
    key = arguments.get("order")
    if key is not None and not isinstance(key, str):
        raise ActError("order: the order key is a text")
    pending = [row for row in org.find(INVOICE, "ONB2__Status__c", "Pre-Open") if row["ONB2__InvoiceRun__c"]]
    result = run(org, key=key, immediate=True)
    if key is None:
        for row in pending:
            source = org.find(ORDER, "ON_Invoice__c", row["Id"])
            _finalize_job(org, {"invoice": row["Id"], "order": source[0]["Id"] if source else ""})
    return result
