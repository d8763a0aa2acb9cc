"""Comparing in tests, and what people do behind Holdfast's back: straight in the vendors' own interfaces."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx2

from activities.ledger.reconciliations import ReconciliationBook
from commerce.reconciliation import Difference
from commerce.reconciliation_report import Report
from tests.flow.world import World
from workflows.reconciliation import ReconciliationInput

_numbers = itertools.count(1)
ERP_ORDER, ERP_LINE = "SCMC__Sales_Order__c", "SCMC__Sales_Order_Line_Item__c"
CASH, CASH_LINE = "c2g__codaCashEntry__c", "c2g__codaCashEntryLineItem__c"


async def compared(world: World, since: datetime | None = None, **more: Any) -> tuple[Report, list[Difference]]:
    """The report over what changed since then (None: the last day), and every difference."""
    until = datetime.now(UTC) + timedelta(seconds=1)
    asked = ReconciliationInput(since=since or until - timedelta(days=1), until=until, by="test", **more)
    name = f"test-{next(_numbers)}"
    await world.runs.start_reconciliation(name, asked)
    report = await asyncio.wait_for(world.runs.reconciliation(name).result(), 90)
    found = await ReconciliationBook(world.ledger.engine).differences(name)
    return report, [one.difference for one in found]


def of(differences: list[Difference], key: str) -> list[str]:
    """The differences of one order in short."""
    return sorted(
        f"{one.pair}: {one.kind}{f' in {one.side}' if one.side else ''} {one.amount}"
        for one in differences
        if one.order_key == key
    )


class Org:
    """The Salesforce org as somebody who works in it."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def double_the_receipt(self, key: str) -> None:
        """Somebody books the same money once more, by hand: without our external id."""
        number = key.partition(":")[2]
        [line] = await self.query(
            f"SELECT c2g__CashEntry__c,c2g__Account__c,c2g__CashEntryValue__c FROM {CASH_LINE} "
            f"WHERE c2g__AccountReference__c = '{number}'"
        )
        columns = ["c2g__Type__c", "c2g__Date__c", "c2g__Account__c", "c2g__BankAccount__c", "c2g__Value__c"]
        columns += ["c2g__CashEntryCurrency__c", "c2g__PaymentMethod__c", "c2g__Reference__c", "CurrencyIsoCode"]
        [entry] = await self.query(f"SELECT {','.join(columns)} FROM {CASH} WHERE Id = '{line['c2g__CashEntry__c']}'")
        switched_off = {"c2g__DeriveBankAccount__c": False, "c2g__DeriveCurrency__c": False}
        twin = await self.create(CASH, **{name: entry[name] for name in columns}, **switched_off)
        await self.create(
            CASH_LINE,
            c2g__CashEntry__c=twin,
            c2g__Account__c=line["c2g__Account__c"],
            c2g__CashEntryValue__c=line["c2g__CashEntryValue__c"],
            CurrencyIsoCode=entry["CurrencyIsoCode"],
        )
        await self.change(CASH, twin, c2g__TriggerPosting__c="Synchronous")

    async def double_the_order(self, key: str) -> None:
        """Somebody enters the order once more: with its number, without its key."""
        order = await self._order(key)
        columns = ["SCMC__Customer_Account__c", "SCMC__Currency__c", "SCMC__Total_Tax__c", "CurrencyIsoCode"]
        columns += ["SCMC__Sales_Order_Date__c", "SCMC__Existing_SO_Number__c", "SCMC__Customer_Purchase_Order__c"]
        [row] = await self.query(f"SELECT {','.join(columns)} FROM {ERP_ORDER} WHERE Id = '{order}'")
        twin = await self.create(ERP_ORDER, **{name: row[name] for name in columns})
        columns = ["SCMC__Item_Master__c", "SCMC__Quantity__c", "SCMC__Price__c", "CurrencyIsoCode"]
        lines = await self.query(f"SELECT {','.join(columns)} FROM {ERP_LINE} WHERE SCMC__Sales_Order__c = '{order}'")
        for line in lines:
            await self.create(ERP_LINE, SCMC__Sales_Order__c=twin, **{name: line[name] for name in columns})

    async def add_to_the_tax(self, key: str, amount: str) -> None:
        order = await self._order(key)
        [row] = await self.query(f"SELECT SCMC__Total_Tax__c FROM {ERP_ORDER} WHERE Id = '{order}'")
        more = Decimal(str(row["SCMC__Total_Tax__c"])) + Decimal(amount)
        await self.change(ERP_ORDER, order, SCMC__Total_Tax__c=str(more))

    async def cancel_the_invoice(self, key: str) -> None:
        books = await asyncio.to_thread(self._world.sandbox.books, "juston")
        invoice = next(row["id"] for row in books["invoices"] if row["key"] == key)
        await self._ask("POST", "/actions/custom/apex/ONB2__InvoiceCancellation", {"inputs": [{"invoiceId": invoice}]})

    async def delete_the_order(self, key: str) -> None:
        await self._ask("DELETE", f"/sobjects/{ERP_ORDER}/{await self._order(key)}")

    async def _order(self, key: str) -> str:
        [row] = await self.query(f"SELECT Id FROM {ERP_ORDER} WHERE Magento_Order_Id__c = '{key}'")
        return str(row["Id"])

    async def query(self, soql: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await self._ask("GET", f"/query?q={quote(soql, safe='')}"))["records"]
        return rows

    async def create(self, sobject: str, **body: Any) -> str:
        return str((await self._ask("POST", f"/sobjects/{sobject}", body))["id"])

    async def change(self, sobject: str, id: str, **body: Any) -> None:
        await self._ask("PATCH", f"/sobjects/{sobject}/{id}", body)

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        known = await asyncio.to_thread(self._world.sandbox.credentials, "salesforce")
        form = {"grant_type": "client_credentials", **{name: known[name] for name in ("client_id", "client_secret")}}
        async with httpx2.AsyncClient(base_url=self._world.sandbox.url("salesforce"), timeout=20) as org:
            token = (await org.post("/services/oauth2/token", data=form)).json()["access_token"]
            headers = {"authorization": f"Bearer {token}"}
            reply = await org.request(method, f"/services/data/v68.0{path}", json=body, headers=headers)
            assert reply.is_success, reply.text
            return reply.json() if reply.content else None


