"""Reads the invoices that the invoice run made of billing orders: many at once, so that a run of thousands costs few
calls."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from activities.juston.mapping import Unexpected, currency_of, money, same_record
from activities.juston.settings import JustOnSettings
from activities.roles import BillingProgress, InvoiceState
from activities.salesforce.client import SalesforceClient
from activities.salesforce.soql import chunks, in_list
from commerce.money import Money, total

# Statuses of an invoice before it has its number, and after.
PRELIMINARY = frozenset({"Draft", "Pre-Draft", "Pre-Open"})
FINAL = frozenset({"Open", "Paid", "Settled", "Canceled", "Closed"})
Row = Mapping[str, Any]


class InvoiceBook:
    """One org's invoices with their booking data and the entries that point to them. Raises SystemFailure."""

    def __init__(self, client: SalesforceClient, settings: JustOnSettings) -> None:
        self._client = client
        self._single = settings.single_currency
        self._fields = settings.fields.billing
        self._cash = settings.fields.cash

    async def rows(self, invoice_ids: Iterable[str], *, tried: str, order_key: str = "") -> list[dict[str, Any]]:
        """The invoices with these ids, as the org has them."""
        fields = self._fields
        columns = ["Id", "Name", fields.invoice_status, fields.invoice_total, fields.invoice_tax]
        columns += [fields.invoice_balance, fields.invoice_entry_key, *self._currency()]
        return await self._all(columns, fields.invoice, "Id", invoice_ids, tried, order_key)

    async def progress(
        self, orders: Sequence[Row], *, tried: str, order_key: str = "", odd: dict[str, str] | None = None
    ) -> dict[str, BillingProgress]:
        """How far each of these billing orders is, by its key. Left out is one whose invoice is not there any more, and
        one without a known meaning: that goes into `odd`, key and reason, if given, else it raises Unexpected.
        """
        fields = self._fields
        billed = {_short(row[fields.invoice_of_order]): row for row in orders if row.get(fields.invoice_of_order)}
        wanted = [str(row[fields.invoice_of_order]) for row in billed.values()]
        invoices = await self.rows(wanted, tried=tried, order_key=order_key)
        bookings = await self._bookings([str(invoice["Id"]) for invoice in invoices], tried, order_key)
        entries = await self._entries(invoices, tried, order_key)
        found = {
            str(row[fields.order_key]): BillingProgress(build_error=str(row.get(fields.build_error) or ""))
            for row in orders
            if not row.get(fields.invoice_of_order)
        }
        for invoice in invoices:
            order = billed[_short(invoice["Id"])]
            key = str(order[fields.order_key])
            try:
                state = self._state(invoice, order, bookings[_short(invoice["Id"])], entries[key])
            except Unexpected as err:
                if odd is None:
                    raise
                odd[key] = str(err)
                continue
            found[key] = BillingProgress(invoice=state, build_error=state.build_error)
        return found

    def _state(self, invoice: Row, order: Row, bookings: list[Row], entries: list[Row]) -> InvoiceState:
        fields = self._fields
        status = str(invoice.get(fields.invoice_status))
        if status not in PRELIMINARY | FINAL:
            raise Unexpected(f"the status {status!r} is unknown")
        final = status in FINAL
        currency = currency_of(invoice, self._single)
        return InvoiceState(
            id=str(invoice["Id"]),
            # Before finalization the name is a draft number that nobody may be told.
            number=str(invoice.get("Name") or "") if final else "",
            status=status,
            final=final,
            total=money(invoice, fields.invoice_total, currency),
            tax=money(invoice, fields.invoice_tax, currency, empty=0),
            balance=money(invoice, fields.invoice_balance, currency),
            entry_assigned=self._assigned(invoice, order, entries),
            booked=self._booked(bookings, currency),
            build_error=str(order.get(fields.build_error) or ""),
        )

    def _assigned(self, invoice: Row, order: Row, entries: list[Row]) -> bool:
        """Both sides agree: the entry points to this invoice, and the invoice carries the entry's key."""
        key = order.get(self._fields.entry_key)
        if not key or invoice.get(self._fields.invoice_entry_key) != key:
            return False
        return any(
            entry.get(self._cash.entry_key) == key
            and same_record(str(entry.get(self._cash.entry_invoice) or ""), str(invoice["Id"]))
            for entry in entries
        )

    def _booked(self, bookings: list[Row], currency: str) -> Money:
        """What the booking data holds of the invoice: revenue and tax."""
        fields = self._fields
        counted = [row for row in bookings if row.get(fields.booking_type) in fields.invoice_types_booked]
        foreign = {str(row.get("CurrencyIsoCode")) for row in counted if not self._single} - {currency}
        if foreign:
            raise Unexpected(f"its booking data is in {', '.join(sorted(foreign))}, the invoice in {currency}")
        return total((money(row, fields.booking_amount, currency) for row in counted), currency)

    async def _bookings(self, ids: list[str], tried: str, order_key: str) -> defaultdict[str, list[Row]]:
        fields = self._fields
        columns = ["Id", fields.booking_invoice, fields.booking_type, fields.booking_amount, *self._currency()]
        found: defaultdict[str, list[Row]] = defaultdict(list)
        for row in await self._all(columns, fields.booking, fields.booking_invoice, ids, tried, order_key):
            found[_short(row[fields.booking_invoice])].append(row)
        return found

    async def _entries(self, invoices: list[dict[str, Any]], tried: str, order_key: str) -> defaultdict[str, list[Row]]:
        cash = self._cash
        keys = [str(row[self._fields.invoice_entry_key]) for row in invoices if row.get(self._fields.invoice_entry_key)]
        columns = ["Id", cash.entry_key, cash.entry_invoice]
        found: defaultdict[str, list[Row]] = defaultdict(list)
        for row in await self._all(columns, cash.entry, cash.entry_key, keys, tried, order_key):
            found[str(row[cash.entry_key])].append(row)
        return found

    async def _all(
        self, columns: list[str], sobject: str, by: str, values: Iterable[str], tried: str, order_key: str
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for portion in chunks(values):
            soql = f"SELECT {','.join(columns)} FROM {sobject} WHERE {by} IN {in_list(portion)}"
            found += await self._client.query(soql, tried=tried, order_key=order_key)
        return found

    def _currency(self) -> list[str]:
        return [] if self._single else ["CurrencyIsoCode"]


def _short(record_id: Any) -> str:
    """The part of an id that its short and its long form have in common."""
    return str(record_id)[:15]
