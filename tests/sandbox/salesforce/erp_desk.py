"""The ERP's side of an org for tests: what a client does over HTTP, what the ERP's people do, and what then stands."""

from dataclasses import dataclass
from typing import Any

from sandbox.salesforce.org import Org
from sandbox.salesforce.schema import Doc
from tests.sandbox.salesforce.conftest import Platform

ORDER = "SCMC__Sales_Order__c"
LINE = "SCMC__Sales_Order_Line_Item__c"
REFUSED = "FIELD_CUSTOM_VALIDATION_EXCEPTION"


@dataclass
class Desk:
    platform: Platform

    @classmethod
    async def open(cls, platform: Platform) -> "Desk":
        """The demo data, and a client that is logged in."""
        async with platform.world.unit():
            platform.world.reset("demo")
        await platform.log_in()
        return cls(platform)

    @property
    def org(self) -> Org:
        return self.platform.org

    async def act(self, do: str, **arguments: Any) -> Doc:
        async with self.platform.world.unit():
            return self.platform.vendor.act(do, arguments)

    async def tick(self) -> None:
        async with self.platform.world.unit():
            self.platform.vendor.tick()

    def books(self) -> Any:
        return self.platform.vendor.books()

    def one(self, kind: str, field: str, value: Any) -> Doc:
        """The only row whose `field` is `value`."""
        (row,) = self.org.find(kind, field, value)
        return row

    def id_of(self, kind: str, name: str, field: str = "Name") -> str:
        return str(self.one(kind, field, name)["Id"])

    def account(self, key: str) -> str:
        return self.id_of("Account", key, "Magento_Customer_Id__c")

    async def create(self, kind: str, **fields: Any) -> str:
        return await self.platform.created(kind, **fields)

    async def change(self, kind: str, record_id: str, **fields: Any) -> None:
        reply = await self.platform.call("PATCH", f"/sobjects/{kind}/{record_id}", json=fields)
        assert reply.status_code == 204, reply.text

    async def read(self, kind: str, record_id: str) -> Any:
        reply = await self.platform.call("GET", f"/sobjects/{kind}/{record_id}")
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def refusal(self, method: str, path: str, **fields: Any) -> tuple[int, str, str]:
        """Status, code and message of a call that must be refused."""
        reply = await self.platform.call(method, path, json=fields)
        assert reply.status_code >= 400, reply.text
        (error,) = reply.json()
        return reply.status_code, error["errorCode"], error["message"]

    async def order(self, key: str, customer: str, *lines: tuple[str, str, str], **fields: Any) -> str:
        """A new sales order; `lines` are (sku, quantity, price)."""
        order = await self.create(
            ORDER, Magento_Order_Id__c=key, SCMC__Customer_Account__c=self.account(customer), **fields
        )
        for sku, quantity, price in lines:
            await self.create(
                LINE,
                SCMC__Sales_Order__c=order,
                SCMC__Item_Master__c=self.id_of("SCMC__Item__c", sku),
                SCMC__Quantity__c=quantity,
                SCMC__Price__c=price,
            )
        return order
