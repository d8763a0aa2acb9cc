"""No write is forgotten: each step of every role is in the table of writes, or is seen to write nothing."""

import inspect
import json
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
from temporalio import activity

from activities.financialforce.activities import FinancialForce
from activities.financialforce.fulfillment import FinancialForceFulfillment
from activities.fulfillment import Carriers, ErpFulfillment, GoodsNews, LookAtFulfillment, ShopFulfillment, ShopNotes
from activities.juston.activities import JustOnBilling, JustOnPayments
from activities.juston.hosted import HostedClient
from activities.roles import (
    Billing,
    CheckOrder,
    Erp,
    FindCustomer,
    FindInvoice,
    FindItems,
    LookAtEntry,
    Notify,
    Payments,
    Storefront,
)
from activities.salesforce.client import SalesforceClient
from tests.activities.financialforce.conftest import settings_for as erp_settings
from tests.activities.financialforce.goods_desk import LAMP, book, goods_order
from tests.activities.juston.conftest import settings_for as juston_settings
from tests.activities.juston.desk import Notes, as_engine, billing_task, entry_task, order
from tests.once.table import LOOKS, MESSAGES, PATHS, READS
from tests.sandbox_process import Sandbox

VENDORS = ("magento", "salesforce", "juston")


def test_every_step_of_every_role_is_in_the_table_or_known_to_write_nothing() -> None:
    found = set()
    for role in (
        Storefront,
        ShopFulfillment,
        ShopNotes,
        Erp,
        ErpFulfillment,
        Payments,
        Billing,
        Carriers,
        Notify,
        GoodsNews,
    ):
        for _, method in inspect.getmembers(role, inspect.isfunction):
            definition = activity._Definition.from_callable(method)
            found |= {definition.name} if definition else set()
    assert found == {path.activity for path in PATHS} | MESSAGES | READS | LOOKS


@pytest.fixture
async def systems(vendors: Sandbox) -> AsyncIterator[tuple[FinancialForce, JustOnPayments, JustOnBilling]]:
    erp, settings = FinancialForce(erp_settings(vendors), system="ff-de"), juston_settings(vendors)
    org, hosted = SalesforceClient(settings.salesforce, system="juston-org"), HostedClient(settings, system="juston")
    payments = JustOnPayments(settings, system="juston", salesforce=org, hosted=hosted, memory=Notes())
    yield erp, payments, JustOnBilling(settings, system="juston", salesforce=org)
    for close in (erp.close, org.close, hosted.close):
        await close()


async def test_a_step_that_reads_sends_nothing_that_writes(
    vendors: Sandbox, systems: tuple[FinancialForce, JustOnPayments, JustOnBilling]
) -> None:
    erp, payments, billing = systems
    goods = FinancialForceFulfillment(erp_settings(vendors), system="ff-de", client=erp.client)
    booked = LookAtFulfillment(order_key=await book(erp, vendors, goods_order("looked-at", (LAMP, "1"))))
    placed = order()
    await payments.ensure_entry(entry_task(placed))
    await billing.ensure_order(billing_task(placed))
    look, key = LookAtEntry(key=placed.key, order_key=placed.key), placed.key
    await as_engine(payments.look_at_entry, look)
    since = {name: max((row["id"] for row in vendors.requests(name)), default=0) for name in VENDORS}
    reads: dict[str, Awaitable[object]] = {
        "erp.check_order": erp.check_order(CheckOrder(customer_key="de:web", skus=("HF-1001",), order_key=key)),
        "erp.find_customer": erp.find_customer(FindCustomer(key="de:web", order_key=key)),
        "erp.find_items": erp.find_items(FindItems(skus=("HF-1001",), order_key=key)),
        "erp.look_at_fulfillment": goods.look_at_fulfillment(booked),
        "payments.look_at_entry": payments.look_at_entry(look),
        "billing.find_invoice": billing.find_invoice(FindInvoice(order_key=key)),
    }
    assert set(reads) == READS
    for read in reads.values():
        await read
    asked = [row for name in VENDORS for row in vendors.requests(name, since[name], bodies=True)]
    assert len(asked) >= len(READS)
    assert [row for row in asked if _may_write(row)] == []


def _may_write(row: dict[str, Any]) -> bool:
    """A request that is more than a question. Several questions of one composite request are still none."""
    if row["path"].endswith("/composite"):
        return any(part["method"] != "GET" for part in json.loads(row["body"])["compositeRequest"])
    return row["method"] != "GET" and not row["path"].endswith("/oauth2/token")
