"""Sales orders: one order with its lines and addresses, written all or nothing, found again by the order key."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote as percent

from activities.financialforce.mapping import (
    ADDRESS,
    ORDER,
    ORDER_LINE,
    ErpOrder,
    address_fields,
    erp_order,
    header_fields,
    line_fields,
    order_differences,
)
from activities.financialforce.records import Records
from activities.financialforce.settings import FinancialForceSettings
from activities.roles import BookOrder
from activities.salesforce.client import SalesforceClient, Sub
from activities.salesforce.soql import quote
from activities.turns import not_settled
from commerce.documents import Document, DocumentKind, Undone
from commerce.failures import Family, SystemFailure
from commerce.model import UtcDatetime
from commerce.order import Address

# One graph takes 500 nodes; the rest is the header and two addresses, with room to grow.
MOST_LINES = 480
NAMED_DIFFERENCES = 6
# States from which an order may be cancelled; all others are a person's business.
CANCELLABLE = frozenset({"New", "Open", "Approved"})
CANCELLED = "Cancelled"
_UNSHIPPED = frozenset({None, "", "Open"})
_UNBILLED = frozenset({None, "", "Not Billed"})


class OrderBook:
    """Writes sales orders of one org. Raises SystemFailure and DoesNotFit."""

    def __init__(
        self, settings: FinancialForceSettings, client: SalesforceClient, records: Records, *, system: str
    ) -> None:
        self._settings = settings
        self._names = settings.fields
        self._client = client
        self._records = records
        self._system = system

    async def ensure(self, task: BookOrder) -> Document:
        """The order in the books: found by its key and equal, or created and read back."""
        order = task.order
        tried = f"book sales order for order {order.key}"
        expected = erp_order(order, self._settings.charge_items)
        if len(expected.lines) > MOST_LINES:
            raise self._records.parks(
                tried,
                f"the order has {len(expected.lines)} lines; {MOST_LINES} go into one all-or-nothing request",
                "enter the order in FinancialForce and decide 'skip', or split it in the shop",
            )
        item_ids = await self._item_ids(task, expected, tried)
        found = await self._find(order.key, tried)
        adopted = found is not None
        if found is None:
            try:
                await self._create(task, expected, item_ids, tried)
            except SystemFailure as failure:
                if failure.family is not Family.ALREADY_DONE:
                    raise
                # Somebody wrote the same key between our look and our write, or another record holds a line's key.
                found, adopted = await self._find(order.key, tried), True
                if found is None:
                    raise self._records.parks(tried, failure.came_back, failure.do_next) from failure
            else:
                found = await self._find(order.key, tried)
                if found is None:
                    raise SystemFailure(
                        Family.OUTCOME_UNKNOWN,
                        tried,
                        "the org took the order and does not show it yet",
                        system=self._system,
                        do_next="nothing: it is looked at again by itself",
                    )
        await self._compare(task, expected, item_ids, found, tried)
        return self._document(found, order.key, expected, adopted=adopted)

    async def cancel(self, order_key: str, unanswered_at: UtcDatetime | None = None) -> Undone:
        """Cancel the order where nothing of it is shipped or billed; repeated harmlessly.

        TRANSIENT while a booking that was given up at `unanswered_at` may still be carried out.
        """
        looked_at = datetime.now(UTC)
        tried = f"cancel sales order for order {order_key}"
        what = f"sales order for {order_key}"
        found = await self._find(order_key, tried)
        if found is None:
            if unanswered_at is not None:
                settled_after = timedelta(seconds=self._settings.salesforce.settled_after_seconds)
                not_settled(unanswered_at, looked_at, settled_after, tried=tried, system=self._system)
            return Undone(what=what, done=False)
        adopted = found["SCMC__Status__c"] == CANCELLED
        if not adopted:
            self._check_cancellable(found, tried)
            await self._client.update(
                ORDER, found["Id"], {"SCMC__Status__c": CANCELLED}, tried=tried, order_key=order_key
            )
            found = await self._find(order_key, tried)
            if found is None or found["SCMC__Status__c"] != CANCELLED:
                status = found["SCMC__Status__c"] if found is not None else "gone"
                raise self._records.parks(
                    tried, f"the order is {status} after cancelling", "cancel it in FinancialForce"
                )
        return Undone(what=what, done=True, document=self._document(found, order_key, None, adopted=adopted))

    def _check_cancellable(self, found: Mapping[str, Any], tried: str) -> None:
        name, status = found["Name"], found["SCMC__Status__c"]
        shipped, billed = found["SCMC__Shipment_Status__c"], found["SCMC__Billed_Status__c"]
        if shipped not in _UNSHIPPED:
            raise self._records.parks(tried, f"sales order {name} is {shipped}", "take the goods back as a return")
        if billed not in _UNBILLED:
            raise self._records.parks(tried, f"sales order {name} is {billed}", "credit the invoice")
        if status not in CANCELLABLE:
            raise self._records.parks(tried, f"sales order {name} has status {status}", "cancel it in FinancialForce")

    async def _item_ids(self, task: BookOrder, expected: ErpOrder, tried: str) -> dict[str, str]:
        """ERP item id by SKU for goods and charges. Goods come with the task; the rest is asked for once."""
        ids = dict(task.items.found)
        unknown = {line.sku for line in expected.lines} - set(ids)
        ids |= await self._records.items(unknown, tried=tried, order_key=task.order.key) if unknown else {}
        missing = sorted(unknown - set(ids))
        if missing:
            raise self._records.parks(
                tried,
                f"FinancialForce has no active item named {', '.join(missing)}",
                "create or activate the item, or name another one in charge_items",
            )
        return ids

    async def _find(self, order_key: str, tried: str) -> dict[str, Any] | None:
        key = self._names.order_key
        soql = (
            f"SELECT Id, Name, {key}, SCMC__Status__c, SCMC__Shipment_Status__c, SCMC__Billed_Status__c, "
            f"SCMC__Customer_Account__c, SCMC__Currency__r.Name, SCMC__Total_Tax__c "
            f"FROM {ORDER} WHERE {key} = {quote(order_key)}"
        )
        rows = await self._client.query(soql, tried=tried, order_key=order_key)
        if len(rows) > 1:
            names = ", ".join(str(row["Name"]) for row in rows)
            raise self._records.parks(tried, f"several sales orders carry its key: {names}", "leave the key on one")
        # The org compares keys without regard to case; ours are different orders.
        if rows and rows[0][key] != order_key:
            raise self._records.parks(
                tried,
                f"sales order {rows[0]['Name']} carries the key {rows[0][key]}, which differs only in case",
                f"make the field {key} case-sensitive",
            )
        return rows[0] if rows else None

    async def _create(self, task: BookOrder, expected: ErpOrder, item_ids: Mapping[str, str], tried: str) -> None:
        order, names = task.order, self._names
        header = header_fields(
            order,
            expected,
            names,
            customer_id=task.customer.id,
            currency_id=await self._records.trade_currency(order.currency, tried=tried),
            zone=self._settings.time_zone,
        )
        warehouse = await self._records.warehouse(order.store, tried=tried)
        company = await self._records.company(tried=tried)
        header |= {"SCMC__Warehouse__c": warehouse} if warehouse is not None else {}
        header |= {"SCMFFA__Company__c": company} if company is not None else {}
        currency = {"CurrencyIsoCode": order.currency} if self._settings.multi_currency else {}
        parts: list[Sub] = []
        bill_to = await self._address(order.billing, task, "bill", parts, tried)
        ship_to = bill_to
        if order.delivery is not None and order.delivery != order.billing:
            ship_to = await self._address(order.delivery, task, "ship", parts, tried)
        header["SCMC__Actual_Bill_To_Address__c"] = bill_to
        if order.delivery is not None:
            header["SCMC__Actual_Ship_To_Address__c"] = ship_to
        parts.append(Sub("PATCH", _by_key(ORDER, names.order_key, order.key), "so", header | currency))
        for i, line in enumerate(expected.lines):
            body = line_fields(line, names, item_id=item_ids[line.sku])
            body |= {"SCMC__Sales_Order__c": "@{so.id}"} | currency
            parts.append(Sub("PATCH", _by_key(ORDER_LINE, names.line_key, line.key), f"line{i}", body))
        await self._client.graph("order", parts, tried=tried, order_key=order.key)

    async def _address(self, address: Address, task: BookOrder, reference: str, parts: list[Sub], tried: str) -> str:
        """Id of the customer's equal address, or the reference of a new one added to `parts`."""
        wanted = address_fields(address, task.customer.id)
        postcode = wanted["SCMC__Mailing_Zip_Postal_Code__c"]
        fields = [name for name in wanted if name not in ("SCMC__Customer_Site__c", "SCMC__Active__c")]
        rows = await self._client.query(
            f"SELECT Id, {', '.join(fields)} FROM {ADDRESS} WHERE SCMC__Customer_Site__c = {quote(task.customer.id)} "
            f"AND SCMC__Mailing_Zip_Postal_Code__c = {quote(postcode) if postcode is not None else 'null'} "
            "AND SCMC__Active__c = true ORDER BY Id",
            tried=tried,
            order_key=task.order.key,
        )
        for row in rows:
            if all((row[name] or None) == wanted[name] for name in fields):
                return str(row["Id"])
        parts.append(Sub("POST", f"/sobjects/{ADDRESS}", reference, wanted))
        return f"@{{{reference}.id}}"

    async def _compare(
        self, task: BookOrder, expected: ErpOrder, item_ids: Mapping[str, str], found: Mapping[str, Any], tried: str
    ) -> None:
        name = found["Name"]
        if found["SCMC__Status__c"] == CANCELLED:
            raise self._records.parks(
                tried, f"sales order {name} carries its key and is cancelled", f"take the key off {name} or reopen it"
            )
        lines = await self._client.query(
            f"SELECT {self._names.line_key}, SCMC__Item_Master__c, SCMC__Quantity__c, SCMC__Price__c "
            f"FROM {ORDER_LINE} WHERE SCMC__Sales_Order__c = {quote(found['Id'])}",
            tried=tried,
            order_key=task.order.key,
        )
        differences = order_differences(
            expected, found, lines, self._names, customer_id=task.customer.id, item_ids=item_ids
        )
        if differences:
            more = len(differences) - NAMED_DIFFERENCES
            shown = "; ".join(differences[:NAMED_DIFFERENCES]) + (f"; and {more} more" if more > 0 else "")
            raise self._records.parks(
                tried, f"sales order {name} carries its key and differs: {shown}", f"correct {name} or the order"
            )

    def _document(
        self, found: Mapping[str, Any], order_key: str, expected: ErpOrder | None, *, adopted: bool
    ) -> Document:
        return Document(
            kind=DocumentKind.SALES_ORDER,
            system=self._system,
            id=found["Id"],
            number=found["Name"],
            key=order_key,
            amount=expected.gross if expected is not None else None,
            status=found["SCMC__Status__c"] or "",
            adopted=adopted,
        )


def _by_key(sobject: str, field: str, key: str) -> str:
    return f"/sobjects/{sobject}/{field}/{percent(key, safe='')}"