class Shop:
    """The shop as somebody who works in its back office."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def ship(self, key: str, quantity: int) -> None:
        """Ship so many of the order's first row, without saying what for."""
        books = await asyncio.to_thread(self._world.sandbox.books, "magento")
        id = next(row["id"] for row in books["orders"] if row["key"] == key)
        order = await self._ask("GET", f"orders/{id}")
        items = [{"order_item_id": order["items"][0]["item_id"], "qty": quantity}]
        await self._ask("POST", f"order/{id}/ship", {"items": items})

    async def credit(self, key: str) -> None:
        """A credit memo over everything that was invoiced."""
        books = await asyncio.to_thread(self._world.sandbox.books, "magento")
        id = next(row["id"] for row in books["orders"] if row["key"] == key)
        await self._ask("POST", f"order/{id}/refund", {"notify": False})

    async def comment(self, shipment: str, text: str) -> None:
        entity = {"comment": text, "parent_id": int(shipment), "is_visible_on_front": 0, "is_customer_notified": 0}
        await self._ask("POST", f"shipment/{shipment}/comments", {"entity": entity})

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        known = await asyncio.to_thread(self._world.sandbox.credentials, "magento")
        user = {name: known[name] for name in ("username", "password")}
        async with httpx2.AsyncClient(
            base_url=f"{self._world.sandbox.url('magento')}/rest/all/V1/", timeout=20
        ) as shop:
            token = (await shop.post("integration/admin/token", json=user)).json()
            reply = await shop.request(method, path, json=body, headers={"authorization": f"Bearer {token}"})
            assert reply.is_success, reply.text
            return reply.json()
