"""What changed at JustOn: entries with their payments, and billing orders with their invoices.

What was seen before comes again with the same digest.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from activities.changes import Change, Page, Reading
from activities.juston.book import CashBook
from activities.juston.invoices import PRELIMINARY, InvoiceBook
from activities.juston.mapping import EntryRecord, moment, relation
from activities.juston.settings import JustOnSettings
from activities.salesforce.client import SalesforceClient, quote
from activities.salesforce.feed import BEGINNING, Stream, Streams, at_path, digest_of
from activities.salesforce.soql import chunks, in_list
from commerce.payment import EntryStatus


class _Feed:
    def __init__(
        self,
        settings: JustOnSettings,
        streams: Sequence[Stream],
        *,
        name: str,
        system: str,
        salesforce: SalesforceClient,
    ) -> None:
        self.name = name
        self.system = system
        self._settings = settings
        self._client = salesforce
        self._streams = Streams(
            salesforce,
            streams,
            name=name,
            system=system,
            start=settings.changes_since,
            overlap=timedelta(seconds=settings.feed_overlap_seconds),
            page=settings.feed_page,
        )


class JustOnEntries(_Feed):
    """Changes of entries and of the payments in them."""

    def __init__(self, settings: JustOnSettings, *, system: str, salesforce: SalesforceClient) -> None:
        cash = settings.fields.cash
        streams = (
            Stream("entries", cash.entry, "SystemModstamp", "Id", f"{cash.entry_key} != null"),
            Stream("payments", cash.item, f"{relation(cash.item_payment)}.SystemModstamp", cash.item_entry),
        )
        super().__init__(settings, streams, name=f"{system}:entries", system=system, salesforce=salesforce)
        self._book = CashBook(salesforce, settings, system=system)

    async def read(self, cursor: str | None) -> Page:
        ids, behind, more = await self._streams.follow(cursor)
        odd: dict[str, str] = {}
        records = await self._book.by_ids(ids, tried="read the entries that changed", odd=odd)
        changes = [_entry_change(record) for record in records if record.state.key]
        changes += [_odd_change(key, problem) for key, problem in odd.items() if key]
        return Page(changes=_oldest_first(changes), cursor=behind, more=more)

    async def fetch(self, reference: str) -> Change | None:
        """`reference` is an assignment key, or object and record id (`JPAY1__Payment__c/a0K...`)."""
        cash, tried = self._settings.fields.cash, "read the entry that a notification names"
        sobject, _, record_id = reference.rpartition("/")
        if not sobject:
            records = await self._book.by_key(reference, tried=tried, order_key=reference)
        elif sobject == cash.entry:
            records = await self._book.by_ids([record_id], tried=tried)
        elif sobject == cash.payment:
            entries = await self._book.entries_of_payment(record_id, tried=tried)
            records = await self._book.by_ids(entries, tried=tried)
        else:
            return None
        records = [record for record in records if record.state.key]
        return _entry_change(max(records, key=lambda record: record.modified_at)) if records else None

    async def detailed(self, changes: Sequence[Change]) -> list[Change]:
        """Without the readings of keys that several entries share: which of them counts is for a person."""
        twice = await self._book.shared_keys((change.order_key for change in changes), tried="read entries of one key")
        return [
            change.model_copy(update={"reading": None}) if change.order_key in twice else change for change in changes
        ]


class JustOnInvoices(_Feed):
    """Changes of billing orders and of the invoices made of them."""

    def __init__(self, settings: JustOnSettings, *, system: str, salesforce: SalesforceClient) -> None:
        fields = settings.fields.billing
        invoice = relation(fields.invoice_of_order)
        streams = (
            Stream("orders", fields.order, "SystemModstamp", "Id", f"{fields.order_key} != null"),
            Stream("invoices", fields.order, f"{invoice}.SystemModstamp", "Id", f"{fields.invoice_of_order} != null"),
        )
        super().__init__(settings, streams, name=f"{system}:billing", system=system, salesforce=salesforce)
        self._invoices = InvoiceBook(salesforce, settings)

    async def read(self, cursor: str | None) -> Page:
        ids, behind, more = await self._streams.follow(cursor)
        changes: list[Change] = []
        for portion in chunks(ids):
            changes += await self._changes(f"Id IN {in_list(portion)}", "read the billing orders that changed")
        return Page(changes=_oldest_first(changes), cursor=behind, more=more)

    async def fetch(self, reference: str) -> Change | None:
        """`reference` is an order key, or object and record id (`ONB2__Invoice__c/a0I...`)."""
        fields, tried = self._settings.fields.billing, "read the billing order that a notification names"
        sobject, _, record_id = reference.rpartition("/")
        if not sobject:
            found = await self._changes(f"{fields.order_key} = {quote(reference)}", tried)
        elif sobject == fields.order:
            found = await self._changes(f"Id = {quote(record_id)}", tried)
        elif sobject == fields.invoice:
            found = await self._changes(f"{fields.invoice_of_order} = {quote(record_id)}", tried)
        else:
            return None
        return found[0] if found else None

    async def detailed(self, changes: Sequence[Change]) -> list[Change]:
        """With the invoices, their booking data and their entries: a few calls for all of an invoice run."""
        fields, tried = self._settings.fields.billing, "read the invoices that changed"
        columns = ["Id", "SystemModstamp", fields.order_key, fields.entry_key]
        columns += [fields.invoice_of_order, fields.build_error]
        rows: dict[str, dict[str, Any]] = {}
        for portion in chunks(change.order_key for change in changes):
            soql = f"SELECT {','.join(columns)} FROM {fields.order} WHERE {fields.order_key} IN {in_list(portion)}"
            rows |= {str(row[fields.order_key]): row for row in await self._client.query(soql, tried=tried)}
        # What has no known meaning is told without a reading; its run looks at it and parks.
        found = await self._invoices.progress([*rows.values()], tried=tried, odd={})
        told: list[Change] = []
        for change in changes:
            progress = found.get(change.order_key)
            reading = Reading(at=change.at, billing=progress) if progress is not None and change.at else None
            told.append(change.model_copy(update={"reading": reading}))
        return told

    async def _changes(self, where: str, tried: str) -> list[Change]:
        fields = self._settings.fields.billing
        invoice = relation(fields.invoice_of_order)
        own = [fields.order_key, fields.invoice_of_order, fields.build_error, fields.canceled, fields.expected_total]
        of_invoice = ["Name", fields.invoice_status, fields.invoice_total, fields.invoice_tax, fields.invoice_balance]
        state = [*own, *(f"{invoice}.{name}" for name in of_invoice)]
        rows = await self._client.query(
            f"SELECT Id,SystemModstamp,{invoice}.SystemModstamp,{','.join(state)} FROM {fields.order} WHERE {where}",
            tried=tried,
        )
        return [
            Change(
                order_key=str(row[fields.order_key]),
                what="billing",
                digest=digest_of(at_path(row, column) for column in state),
                at=max(moment(at_path(row, path)) for path in _stamps(row, invoice)),
                quiet=not (row.get(fields.build_error) or row.get(fields.canceled))
                and at_path(row, f"{invoice}.{fields.invoice_status}") in (None, *PRELIMINARY),
            )
            for row in rows
            if row.get(fields.order_key)
        ]


def _entry_change(record: EntryRecord) -> Change:
    state = record.state
    # An open entry without money is quiet only where none ever came: after a charge-back it looks the same.
    untouched = not state.assigned and len(record.payment_ids) == state.pending_attempts
    quiet = state.status is EntryStatus.OPEN and untouched
    return Change(
        order_key=state.key,
        what="entry",
        digest=record.digest,
        at=record.modified_at,
        quiet=quiet,
        reading=Reading(at=record.modified_at, entry=state),
    )


def _odd_change(key: str, problem: str) -> Change:
    return Change(order_key=key, what="entry", digest=digest_of([problem]), problem=problem)


def _oldest_first(changes: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda change: (change.at or BEGINNING, change.order_key)))


def _stamps(row: dict[str, Any], invoice: str) -> list[str]:
    return ["SystemModstamp", *([f"{invoice}.SystemModstamp"] if row.get(invoice) else [])]
