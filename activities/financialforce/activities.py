"""FinancialForce in the ERP's role. Every step looks up by its business key first, so that a repeat is harmless."""

from typing import Any

import httpx2
from temporalio import activity

from activities.financialforce.cash import Cash, CashBook
from activities.financialforce.mapping import number
from activities.financialforce.orders import OrderBook
from activities.financialforce.records import Records
from activities.financialforce.settings import FinancialForceSettings
from activities.financialforce.setup import problems_of
from activities.roles import (
    BookAll,
    Booked,
    BookOrder,
    BookReceipt,
    BookRefund,
    CancelErpOrder,
    CheckOrder,
    Erp,
    ErpCustomer,
    ErpItems,
    FindCustomer,
    FindItems,
    OrderCheck,
)
from activities.salesforce.client import SalesforceClient
from activities.salesforce.soql import quote
from activities.steps import both, step, unless_refused
from commerce.documents import Document, Undone

CREDIT_ALLOWED, ON_HOLD, CASH_WITH_ORDER = "Credit Allowed", "On Hold", "Cash with Order"


class FinancialForce(Erp):
    """One FinancialForce company. `system` is its name in the configuration."""

    def __init__(
        self, settings: FinancialForceSettings, *, system: str, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._system = system
        self.client = SalesforceClient(settings.salesforce, system=system, transport=transport)
        self._records = Records(settings, self.client, system=system)
        self._orders = OrderBook(settings, self.client, self._records, system=system)
        self._cash = CashBook(settings, self.client, self._records, system=system)

    async def probe(self) -> None:
        """Is the org there, and does it know us? Raises SystemFailure when not."""
        await self.client.probe()

    async def close(self) -> None:
        await self.client.close()

    async def verify_setup(self) -> list[str]:
        """What the org lacks for the settings, one line each with object, field and remedy; empty when all is there."""
        return await problems_of(self._settings, self.client, self._records)

    @activity.defn(name="erp.check_order")
    @step
    async def check_order(self, task: CheckOrder) -> OrderCheck:
        find_customer = FindCustomer(key=task.customer_key, order_key=task.order_key)
        find_items = FindItems(skus=task.skus, order_key=task.order_key)
        customer, items = await both(
            unless_refused(self.find_customer(find_customer)), unless_refused(self.find_items(find_items))
        )
        return OrderCheck(customer=customer, items=items)

    @activity.defn(name="erp.find_customer")
    @step
    async def find_customer(self, task: FindCustomer) -> ErpCustomer:
        """The account with the shop's key. A temporary hold or the credit status On Hold is a hold."""
        tried = f"find customer {task.key} for order {task.order_key}"
        key = self._settings.fields.customer_key
        rows = await self.client.query(
            f"SELECT Id, Name, AccountNumber, {key}, SCMC__Active__c, SCMC__Customer__c, SCMC__Temporary_Hold__c, "
            f"c2g__CODACreditStatus__c, c2g__CODADaysOffset1__c FROM Account WHERE {key} = {quote(task.key)}",
            tried=tried,
            order_key=task.order_key,
        )
        rows = [row for row in rows if row[key] == task.key]
        if not rows:
            raise self._records.parks(
                tried, f"no account carries {task.key} in {key}", f"create the customer or fill {key} of its account"
            )
        if len(rows) > 1:
            ids = ", ".join(str(row["Id"]) for row in rows)
            raise self._records.parks(
                tried, f"several accounts carry {task.key}: {ids}", "leave the key on one of them"
            )
        return self._customer(rows[0], task.key, tried)

    @activity.defn(name="erp.find_items")
    @step
    async def find_items(self, task: FindItems) -> ErpItems:
        """Active items by SKU; `missing` are the unknown and the closed ones."""
        tried = f"find {len(task.skus)} items for order {task.order_key}"
        found = await self._records.items(task.skus, tried=tried, order_key=task.order_key)
        return ErpItems(found=found, missing=tuple(sku for sku in dict.fromkeys(task.skus) if sku not in found))

    @activity.defn(name="erp.book_order")
    @step
    async def book_order(self, task: BookOrder) -> Document:
        with self._records.fitting(f"book sales order for order {task.order.key}"):
            return await self._orders.ensure(task)

    @activity.defn(name="erp.book_receipt")
    @step
    async def book_receipt(self, task: BookReceipt) -> Document:
        """A posted cash entry of type Receipt for one payment."""
        return await self._book(
            Cash(
                "Receipt",
                task.key,
                task.order_key,
                task.order_number,
                task.customer.id,
                task.payment,
                task.received_at,
            )
        )

    @activity.defn(name="erp.book_all")
    @step
    async def book_all(self, task: BookAll) -> Booked:
        documents: list[Document] = []
        document = await unless_refused(self.book_order(task.order))
        for receipt in task.receipts:
            if document is None:
                break
            documents.append(document)
            document = await unless_refused(self.book_receipt(receipt))
        return Booked(documents=(*documents, document) if document is not None else tuple(documents))

    @activity.defn(name="erp.book_refund")
    @step
    async def book_refund(self, task: BookRefund) -> Document:
        """A posted cash entry of type Refund that mirrors the receipt."""
        return await self._book(
            Cash(
                "Refund",
                task.key,
                task.order_key,
                task.order_number,
                task.customer.id,
                task.payment,
                task.paid_back_at,
            )
        )

    @activity.defn(name="erp.cancel_order")
    @step
    async def cancel_order(self, task: CancelErpOrder) -> Undone:
        return await self._orders.cancel(task.order_key, task.unanswered_at)

    async def _book(self, cash: Cash) -> Document:
        with self._records.fitting(cash.tried):
            return await self._cash.ensure(cash)

    def _customer(self, row: dict[str, Any], key: str, tried: str) -> ErpCustomer:
        for field, meaning in (("SCMC__Active__c", "active"), ("SCMC__Customer__c", "marked as a customer")):
            if row[field] is not True:
                raise self._records.parks(
                    tried, f"account {row['Id']} is not {meaning}", f"set {field} of the account or correct the key"
                )
        credit = row["c2g__CODACreditStatus__c"]
        if credit not in (None, CREDIT_ALLOWED, ON_HOLD, CASH_WITH_ORDER):
            raise self._records.parks(
                tried,
                f"account {row['Id']} has the credit status {credit}, which is not known",
                "choose a known status",
            )
        days = row["c2g__CODADaysOffset1__c"]
        return ErpCustomer(
            id=row["Id"],
            key=key,
            name=row["Name"],
            number=row["AccountNumber"] or "",
            # Cash with order is a customer without terms, whatever the offset says.
            terms_days=int(number(days)) if days is not None and credit != CASH_WITH_ORDER else None,
            on_hold=credit == ON_HOLD or row["SCMC__Temporary_Hold__c"] not in (None, False, ""),
        )
