"""What JustOn's own books show for a reconciliation: payment entries, money in and out, billing orders, invoices."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from activities.juston.invoices import FINAL, PRELIMINARY
from activities.juston.mapping import Unexpected, currency_of, money, relation, same_record
from activities.juston.settings import JustOnSettings
from activities.reconcile import KeyPage, Period
from activities.salesforce.changed import Changed, at_path, moment, page_of
from activities.salesforce.client import SalesforceClient
from activities.salesforce.soql import chunks, in_list
from commerce.failures import Family, SystemFailure
from commerce.money import Money
from commerce.statements import Statement, StatementKind, StatementState

_TRIED = "read JustOn's documents for a comparison"
_ENTRY_STATES = {
    "Open": StatementState.PENDING,
    "Balanced": StatementState.LIVE,
    "Canceled": StatementState.CANCELED,
}
Row = Mapping[str, Any]


class JustOnStatements:
    """A `Reader`."""

    def __init__(self, settings: JustOnSettings, *, system: str, salesforce: SalesforceClient) -> None:
        self._cash = cash = settings.fields.cash
        self._billing = billing = settings.fields.billing
        self._single = settings.single_currency
        self._client = salesforce
        self._system = system
        key_of_item = f"{relation(cash.item_entry)}.{cash.entry_key}"
        self._streams = (
            Changed(cash.entry, (cash.entry_key,), _keyed(cash.entry_key), where=f"{cash.entry_key} != null"),
            Changed(cash.item, (key_of_item,), _keyed(key_of_item), of=f"{relation(cash.item_payment)}."),
            Changed(
                billing.order, (billing.order_key,), _keyed(billing.order_key), where=f"{billing.order_key} != null"
            ),
            Changed(
                billing.order,
                (billing.order_key,),
                _keyed(billing.order_key),
                of=f"{relation(billing.invoice_of_order)}.",
                where=f"{billing.invoice_of_order} != null",
            ),
            Changed(
                billing.invoice,
                (billing.invoice_entry_key,),
                _keyed(billing.invoice_entry_key),
                where=f"{billing.invoice_entry_key} != null",
            ),
        )

    async def touched(self, period: Period, cursor: str) -> KeyPage:
        return await page_of(self._client, self._streams, period, cursor, tried="find JustOn's changed documents")

    async def statements(self, keys: Sequence[str]) -> list[Statement]:
        wanted = frozenset(keys)
        try:
            return [*await self._money(wanted), *await self._billed(wanted)]
        except Unexpected as err:
            raise SystemFailure(
                Family.NEEDS_PERSON,
                _TRIED,
                str(err),
                system=self._system,
                code="unexpected record",
                do_next="look at the record in JustOn, put it right or extend the settings",
            ) from err

    # ---- entries, payments, refunds ----------------------------------------------------------------------------------

    async def _money(self, keys: frozenset[str]) -> list[Statement]:
        cash = self._cash
        columns = ["Id", "Name", cash.entry_key, cash.entry_status, cash.entry_amount, *self._stamps()]
        rows = await self._by(cash.entry, columns, cash.entry_key, keys)
        entries = {str(row["Id"]): row for row in rows if row[cash.entry_key] in keys}
        payment = relation(cash.item_payment)
        of_payment = ["Name", cash.payment_status, cash.payment_collected, cash.payment_transaction, *self._stamps()]
        columns = ["Id", cash.item_entry, cash.item_payment, cash.item_assigned]
        columns += [f"{payment}.{name}" for name in of_payment]
        items = [
            item for item in await self._by(cash.item, columns, cash.item_entry, entries) if item.get(cash.item_payment)
        ]
        shared = await self._shared(items)
        payments: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for item in items:
            payments[str(item[cash.item_entry]), str(item[cash.item_payment])].append(item)
        refunds = await self._refunds(sorted({payment_id for _, payment_id in payments}))
        found = [self._entry(row) for row in entries.values()]
        for (entry_id, payment_id), of in payments.items():
            found += self._payment(
                entries[entry_id], payment_id, of, refunds[payment_id], is_shared=payment_id in shared
            )
        return found

    def _entry(self, row: Row) -> Statement:
        cash = self._cash
        status = str(row[cash.entry_status])
        if status not in _ENTRY_STATES:
            raise Unexpected(f"entry {row['Name']} has the unknown status {status!r}")
        amount = money(row, cash.entry_amount, self._currency(row))
        return self._statement(StatementKind.ENTRY, row, row[cash.entry_key], amount, _ENTRY_STATES[status], status)

    def _payment(
        self, entry: Row, payment_id: str, items: Sequence[Row], refunds: Sequence[Row], *, is_shared: bool
    ) -> list[Statement]:
        """What came in, and what went back or was taken back by the buyer's bank."""
        cash, payment = self._cash, items[0][relation(self._cash.item_payment)]
        key, currency = entry[cash.entry_key], self._currency(entry)
        status = str(payment[cash.payment_status])
        came = (*cash.collected_values, *cash.refunded_values, *cash.charged_back_values)
        if status not in came:
            return []
        assigned = sum(money(item, cash.item_assigned, currency, empty=0).minor for item in items)
        whole = money(payment, cash.payment_collected, currency, empty=assigned)
        amount = Money(minor=assigned, currency=currency) if is_shared else whole
        item = str(payment.get(cash.payment_transaction) or "") or payment_id
        row = {**payment, "Id": payment_id}
        live = StatementState.LIVE
        found = [self._statement(StatementKind.PAYMENT, row, key, amount, live, status, item=item)]
        if status in cash.charged_back_values:
            found.append(self._statement(StatementKind.REFUND, row, key, amount, live, status, item=item))
        for refund in refunds:
            refund_status = str(refund.get(cash.refund_status) or "") if cash.refund_status else ""
            if refund_status in cash.refund_rejected_values:
                continue
            back = abs(money(refund, cash.refund_amount, currency, empty=0).minor)
            amount = Money(minor=back, currency=currency)
            found.append(self._statement(StatementKind.REFUND, refund, key, amount, live, refund_status, item=item))
        return found

    async def _refunds(self, payment_ids: Sequence[str]) -> defaultdict[str, list[dict[str, Any]]]:
        cash = self._cash
        found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        if not cash.refund:
            return found
        columns = ["Id", "Name", cash.refund_payment, cash.refund_amount, *self._stamps()]
        columns += [cash.refund_status] if cash.refund_status else []
        for row in await self._by(cash.refund, columns, cash.refund_payment, payment_ids):
            found[str(row[cash.refund_payment])].append(row)
        return found

    async def _shared(self, items: Sequence[Row]) -> set[str]:
        """Payments that pay several entries. Asked only for those whose money is not all in one item."""
        cash = self._cash
        suspects = {
            str(item[cash.item_payment])
            for item in items
            if item[relation(cash.item_payment)].get(cash.payment_collected) != item.get(cash.item_assigned)
        }
        rows = await self._by(
            cash.item, ["Id", cash.item_payment, cash.item_entry], cash.item_payment, sorted(suspects)
        )
        of: defaultdict[str, set[str]] = defaultdict(set)
        for row in rows:
            of[str(row[cash.item_payment])].add(str(row[cash.item_entry]))
        return {payment for payment, entries in of.items() if len(entries) > 1}

    # ---- billing orders and invoices ---------------------------------------------------------------------------------

    async def _billed(self, keys: frozenset[str]) -> list[Statement]:
        billing = self._billing
        prepaid = [billing.gift_cards, billing.store_credit, billing.gateway]
        columns = ["Id", "Name", billing.order_key, billing.entry_key, billing.expected_total, billing.canceled]
        columns += [billing.invoice_of_order, billing.build_error, *prepaid, *self._stamps()]
        rows = await self._by(billing.order, columns, billing.order_key, keys)
        orders = [row for row in rows if row[billing.order_key] in keys]
        columns = ["Id", "Name", billing.invoice_status, billing.invoice_total, billing.invoice_balance]
        columns += [billing.invoice_entry_key, billing.invoice_type, *self._stamps()]
        ids = sorted({str(row[billing.invoice_of_order]) for row in orders if row[billing.invoice_of_order]})
        invoices = {str(row["Id"]): row for row in await self._by(billing.invoice, columns, "Id", ids)}
        # Also those that no billing order points to: a second invoice under the same key is what is looked for.
        for row in await self._by(billing.invoice, columns, billing.invoice_entry_key, keys):
            invoices.setdefault(str(row["Id"]), row)
        found: list[Statement] = []
        owned: Counter[str] = Counter()
        for order in orders:
            mine = [
                row for row in invoices.values() if same_record(str(order[billing.invoice_of_order] or ""), row["Id"])
            ]
            owned.update(str(row["Id"]) for row in mine)
            found.append(self._order(order, mine))
            for row in mine:
                found += self._invoice(row, str(order[billing.order_key]), order)
        for invoice_id, row in invoices.items():
            if not owned[invoice_id] and row[billing.invoice_entry_key] in keys:
                found += self._invoice(row, str(row[billing.invoice_entry_key]), None)
        return found

    def _order(self, row: Row, invoices: Sequence[Row]) -> Statement:
        billing = self._billing
        ended = [one for one in invoices if one[billing.invoice_status] == "Canceled"]
        canceled = row[billing.canceled] is True or bool(ended)
        status = "withdrawn" if row[billing.canceled] is True else "invoice canceled" if ended else ""
        return self._statement(
            StatementKind.BILLING_ORDER,
            row,
            row[billing.order_key],
            money(row, billing.expected_total, self._currency(row)),
            StatementState.CANCELED if canceled else StatementState.LIVE,
            status or str(row.get(billing.build_error) or "handed over"),
        )

    def _invoice(self, row: Row, key: str, order: Row | None) -> list[Statement]:
        """The invoice, and where a payment entry pays it, the part that the entry has to cover."""
        billing, currency = self._billing, self._currency(row)
        status = str(row[billing.invoice_status])
        if str(row.get(billing.invoice_type) or "") in billing.credit_types:
            return []
        if status not in PRELIMINARY | FINAL:
            raise Unexpected(f"invoice {row['Name']} has the unknown status {status!r}")
        state = StatementState.LIVE if status in FINAL else StatementState.PENDING
        state = StatementState.CANCELED if status == "Canceled" else state
        amount = money(row, billing.invoice_total, currency)
        found = [self._statement(StatementKind.INVOICE, row, key, amount, state, status)]
        if order is not None and order[billing.entry_key] and state is not StatementState.PENDING:
            prepaid = sum(
                money(order, name, currency, empty=0).minor
                for name in (billing.gift_cards, billing.store_credit, billing.gateway)
            )
            covered = Money(minor=amount.minor - prepaid, currency=currency)
            still_open = money(row, billing.invoice_balance, currency, empty=0)
            settled = StatementState.PENDING if state is StatementState.LIVE and still_open else state
            found.append(self._statement(StatementKind.SETTLEMENT, row, key, covered, settled, status))
        return found

    # ---- helpers -----------------------------------------------------------------------------------------------------

    def _statement(
        self,
        kind: StatementKind,
        row: Row,
        key: str,
        amount: Money,
        state: StatementState,
        status: str,
        *,
        item: str = "",
    ) -> Statement:
        return Statement(
            kind=kind,
            system=self._system,
            key=key,
            id=str(row["Id"]),
            number=str(row.get("Name") or ""),
            item=item,
            amount=amount,
            state=state,
            status=status,
            created_at=moment(row["CreatedDate"]),
            modified_at=moment(row["SystemModstamp"]),
        )

    def _stamps(self) -> list[str]:
        return ["CreatedDate", "SystemModstamp", *([] if self._single else ["CurrencyIsoCode"])]

    def _currency(self, row: Row) -> str:
        return currency_of(row, self._single)

    async def _by(
        self,
        sobject: str,
        columns: Sequence[str],
        field: str,
        values: Mapping[str, Any] | Sequence[str] | frozenset[str],
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        listed = ",".join(dict.fromkeys(columns))
        for portion in chunks(sorted(values)):
            soql = f"SELECT {listed} FROM {sobject} WHERE {field} IN {in_list(portion)}"
            found += await self._client.query(soql, tried=_TRIED)
        return found


def _keyed(path: str) -> Any:
    return lambda row: [str(at_path(row, path) or "")]
