"""Reads payment entries with their payments from the org: one place for the queries, and for what they may show."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from activities.juston.mapping import ENTRY_STATUSES, EntryRecord, Unexpected, entry_record, money, relation
from activities.juston.settings import JustOnSettings
from activities.salesforce.client import SalesforceClient, quote
from activities.salesforce.soql import chunks, in_list
from commerce.failures import Family, SystemFailure
from commerce.money import Money, total
from commerce.payment import EntryStatus


class CashBook:
    """Every method raises SystemFailure; what the org shows without a known meaning waits for a person."""

    def __init__(self, client: SalesforceClient, settings: JustOnSettings, *, system: str) -> None:
        self._client = client
        self._single = settings.single_currency
        self._fields = settings.fields.cash
        self._system = system

    async def by_key(self, key: str, *, tried: str, order_key: str) -> list[EntryRecord]:
        """All entries under exactly this assignment key, canceled ones included, the latest first."""
        found = await self._read(f"{self._fields.entry_key} = {quote(key)}", tried=tried, order_key=order_key)
        # A query compares texts without regard to case; keys that differ in case are different orders.
        return [record for record in found if record.state.key == key]

    async def by_ids(
        self, ids: Iterable[str], *, tried: str, order_key: str = "", odd: dict[str, str] | None = None
    ) -> list[EntryRecord]:
        """The entries with these record ids. One that has no known meaning goes into `odd`, key and reason, if given:
        a single strange record must not hide the others from a feed.
        """
        found: list[EntryRecord] = []
        for portion in chunks(ids):
            found += await self._read(f"Id IN {in_list(portion)}", tried=tried, order_key=order_key, odd=odd)
        return found

    async def shared_keys(self, keys: Iterable[str], *, tried: str) -> set[str]:
        """Those of the keys that several entries carry which are not canceled."""
        fields = self._fields
        found: Counter[str] = Counter()
        for portion in chunks(keys):
            rows = await self._client.query(
                f"SELECT Id,{fields.entry_key},{fields.entry_status} FROM {fields.entry} "
                f"WHERE {fields.entry_key} IN {in_list(portion)}",
                tried=tried,
            )
            live_rows = [
                row for row in rows if ENTRY_STATUSES.get(str(row[fields.entry_status])) is not EntryStatus.CANCELED
            ]
            found.update(str(row[fields.entry_key]) for row in live_rows)
        return {key for key, count in found.items() if count > 1}

    async def entries_of_payment(self, payment_id: str, *, tried: str) -> list[str]:
        """Record ids of the entries that a payment pays."""
        fields = self._fields
        rows = await self._client.query(
            f"SELECT {fields.item_entry} FROM {fields.item} WHERE {fields.item_payment} = {quote(payment_id)}",
            tried=tried,
        )
        return sorted({str(row[fields.item_entry]) for row in rows if row.get(fields.item_entry)})

    async def paid_back(self, record: EntryRecord, *, tried: str, order_key: str) -> dict[str, Money]:
        """Money that goes back or went back, by payment id, from the refund records."""
        fields = self._fields
        currency = record.state.amount.currency
        found: dict[str, Money] = {}
        for portion in chunks(record.payment_ids):
            rows = await self._client.query(
                f"SELECT Id,{fields.refund_payment},{fields.refund_amount} FROM {fields.refund} "
                f"WHERE {fields.refund_payment} IN {in_list(portion)}",
                tried=tried,
                order_key=order_key,
            )
            try:
                for row in rows:
                    amount = money(row, fields.refund_amount, currency, empty=0)
                    # Whether money out is kept as a negative number is the org's affair; here it is an amount.
                    size = Money(minor=abs(amount.minor), currency=currency)
                    payment_id = str(row[fields.refund_payment])
                    found[payment_id] = total([size, found.get(payment_id, Money.zero(currency))], currency)
            except Unexpected as err:
                raise self._odd(err, tried) from err
        return found

    async def _read(
        self, where: str, *, tried: str, order_key: str, odd: dict[str, str] | None = None
    ) -> list[EntryRecord]:
        fields = self._fields
        columns = ["Id", fields.entry_key, fields.entry_status, fields.entry_amount, fields.entry_assigned]
        columns += [
            fields.entry_invoice,
            fields.entry_link,
            "CreatedDate",
            "SystemModstamp",
            *([] if self._single else ["CurrencyIsoCode"]),
        ]
        rows = await self._client.query(
            f"SELECT {','.join(c for c in columns if c)} FROM {fields.entry} WHERE {where} "
            "ORDER BY CreatedDate DESC, Id DESC",
            tried=tried,
            order_key=order_key,
        )
        if not rows:
            return []
        items = await self._items(fields.item_entry, [str(row["Id"]) for row in rows], tried=tried, order_key=order_key)
        by_entry: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for item in items:
            by_entry[str(item[fields.item_entry])].append(item)
        payments = sorted({str(item[fields.item_payment]) for item in items if item.get(fields.item_payment)})
        failures = await self._failed_captures(payments, tried=tried, order_key=order_key)
        shared = await self._shared(items, tried=tried, order_key=order_key)
        records: list[EntryRecord] = []
        for row in rows:
            try:
                records.append(entry_record(row, by_entry[str(row["Id"])], failures, shared, fields, self._single))
            except Unexpected as err:
                if odd is None:
                    raise self._odd(err, tried) from err
                odd[str(row.get(fields.entry_key) or "")] = f"entry {row['Id']}: {err}"
        return records

    async def _items(self, by: str, ids: Iterable[str], *, tried: str, order_key: str) -> list[dict[str, Any]]:
        fields = self._fields
        payment = relation(fields.item_payment)
        of_payment = [fields.payment_status, fields.payment_collected, fields.payment_method, fields.payment_provider]
        of_payment += [fields.payment_transaction, fields.payment_date, "SystemModstamp"]
        columns = ["Id", fields.item_entry, fields.item_payment, fields.item_assigned]
        columns += [f"{payment}.{name}" for name in of_payment if name]
        found: list[dict[str, Any]] = []
        for portion in chunks(ids):
            found += await self._client.query(
                f"SELECT {','.join(columns)} FROM {fields.item} WHERE {by} IN {in_list(portion)}",
                tried=tried,
                order_key=order_key,
            )
        return found

    async def _failed_captures(self, payments: list[str], *, tried: str, order_key: str) -> Counter[str]:
        """How many messages without an amount each payment has: a failed capture sends an empty one."""
        fields = self._fields
        found: Counter[str] = Counter()
        if not fields.notification:
            return found
        for portion in chunks(payments):
            rows = await self._client.query(
                f"SELECT Id,{fields.notification_payment} FROM {fields.notification} "
                f"WHERE {fields.notification_payment} IN {in_list(portion)} AND {fields.notification_amount} = null",
                tried=tried,
                order_key=order_key,
            )
            found.update(str(row[fields.notification_payment]) for row in rows)
        return found

    async def _shared(self, items: list[dict[str, Any]], *, tried: str, order_key: str) -> set[str]:
        """Payments that pay other entries too. Asked only for those whose money is not all in one item."""
        fields = self._fields
        suspects = {
            str(item[fields.item_payment])
            for item in items
            if item.get(fields.item_payment)
            and (item.get(relation(fields.item_payment)) or {}).get(fields.payment_collected)
            != item.get(fields.item_assigned)
        }
        entries: defaultdict[str, set[str]] = defaultdict(set)
        for item in await self._items(fields.item_payment, sorted(suspects), tried=tried, order_key=order_key):
            entries[str(item[fields.item_payment])].add(str(item[fields.item_entry]))
        return {payment for payment, of in entries.items() if len(of) > 1}

    def _odd(self, err: Unexpected, tried: str) -> SystemFailure:
        return SystemFailure(
            Family.NEEDS_PERSON,
            tried,
            str(err),
            system=self._system,
            code="unexpected record",
            do_next="look at the record in JustOn, put it right or extend the settings, then decide 'retry'",
        )


def live(records: Iterable[EntryRecord]) -> list[EntryRecord]:
    return [record for record in records if record.state.status is not EntryStatus.CANCELED]
