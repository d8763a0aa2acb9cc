"""Fills the billing role with JustOn Billing & Invoice Management: orders to bill, their invoices, and their end."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity

from activities.juston.invoices import FINAL, PRELIMINARY, InvoiceBook
from activities.juston.mapping import Unexpected, relation
from activities.juston.settings import JustOnSettings
from activities.juston.web_order import WebOrder, differences, web_order, write_parts
from activities.roles import (
    Billing,
    BillingProgress,
    CancelBilling,
    EnsureBillingOrder,
    FindInvoice,
)
from activities.salesforce.client import MOST_GRAPH_NODES, SalesforceClient, quote
from activities.steps import step
from activities.turns import not_settled
from commerce.documents import Document, DocumentKind, Undone
from commerce.failures import Family, SystemFailure

_WHAT = "billing order"


class JustOnBilling(Billing):
    """No call starts an invoice run: what is written here is billed by JustOn's own schedule, and then found."""

    def __init__(self, settings: JustOnSettings, *, system: str, salesforce: SalesforceClient) -> None:
        self._settings = settings
        self._fields = settings.fields.billing
        self._system = system
        self._client = salesforce
        self._invoices = InvoiceBook(salesforce, settings)

    async def probe(self) -> None:
        await self._client.probe()

    # ---- the order to bill -------------------------------------------------------------------------------------------

    @activity.defn(name="billing.ensure_order")
    @step
    async def ensure_order(self, task: EnsureBillingOrder) -> Document:
        key = task.order.key
        tried = f"hand order {key} to billing"
        wanted = web_order(task, self._settings)
        there = await self._compared(wanted, tried)
        if there is not None:
            return self._document(there, wanted, adopted=True)
        parts = write_parts(wanted, self._settings)
        if len(parts) > MOST_GRAPH_NODES:
            raise self._park(
                tried,
                f"the order has {len(parts) - 1} lines with charges, one request takes {MOST_GRAPH_NODES - 1}",
                "too many lines",
                "bill this order by hand in JustOn, then decide 'skip'",
            )
        try:
            await self._client.graph("order", parts, tried=tried, order_key=key)
        except SystemFailure as failure:
            if failure.family is not Family.ALREADY_DONE:
                raise
            # Another try under this key was faster; what it wrote is compared like anything that is there.
            there = await self._compared(wanted, tried)
            if there is None:
                raise self._park(
                    tried, failure.came_back, failure.code, "remove the key from the other record, then decide 'retry'"
                ) from failure
            return self._document(there, wanted, adopted=True)
        # The org cuts decimals that a field has no room for without a word: only what it shows now is believed.
        there = await self._compared(wanted, tried)
        if there is None:
            raise SystemFailure(
                Family.OUTCOME_UNKNOWN,
                tried,
                "the order was taken, but is not visible",
                system=self._system,
                do_next="nothing: it is looked up again by itself",
            )
        return self._document(there, wanted, adopted=False)

    async def _compared(self, wanted: WebOrder, tried: str) -> dict[str, Any] | None:
        """The order in the org, None when there is none; NEEDS_PERSON when it is another one than wanted."""
        fields = self._fields
        row = await self._row(wanted.key, tried)
        if row is None:
            return None
        columns = [fields.line_key, fields.line_quantity, fields.line_price, fields.line_tax_rate, fields.line_type]
        lines = await self._client.query(
            f"SELECT Id,{','.join(columns)} FROM {fields.line} WHERE {fields.line_order} = {quote(str(row['Id']))}",
            tried=tried,
            order_key=wanted.key,
        )
        found = differences(wanted, row, lines, self._settings)
        if row.get(fields.canceled) is True:
            found.append("it was withdrawn")
        if found:
            more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
            raise self._park(
                tried,
                f"{row.get('Name')} is there under {wanted.key}, but {'; '.join(found[:5])}{more}",
                "differs",
                "put the record right in the org or correct the order, then decide 'retry'",
            )
        return row

    async def _row(self, key: str, tried: str) -> dict[str, Any] | None:
        fields = self._fields
        columns = ["Id", "Name", fields.order_key, fields.entry_key, fields.expected_total, fields.canceled]
        columns += [fields.gift_cards, fields.store_credit, fields.gateway, fields.invoice_of_order, fields.build_error]
        columns += [f"{relation(fields.account)}.{fields.account_key}", fields.account]
        columns += [] if self._settings.single_currency else ["CurrencyIsoCode"]
        rows = await self._client.query(
            f"SELECT {','.join(columns)} FROM {fields.order} WHERE {fields.order_key} = {quote(key)}",
            tried=tried,
            order_key=key,
        )
        if len(rows) > 1:
            raise self._park(
                tried,
                f"{len(rows)} records carry the key {key}: {', '.join(str(row['Id']) for row in rows)}",
                "two records",
                "leave the key on one of them, then decide 'retry'",
            )
        return rows[0] if rows else None

    # ---- the invoice -------------------------------------------------------------------------------------------------

    @activity.defn(name="billing.find_invoice")
    @step
    async def find_invoice(self, task: FindInvoice) -> BillingProgress:
        tried = f"find the invoice of order {task.order_key}"
        row = await self._row(task.order_key, tried)
        if row is None:
            raise self._park(
                tried,
                f"there is no {self._fields.order} under {task.order_key} any more",
                "gone",
                "restore the record in the org, or bill by hand and decide 'skip'",
            )
        try:
            # With the entry that this order asked for: the invoice must carry that one's key.
            asked = {**row, self._fields.entry_key: task.entry_key}
            found = await self._invoices.progress([asked], tried=tried, order_key=task.order_key)
        except Unexpected as err:
            raise self._park(
                tried,
                f"invoice {row[self._fields.invoice_of_order]}: {err}",
                "unexpected record",
                "look at the invoice in JustOn, put it right or extend the settings, then decide 'retry'",
            ) from err
        if task.order_key not in found:
            raise self._gone(str(row[self._fields.invoice_of_order]), task.order_key, tried)
        return found[task.order_key]

    async def _invoice(self, invoice_id: str, order_key: str, tried: str) -> dict[str, Any]:
        rows = await self._invoices.rows([invoice_id], tried=tried, order_key=order_key)
        if not rows:
            raise self._gone(invoice_id, order_key, tried)
        return rows[0]

    def _gone(self, invoice_id: str, order_key: str, tried: str) -> SystemFailure:
        return self._park(
            tried,
            f"invoice {invoice_id} of order {order_key} is not in the org any more",
            "gone",
            f"clear {self._fields.invoice_of_order} so that the order is billed again, then decide 'retry'",
        )

    # ---- the end -----------------------------------------------------------------------------------------------------

    @activity.defn(name="billing.cancel")
    @step
    async def cancel(self, task: CancelBilling) -> Undone:
        tried = f"withdraw order {task.order_key} from billing"
        fields, looked_at = self._fields, datetime.now(UTC)
        row = await self._row(task.order_key, tried)
        if row is None:
            if task.unanswered_at is not None:
                settled_after = timedelta(seconds=self._settings.salesforce.settled_after_seconds)
                not_settled(task.unanswered_at, looked_at, settled_after, tried=tried, system=self._system)
            return Undone(what=_WHAT, done=False)
        if not row.get(fields.invoice_of_order) and row.get(fields.canceled) is not True:
            await self._client.update(
                fields.order, str(row["Id"]), {fields.canceled: True}, tried=tried, order_key=task.order_key
            )
            # The run may have picked the order up in the same moment: what counts is what stands there now.
            row = await self._row(task.order_key, tried) or row
        invoice_id = str(row.get(fields.invoice_of_order) or "")
        if invoice_id:
            return await self._cancel_invoice(invoice_id, task, tried)
        if row.get(fields.canceled) is not True:
            raise self._park(
                tried,
                f"{row.get('Name')} was written to, but {fields.canceled} is not set",
                "not withdrawn",
                f"set {fields.canceled} in the org, then decide 'retry'",
            )
        return Undone(what=_WHAT, done=True, document=self._withdrawn(row))

    async def _cancel_invoice(self, invoice_id: str, task: CancelBilling, tried: str) -> Undone:
        invoice = await self._invoice(invoice_id, task.order_key, tried)
        status, action = str(invoice.get(self._fields.invoice_status)), self._settings.invoice_cancellation_action
        if status == "Canceled":
            return Undone(what="invoice", done=True, document=self._canceled_invoice(invoice, adopted=True))
        if status in PRELIMINARY - {"Draft"}:
            raise SystemFailure(
                Family.TRANSIENT,
                tried,
                f"JustOn is working on invoice {invoice_id} ({status})",
                system=self._system,
                code=status,
                retry_after=30,
                do_next="nothing: it is looked at again by itself",
            )
        named = f"invoice {invoice.get('Name')} is {status}"
        if status not in FINAL or not action:
            raise self._park(
                tried,
                f"{named} and can be canceled by a person only",
                status,
                "delete the draft in JustOn, then decide 'retry'"
                if status == "Draft"
                else "cancel the invoice in JustOn, then decide 'retry'",
            )
        await self._client.action(
            action,
            [{**self._settings.invoice_cancellation_more, self._settings.invoice_cancellation_input: invoice_id}],
            tried=tried,
            order_key=task.order_key,
        )
        invoice = await self._invoice(invoice_id, task.order_key, tried)
        if invoice.get(self._fields.invoice_status) != "Canceled":
            raise self._park(
                tried,
                f"{named}; its cancellation was taken, but the status is {invoice.get(self._fields.invoice_status)}",
                "not canceled",
                "cancel the invoice in JustOn, then decide 'retry'",
            )
        return Undone(what="invoice", done=True, document=self._canceled_invoice(invoice, adopted=False))

    # ---- helpers -----------------------------------------------------------------------------------------------------

    def _document(self, row: Mapping[str, Any], wanted: WebOrder, *, adopted: bool) -> Document:
        return Document(
            kind=DocumentKind.BILLING_ORDER,
            system=self._system,
            id=str(row["Id"]),
            number=str(row.get("Name") or ""),
            key=wanted.key,
            amount=wanted.expected_total,
            status="billed" if row.get(self._fields.invoice_of_order) else "to be billed",
            adopted=adopted,
        )

    def _withdrawn(self, row: Mapping[str, Any]) -> Document:
        return Document(
            kind=DocumentKind.BILLING_ORDER,
            system=self._system,
            id=str(row["Id"]),
            number=str(row.get("Name") or ""),
            key=str(row.get(self._fields.order_key) or ""),
            status="withdrawn",
        )

    def _canceled_invoice(self, invoice: Mapping[str, Any], *, adopted: bool) -> Document:
        return Document(
            kind=DocumentKind.INVOICE,
            system=self._system,
            id=str(invoice["Id"]),
            number=str(invoice.get("Name") or ""),
            status="Canceled",
            adopted=adopted,
        )

    def _park(self, tried: str, came_back: str, code: str, do_next: str) -> SystemFailure:
        return SystemFailure(Family.NEEDS_PERSON, tried, came_back, system=self._system, code=code, do_next=do_next)
