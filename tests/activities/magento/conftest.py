"""A shop for each test: the sandbox's Magento, and our client signed in to it."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from activities.magento.activities import MagentoActivities
from activities.magento.client import MagentoClient
from activities.magento.settings import MagentoSettings
from activities.roles import AnnouncePayment, CancelShopOrder, WriteInvoice, WriteReferences
from commerce.money import Money, rounded
from tests.activities.juston.desk import Notes
from tests.sandbox_process import Sandbox


@dataclass
class Placed:
    """An order in the shop, with the tasks that concern it."""

    store: str
    shop_id: str
    number: str
    total: Money

    @property
    def key(self) -> str:
        return f"{self.store}:{self.number}"

    def _who(self) -> dict[str, Any]:
        return {"order_key": self.key, "store": self.store, "number": self.number, "shop_id": self.shop_id}

    def announce(self, link: str = "https://pay.example/l/1") -> AnnouncePayment:
        return AnnouncePayment(**self._who(), link=link, amount=self.total)

    def invoice(self, number: str = "RE-1001", total: Money | None = None) -> WriteInvoice:
        return WriteInvoice(**self._who(), invoice_number=number, total=total or self.total)

    def references(self, erp_number: str = "SO-000077", invoice_number: str = "RE-1001") -> WriteReferences:
        return WriteReferences(**self._who(), erp_number=erp_number, invoice_number=invoice_number)

    def cancel(self) -> CancelShopOrder:
        return CancelShopOrder(**self._who(), reason="the buyer changed their mind")


class Shop:
    """The sandbox's shop with its switches, our client and our activities."""

    def __init__(self, sandbox: Sandbox, client: MagentoClient) -> None:
        self.sandbox = sandbox
        self.client = client
        self.does = MagentoActivities(client, system="shop", memory=Notes())

    async def place(self, store: str = "de", **order: Any) -> Placed:
        """An order as a buyer would place it; one lamp for a guest unless said otherwise."""
        asked = {"items": [{"sku": "HF-1001", "qty": 2}], "customer": "guest", "payment_method": "juston"} | order
        made = self.sandbox.act("magento", "place-order", store=store, **asked)
        shop_id = str(made["entity_id"])
        entity = await self.entity(shop_id)
        total = rounded(Decimal(entity["grand_total"]), entity["order_currency_code"])
        return Placed(store=store, shop_id=shop_id, number=str(made["increment_id"]), total=total)

    async def entity(self, shop_id: str) -> dict[str, Any]:
        return await self.client.get("orders/{id}", tried="read an order", id=shop_id)

    async def comments(self, order: Placed) -> list[str]:
        entity = await self.entity(order.shop_id)
        return [str(note["comment"]) for note in entity.get("status_histories") or [] if note.get("comment")]

    def invoices(self, order: Placed) -> list[dict[str, Any]]:
        return [row for row in self.sandbox.books("magento")["invoices"] if row["refs"]["order_key"] == order.key]

    def faults(self, *rules: dict[str, Any]) -> None:
        self.sandbox.faults("magento", *rules)

    def writes(self, since: int) -> list[str]:
        asked = self.sandbox.requests("magento", since)
        return [row["path"] for row in asked if row["method"] != "GET" and "token" not in row["path"]]

    def last_request(self) -> int:
        return max((row["id"] for row in self.sandbox.requests("magento")), default=0)


def settings_for(sandbox: Sandbox, **changes: Any) -> MagentoSettings:
    """Settings that reach the sandbox's shop, signed in by OAuth unless said otherwise."""
    given = sandbox.credentials("magento")
    secrets = ("consumer_key", "consumer_secret", "access_token", "access_token_secret", "username", "password")
    known = {name: given[name] for name in (*secrets, "webhook_public_key")}
    return MagentoSettings(**{"url": sandbox.url("magento"), **known, **changes})


@pytest_asyncio.fixture(scope="session")
async def client(sandbox: Sandbox) -> AsyncIterator[MagentoClient]:
    """One signed-in client for the session: making one loads all certificates, which takes longer than a test."""
    made = MagentoClient(settings_for(sandbox, timeout_seconds=3, settled_after_seconds=3.5), system="shop")
    yield made
    await made.close()


@pytest.fixture
def shop(sandbox: Sandbox, client: MagentoClient) -> Iterator[Shop]:
    sandbox.no_faults("magento")
    yield Shop(sandbox, client)
    sandbox.no_faults("magento")


@pytest.fixture
def fresh(sandbox: Sandbox) -> Sandbox:
    """The sandbox with nothing but its demo data."""
    sandbox.reset()
    return sandbox
