"""What the ERP's own books show for a reconciliation: sales orders, shipments, cash entries by the order they name.

Read past our own writing: sales orders also without our key, cash entries also without our external id, because what
somebody made by hand, or a second time, is what a comparison is for.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from activities.financialforce.goods import key_paths, line_id
from activities.financialforce.mapping import CASH_LINE, ORDER, ORDER_LINE, SHIPPING, external_id, number
from activities.financialforce.orders import CANCELLED
from activities.financialforce.settings import FinancialForceSettings
from activities.financialforce.shipped import INTANGIBLE, cancelled_of, lines_of, ordered_of, shipments_of, unsent_of
from activities.reconcile import KeyPage, Period
from activities.salesforce.changed import Changed, at_path, moment, number_of, page_of
from activities.salesforce.client import SalesforceClient
from activities.salesforce.soql import chunks, in_list
from commerce.failures import Family, SystemFailure
from commerce.money import Money, rounded, total
from commerce.statements import Statement, StatementKind, StatementState, quantities_of

_CASH_STATES = {
    "Complete": StatementState.LIVE,
    "In Progress": StatementState.PENDING,
    "Discarded": StatementState.CANCELED,
}
_CASH_KINDS = {"Receipt": StatementKind.RECEIPT, "Refund": StatementKind.CASH_REFUND}
_REFERENCE = "c2g__AccountReference__c"
_ENTRY = "c2g__CashEntry__r"
_OWN_NUMBER = "SCMC__Existing_SO_Number__c"
_TRANSACTION = f"{_ENTRY}.c2g__Reference__c"
_BY_TRANSACTION = "transaction:"  # before what a cash entry tells instead of an order
_TRIED = "read the ERP's documents for a comparison"


class FinancialForceStatements:
    """A `Reader`."""

    def __init__(self, settings: FinancialForceSettings, client: SalesforceClient, *, system: str) -> None:
        self._settings = settings
        self._names = settings.fields
        self._client = client
        self._system = system
        key = self._names.order_key
        of_shipment = key_paths(self._names)["shippings"]
        self._streams = (
            Changed(
                ORDER,
                (key, _OWN_NUMBER, f"SCMC__Customer_Account__r.{self._names.customer_key}"),
                lambda row: [self._key_of_order(row)],
                where=f"({key} != null OR {_OWN_NUMBER} != null)",
            ),
            Changed(
                SHIPPING,
                (of_shipment,),
                lambda row: [str(at_path(row, of_shipment) or "")],
                where=f"{of_shipment} != null",
            ),
            Changed(
                CASH_LINE,
                (_REFERENCE, f"{_ENTRY}.c2g__Description__c", f"{_ENTRY}.c2g__Account__r.{self._names.customer_key}"),
                lambda row: [self._told(row)],
                of=f"{_ENTRY}.",
                where=f"{_REFERENCE} != null",
            ),
            Changed(
                CASH_LINE,
                (_TRANSACTION,),
                lambda row: [f"{_BY_TRANSACTION}{at_path(row, _TRANSACTION)}"],
                of=f"{_ENTRY}.",
                where=f"{_REFERENCE} = null AND {_TRANSACTION} != null",
            ),
        )

    async def touched(self, period: Period, cursor: str) -> KeyPage:
        page = await page_of(self._client, self._streams, period, cursor, tried="find the ERP's changed documents")
        unnamed = [key.removeprefix(_BY_TRANSACTION) for key in page.keys if key.startswith(_BY_TRANSACTION)]
        if not unnamed:
            return page
        # Money that names no order belongs to the one that has the same transaction.
        keys = [key for key in page.keys if not key.startswith(_BY_TRANSACTION)]
        for portion in chunks(unnamed):
            twins = await self._cash_lines(f"{_TRANSACTION} IN {in_list(portion)} AND {_REFERENCE} != null")
            keys += [told for told in map(self._told, twins) if told]
        return page.model_copy(update={"keys": tuple(dict.fromkeys(keys))})

    async def statements(self, keys: Sequence[str]) -> list[Statement]:
        orders = await self._orders(keys)
        keyed = [order for order in orders if order.keyed]
        shipments = await shipments_of(self._client, keyed, self._settings, tried=_TRIED)
        return [*orders, *shipments, *await self._cash(keys)]

    # ---- sales orders ------------------------------------------------------------------------------------------------

    async def _orders(self, keys: Sequence[str]) -> list[Statement]:
        key = self._names.order_key
        columns = f"Id,Name,{key},{_OWN_NUMBER},SCMC__Status__c,SCMC__Currency__r.Name,"
        columns += "SCMC__Total_Tax__c,CreatedDate,SystemModstamp"
        found: list[dict[str, Any]] = []
        for portion in chunks(keys):
            found += await self._query(f"SELECT {columns} FROM {ORDER} WHERE {key} IN {in_list(portion)}")
        for portion in chunks(number_of(one) for one in keys):
            # A copy made by hand carries the order's number, and not its key.
            found += await self._query(
                f"SELECT {columns} FROM {ORDER} WHERE {key} = null AND {_OWN_NUMBER} IN {in_list(portion)}"
            )
        lines = await self._lines([str(row["Id"]) for row in found])
        by_number = _by_number(keys)
        statements = []
        for row in found:
            owner = str(row.get(key) or "") or _only(by_number, str(row[_OWN_NUMBER]))
            # A query compares texts without regard to case; keys that differ in case are different orders.
            if owner in keys or owner.startswith("*:"):
                statements.append(self._order(row, owner, lines[str(row["Id"])]))
        return statements

    def _key_of_order(self, row: Mapping[str, Any]) -> str:
        """Its key; else, for one that was made by hand, its customer's store and its number."""
        if row.get(self._names.order_key):
            return str(row[self._names.order_key])
        account = str(at_path(row, f"SCMC__Customer_Account__r.{self._names.customer_key}") or "")
        store = account.partition(":")[0]
        return f"{store}:{row[_OWN_NUMBER]}" if store else ""

    async def _lines(self, ids: Sequence[str]) -> defaultdict[str, list[dict[str, Any]]]:
        found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for portion in chunks(ids):
            rows = await self._query(
                f"SELECT Id,SCMC__Sales_Order__c,SCMC__Quantity__c,SCMC__Quantity_Shipped__c,SCMC__Price__c,"
                f"SCMC__Status__c,{self._names.ordered_quantity},{self._names.line_key},SCMC__Item_Master__r.Name,"
                f"{INTANGIBLE} FROM {ORDER_LINE} WHERE SCMC__Sales_Order__c IN {in_list(portion)}"
            )
            for row in rows:
                found[str(row["SCMC__Sales_Order__c"])].append(row)
        return found

    def _order(self, row: Mapping[str, Any], owner: str, lines: Sequence[Mapping[str, Any]]) -> Statement:
        currency = self._currency(row, "SCMC__Currency__r.Name")
        canceled = row["SCMC__Status__c"] == CANCELLED
        gone = cancelled_of(owner, lines, self._names, whole=canceled)
        # What was cancelled later stays in the amount, as in the shop's total and the invoice, and is told apart. What
        # people added no longer counts once its line is cancelled.
        ordered = {id_: ordered_of(line, self._names) for line in lines if (id_ := line_id(line, owner, self._names))}
        nothing_left = bool(ordered) and quantities_of(gone) == ordered
        counted = [
            line
            for line in lines
            if canceled or line["SCMC__Status__c"] != CANCELLED or line_id(line, owner, self._names)
        ]
        amounts = [
            rounded(ordered_of(line, self._names) * number(line["SCMC__Price__c"]), currency) for line in counted
        ]
        return Statement(
            kind=StatementKind.SALES_ORDER,
            system=self._system,
            key=owner,
            id=str(row["Id"]),
            number=str(row["Name"]),
            amount=total(amounts, currency) + rounded(number(row["SCMC__Total_Tax__c"]), currency),
            state=StatementState.CANCELED if canceled or nothing_left else StatementState.LIVE,
            status=str(row["SCMC__Status__c"] or "") + (", all cancelled" if nothing_left and not canceled else ""),
            keyed=bool(row.get(self._names.order_key)),
            goods=lines_of(owner, lines, self._names),
            canceled=gone,
            unsent=() if canceled else unsent_of(owner, lines, self._names),
            created_at=moment(row["CreatedDate"]),
            modified_at=moment(row["SystemModstamp"]),
        )

    # ---- cash entries ------------------------------------------------------------------------------------------------

    async def _cash(self, keys: Sequence[str]) -> list[Statement]:
        """Cash entries whose lines name the orders, and those with the same transaction that name none."""
        by_number = _by_number(keys)
        lines: dict[str, dict[str, Any]] = {}
        for portion in chunks(by_number):
            lines |= {str(row["Id"]): row for row in await self._cash_lines(f"{_REFERENCE} IN {in_list(portion)}")}
        transactions = {str(at_path(row, _TRANSACTION) or "") for row in lines.values()} - {""}
        for portion in chunks(sorted(transactions)):
            twins = await self._cash_lines(f"{_TRANSACTION} IN {in_list(portion)}")
            lines |= {str(row["Id"]): row for row in twins}
        groups: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        owners = self._owners(lines.values(), by_number)
        for row_id, row in lines.items():
            owner = owners.get(row_id, "")
            if owner in keys or owner.startswith("*:"):
                groups[str(row["c2g__CashEntry__c"]), owner].append(row)
        found = (self._cash_statement(owner, rows) for (_, owner), rows in groups.items())
        return [one for one in found if one is not None]

    async def _cash_lines(self, where: str) -> list[dict[str, Any]]:
        entry = ["Id", "Name", "c2g__Type__c", "c2g__Status__c", "c2g__Reference__c", "c2g__Description__c"]
        entry += ["c2g__ExternalId__c", "c2g__CashEntryCurrency__r.Name", "CreatedDate", "SystemModstamp"]
        entry += [f"c2g__Account__r.{self._names.customer_key}"]
        columns = ["Id", _REFERENCE, "c2g__CashEntry__c", "c2g__CashEntryValue__c"]
        columns += [f"{_ENTRY}.{name}" for name in entry]
        return await self._query(f"SELECT {','.join(columns)} FROM {CASH_LINE} WHERE {where}")

    def _owners(self, lines: Iterable[Mapping[str, Any]], by_number: Mapping[str, list[str]]) -> dict[str, str]:
        """Whose each line is, by its id. One that names no order belongs to the one with the same transaction."""
        owners: dict[str, str] = {}
        by_transaction: dict[str, str] = {}
        unnamed: list[Mapping[str, Any]] = []
        for row in lines:
            if not row.get(_REFERENCE):
                unnamed.append(row)
                continue
            owner = self._owner(row, by_number.get(str(row[_REFERENCE]), []))
            owners[str(row["Id"])] = owner
            by_transaction.setdefault(str(at_path(row, _TRANSACTION) or ""), owner)
        for row in unnamed:
            owners[str(row["Id"])] = by_transaction.get(str(at_path(row, _TRANSACTION) or ""), "")
        return owners

    def _owner(self, row: Mapping[str, Any], candidates: Sequence[str]) -> str:
        """The order that a line is for: an order number alone does not tell two stores apart."""
        external = str(at_path(row, f"{_ENTRY}.c2g__ExternalId__c") or "")
        transaction = str(at_path(row, _TRANSACTION) or "")
        for key in candidates:
            if external in (external_id(f"{key}:{transaction}"), external_id(f"{key}:{transaction}:refund")):
                return key
        told = self._told(row)
        if told in candidates or not candidates:
            return told
        return candidates[0] if len(candidates) == 1 and not told else f"*:{row[_REFERENCE]}"

    def _told(self, row: Mapping[str, Any]) -> str:
        """The order key that the entry itself tells: in its description, else by its customer's store."""
        order_number = str(row.get(_REFERENCE) or "")
        first = str(at_path(row, f"{_ENTRY}.c2g__Description__c") or "").partition(" ")[0]
        if order_number and number_of(first) == order_number:
            return first
        store = str(at_path(row, f"{_ENTRY}.c2g__Account__r.{self._names.customer_key}") or "").partition(":")[0]
        return f"{store}:{order_number}" if store and order_number else ""

    def _cash_statement(self, owner: str, rows: Sequence[Mapping[str, Any]]) -> Statement | None:
        entry = rows[0][_ENTRY]
        kind = _CASH_KINDS.get(str(entry["c2g__Type__c"]))
        if kind is None:
            return None
        currency = self._currency(rows[0], f"{_ENTRY}.c2g__CashEntryCurrency__r.Name")
        values: list[Decimal] = [abs(number(row["c2g__CashEntryValue__c"])) for row in rows]
        status = str(entry["c2g__Status__c"])
        return Statement(
            kind=kind,
            system=self._system,
            key=owner,
            id=str(entry["Id"]),
            number=str(entry["Name"]),
            item=str(entry["c2g__Reference__c"] or ""),
            amount=total((rounded(value, currency) for value in values), currency),
            state=_CASH_STATES.get(status, StatementState.PENDING),
            status=status,
            keyed=bool(entry["c2g__ExternalId__c"]),
            created_at=moment(entry["CreatedDate"]),
            modified_at=moment(entry["SystemModstamp"]),
        )

    def _currency(self, row: Mapping[str, Any], path: str) -> str:
        code = str(at_path(row, path) or "")
        try:
            return Money.zero(code).currency
        except ValueError as err:
            raise SystemFailure(
                Family.NEEDS_PERSON,
                _TRIED,
                f"record {row['Id']} has the currency {code!r}",
                system=self._system,
                do_next="correct the record's currency in FinancialForce",
            ) from err

    async def _query(self, soql: str) -> list[dict[str, Any]]:
        return await self._client.query(soql, tried=_TRIED)


def _by_number(keys: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key in keys:
        found.setdefault(number_of(key), []).append(key)
    return found


def _only(by_number: Mapping[str, list[str]], order_number: str) -> str:
    """The one order with this number; `*:{number}` where two stores have one, so that a person looks."""
    found = by_number.get(order_number, [])
    return found[0] if len(found) == 1 else f"*:{order_number}"
