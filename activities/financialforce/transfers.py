"""Transfer requests: goods from one warehouse to another for an order that waits for them, one request for one key."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote as percent

from activities.financialforce import limits
from activities.financialforce.goods import transfer_columns, transfer_of
from activities.financialforce.mapping import TRANSFER, TRANSFER_LINE, local_date, number
from activities.financialforce.records import Records
from activities.financialforce.settings import FinancialForceSettings
from activities.fulfillment import RequestTransfer
from activities.salesforce.client import SalesforceClient, Sub
from activities.salesforce.feed import at_path
from activities.salesforce.soql import in_list, quote
from commerce.failures import Family, SystemFailure
from commerce.fulfillment import ZERO, Portion, Transfer
from commerce.text import require, shorten

MOST_LINES = 480


class TransferBook:
    """Writes transfer requests of one org. Raises SystemFailure, DoesNotFit and UnknownValue."""

    def __init__(
        self, settings: FinancialForceSettings, client: SalesforceClient, records: Records, *, system: str
    ) -> None:
        self._settings = settings
        self._client = client
        self._records = records
        self._system = system

    async def ensure(self, task: RequestTransfer, tried: str) -> Transfer:
        """The request in the books: found by its key and equal, or written and read back."""
        self._check(task, tried)
        found = await self._client.query_many(self._questions(task), tried=tried, order_key=task.order_key)
        known = self._known(found["lines"], task, tried)
        if known is not None:
            return known
        parts = self._parts(task, found, tried)
        try:
            await self._client.graph("transfer", parts, tried=tried, order_key=task.order_key)
        except SystemFailure as failure:
            if failure.family is not Family.ALREADY_DONE:
                raise
        lines = await self._client.query(self._lines(task), tried=tried, order_key=task.order_key)
        known = self._known(lines, task, tried)
        if known is None:
            raise SystemFailure(
                Family.OUTCOME_UNKNOWN,
                tried,
                "the org took the request and does not show it yet",
                system=self._system,
                do_next="nothing: it is looked at again by itself",
            )
        return known

    def _check(self, task: RequestTransfer, tried: str) -> None:
        wrong = ""
        if not self._settings.fulfillment.transfers:
            wrong = "transfers are switched off"
        elif task.source == task.destination:
            wrong = f"source and destination are both {task.source}"
        elif not task.portions:
            wrong = "it asks for no goods"
        elif len(task.portions) > MOST_LINES:
            wrong = f"it asks for {len(task.portions)} lines; {MOST_LINES} go into one all-or-nothing request"
        elif len({portion.line for portion in task.portions}) < len(task.portions):
            wrong = "it names a line more than once"
        if wrong:
            raise self._records.parks(tried, wrong, "request it otherwise")

    def _lines(self, task: RequestTransfer) -> str:
        names = self._settings.fields
        order = f"SCMC__Transfer_Request__r.{names.transfer_order}"
        return (
            f"SELECT {', '.join((*transfer_columns(names), order))} FROM {TRANSFER_LINE} "
            f"WHERE SCMC__Transfer_Request__r.{names.transfer_key} = {quote(task.key)} ORDER BY Id"
        )

    def _questions(self, task: RequestTransfer) -> dict[str, str]:
        skus = in_list(dict.fromkeys(portion.sku for portion in task.portions))
        item = "SCMC__Item_Master__r.Name"
        return {
            "lines": self._lines(task),
            "warehouses": "SELECT Id, Name FROM SCMC__Warehouse__c "
            f"WHERE Name IN {in_list((task.source, task.destination))} AND SCMC__Active__c = true",
            "items": f"SELECT Id, Name FROM SCMC__Item__c WHERE Name IN {skus} AND SCMC__Active_Status__c = true",
            "stock": f"SELECT Id, {item}, SCMC__Quantity__c, SCMC__Quantity_Allocated__c "
            f"FROM SCMC__Inventory_Position__c WHERE {item} IN {skus} "
            f"AND SCMC__Item_Warehouse__r.Name = {quote(task.source)} AND SCMC__Availability__c = true "
            "AND SCMC__Availability_Code__c = 'In Stock'",
        }

    def _known(self, lines: list[dict[str, Any]], task: RequestTransfer, tried: str) -> Transfer | None:
        """The request under this key, which must be the one that is asked for."""
        names = self._settings.fields
        request = "SCMC__Transfer_Request__r"
        lines = [row for row in lines if row[request][names.transfer_key] == task.key]
        if not lines:
            return None
        known = transfer_of(lines, self._settings, {})
        differences = [
            f"{what}: the books have {theirs}, asked is {ours}"
            for what, theirs, ours in (
                ("order", lines[0][request][names.transfer_order], task.order_key),
                ("source", known.source, task.source),
                ("destination", known.destination, task.destination),
                ("goods", _said(known.portions), _said(task.portions)),
            )
            if theirs != ours
        ]
        if differences:
            raise self._records.parks(
                tried,
                f"transfer request {known.number} carries its key and differs: {'; '.join(differences)}",
                f"correct {known.number}",
            )
        return known

    def _parts(self, task: RequestTransfer, found: Mapping[str, list[dict[str, Any]]], tried: str) -> list[Sub]:
        """Header and lines, each under a key of its own: a request that is sent twice is written once."""
        names = self._settings.fields
        items = {sku: self._only(found["items"], sku, f"active item {sku}", tried) for sku in _by_sku(task)}
        self._check_stock(task, found["stock"], tried)
        header: dict[str, Any] = {
            "SCMC__Source_Warehouse__c": self._warehouse(found["warehouses"], task.source, tried),
            "SCMC__Destination_Warehouse__c": self._warehouse(found["warehouses"], task.destination, tried),
            names.transfer_order: task.order_key,
            names.transfer_reason: shorten(task.reason, limits.TRANSFER_REASON),
        }
        if task.needed_by is not None:
            header["SCMC__Requested_Delivery_Date__c"] = local_date(task.needed_by, self._settings.time_zone)
        if self._settings.fulfillment.transfer_reason_code:
            header["SCMC__Reason_Code__c"] = self._settings.fulfillment.transfer_reason_code
        parts = [Sub("PATCH", _by_key(TRANSFER, names.transfer_key, task.key), "request", header)]
        for portion in task.portions:
            body = {
                "SCMC__Transfer_Request__c": "@{request.id}",
                "SCMC__Item_Master__c": items[portion.sku],
                "SCMC__Quantity__c": limits.QUANTITY.require(portion.quantity),
            }
            key = _by_key(TRANSFER_LINE, names.transfer_line_key, f"{task.key}:{portion.line}")
            parts.append(Sub("PATCH", key, f"line{len(parts)}", body))
        return parts

    def _check_stock(self, task: RequestTransfer, stock: list[dict[str, Any]], tried: str) -> None:
        there: dict[str, Decimal] = {}
        for row in stock:
            sku = str(at_path(row, "SCMC__Item_Master__r.Name"))
            free = number(row["SCMC__Quantity__c"]) - number(row["SCMC__Quantity_Allocated__c"])
            there[sku] = there.get(sku, ZERO) + free
        short = [
            f"{asked:f} of {sku} are asked for, {max(there.get(sku, ZERO), ZERO).normalize():f} are free"
            for sku, asked in _by_sku(task).items()
            if there.get(sku, ZERO) < asked
        ]
        if short:
            raise self._records.parks(
                tried, f"{task.source} has not enough: {'; '.join(short)}", "buy more, or request it from another"
            )

    def _warehouse(self, rows: list[dict[str, Any]], name: str, tried: str) -> str:
        return self._only(rows, name, f"active warehouse {name}", tried)

    def _only(self, rows: list[dict[str, Any]], name: str, what: str, tried: str) -> str:
        ids = [str(row["Id"]) for row in rows if row["Name"] == name]
        if len(ids) != 1:
            there = "no" if not ids else "more than one"
            raise self._records.parks(tried, f"the org has {there} {what}", "name one that is there once")
        return ids[0]


def _by_sku(task: RequestTransfer) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for portion in task.portions:
        found[portion.sku] = found.get(portion.sku, ZERO) + portion.quantity
    return found


def _said(portions: tuple[Portion, ...]) -> str:
    return ", ".join(sorted(f"{portion.quantity:f} of line {portion.line} ({portion.sku})" for portion in portions))


def _by_key(sobject: str, field: str, key: str) -> str:
    return f"/sobjects/{sobject}/{field}/{percent(require(key, limits.KEY), safe='')}"
