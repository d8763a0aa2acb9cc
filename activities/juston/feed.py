"""What changed at JustOn: entries with their payments, and billing orders with their invoices.

Polling by `SystemModstamp`, because it moves on every change. A pass starts an overlap before the last stamp seen, for
rows that were committed later than their stamp says, and goes through the rows by stamp and id, so that a restart in
the middle loses nothing. What was seen before comes again with the same digest.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.changes import Change, Page
from activities.juston.billing import PRELIMINARY
from activities.juston.book import CashBook
from activities.juston.mapping import EntryRecord, moment, relation
from activities.juston.settings import JustOnSettings
from activities.salesforce.client import SalesforceClient, quote
from activities.salesforce.soql import chunks, in_list
from commerce.failures import Family, SystemFailure
from commerce.payment import EntryStatus

# The platform is younger than its first records can be.
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Place:
    """Where a stream goes on: rows from `at`, after `id` where the pass is under way; `seen` is the latest stamp."""

    at: datetime
    id: str
    seen: datetime

    def after(self, last: tuple[datetime, str] | None, *, more: bool, overlap: timedelta) -> "Place":
        """The place behind a page whose last row is `last` (stamp and id); `more`: the pass is not at its end."""
        seen = max(self.seen, last[0]) if last is not None else self.seen
        if more and last is not None:
            return Place(last[0], last[1], seen)
        return Place(max(seen - overlap, BEGINNING), "", seen)


@dataclass(frozen=True)
class Stream:
    """One query that is followed: rows of `sobject` in the order of `stamp`. `column` names the record that changed."""

    name: str
    sobject: str
    stamp: str
    column: str
    where: str = ""

    def soql(self, place: Place, limit: int) -> str:
        at = literal(place.at)
        since = f"{self.stamp} >= {at}"
        if place.id:
            since = f"({self.stamp} > {at} OR ({self.stamp} = {at} AND Id > {quote(place.id)}))"
        columns = ",".join(dict.fromkeys(("Id", self.stamp, self.column)))
        also = f" AND {self.where}" if self.where else ""
        return (
            f"SELECT {columns} FROM {self.sobject} WHERE {since}{also} ORDER BY {self.stamp} ASC, Id ASC LIMIT {limit}"
        )


class _Feed:
    """Follows several streams with one cursor, a JSON text of places by stream name."""

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
        self._streams = streams
        self._client = salesforce

    async def _follow(self, cursor: str | None) -> tuple[list[str], str, bool]:
        """Distinct record ids that changed, the cursor behind them, and whether a pass goes on."""
        places = self._places(cursor)
        overlap, limit = timedelta(seconds=self._settings.feed_overlap_seconds), self._settings.feed_page
        ids: dict[str, None] = {}
        going_on = False
        for stream in self._streams:
            place = places[stream.name]
            rows = await self._client.query(stream.soql(place, limit), tried=f"read what changed in {stream.name}")
            for row in rows:
                changed = _path(row, stream.column)
                if changed:
                    ids[str(changed)] = None
            more = len(rows) >= limit
            last = (moment(_path(rows[-1], stream.stamp)), str(rows[-1]["Id"])) if rows else None
            places[stream.name] = place.after(last, more=more, overlap=overlap)
            going_on = going_on or more
        return list(ids), _written(places), going_on

    def _places(self, cursor: str | None) -> dict[str, Place]:
        start = self._settings.changes_since or BEGINNING
        places = {stream.name: Place(start, "", start) for stream in self._streams}
        if cursor is None:
            return places
        try:
            data = json.loads(cursor)
            for name in places:
                if name in data:
                    at, last, seen = data[name]
                    places[name] = Place(datetime.fromisoformat(at), str(last), datetime.fromisoformat(seen))
        except (ValueError, TypeError) as err:
            raise SystemFailure(
                Family.BUG,
                f"go on with the feed {self.name}",
                f"the cursor is not one of this feed: {cursor[:80]!r}",
                system=self.system,
                do_next="remove the feed's cursor from the ledger; it starts again from changes_since",
            ) from err
        return places


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
        ids, behind, more = await self._follow(cursor)
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

    async def read(self, cursor: str | None) -> Page:
        ids, behind, more = await self._follow(cursor)
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
                digest=_digest(_path(row, column) for column in state),
                at=max(moment(_path(row, path)) for path in _stamps(row, invoice)),
                quiet=not (row.get(fields.build_error) or row.get(fields.canceled))
                and _path(row, f"{invoice}.{fields.invoice_status}") in (None, *PRELIMINARY),
            )
            for row in rows
            if row.get(fields.order_key)
        ]


def literal(at: datetime) -> str:
    """A time as SOQL writes it, in UTC with milliseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _entry_change(record: EntryRecord) -> Change:
    state = record.state
    # An open entry without money is quiet only where none ever came: after a charge-back it looks the same.
    untouched = not state.assigned and len(record.payment_ids) == state.pending_attempts
    quiet = state.status is EntryStatus.OPEN and untouched
    return Change(order_key=state.key, what="entry", digest=record.digest, at=record.modified_at, quiet=quiet)


def _odd_change(key: str, problem: str) -> Change:
    return Change(order_key=key, what="entry", digest=_digest([problem]), problem=problem)


def _oldest_first(changes: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda change: (change.at or BEGINNING, change.order_key)))


def _stamps(row: dict[str, Any], invoice: str) -> list[str]:
    return ["SystemModstamp", *([f"{invoice}.SystemModstamp"] if row.get(invoice) else [])]


def _digest(values: Iterable[Any]) -> str:
    # Numbers of one value may come with a different number of zeros.
    plain = [format(value.normalize(), "f") if hasattr(value, "normalize") else value for value in values]
    return hashlib.sha256(json.dumps(plain, ensure_ascii=False).encode()).hexdigest()[:32]


def _path(row: dict[str, Any], path: str) -> Any:
    """A field of a row, also of a record that it looks up to (`ON_Invoice__r.Name`); None where there is none."""
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _written(places: dict[str, Place]) -> str:
    return json.dumps({name: [p.at.isoformat(), p.id, p.seen.isoformat()] for name, p in places.items()})
