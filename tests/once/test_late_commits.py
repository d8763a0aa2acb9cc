"""A vendor carries a write out after Holdfast has given its answer up: one document, and none that nobody undoes."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.financialforce.activities import FinancialForce
from activities.juston.activities import JustOnBilling, JustOnPayments
from activities.juston.hosted import HostedClient
from activities.magento.client import MagentoClient
from activities.roles import BookOrder, CancelBilling, CancelEntry, CancelErpOrder, FindCustomer, FindItems
from activities.salesforce.client import SalesforceClient
from activities.salesforce.settings import SalesforceSettings
from tests.activities.financialforce.conftest import settings_for as erp_settings
from tests.activities.financialforce.sample_orders import full_order
from tests.activities.juston.conftest import settings_for as juston_settings
from tests.activities.juston.desk import Notes, as_engine, billing_task, entry_task, order, until
from tests.activities.magento.conftest import Shop
from tests.activities.magento.conftest import settings_for as shop_settings
from tests.once.rig import WITHIN, Path, Step
from tests.once.table import (
    ANNOUNCE,
    BILLING_ORDER,
    BOOK_ORDER,
    BOOK_RECEIPT,
    BOOK_REFUND,
    ENSURE_ENTRY,
    REFERENCES,
    SHOP_INVOICE,
)
from tests.once.test_erp_writes import movement
from tests.sandbox_process import Sandbox

# Longer than a client waits for an answer, shorter than the time after which a write counts as settled.
HELD, TIMEOUT, SETTLED = 3.0, 2.0, 6.0


@pytest.fixture(scope="module")
def org_settings(vendors: Sandbox) -> SalesforceSettings:
    known = erp_settings(vendors).salesforce
    return known.model_copy(update={"timeout_seconds": TIMEOUT, "settled_after_seconds": SETTLED})


@pytest.fixture(scope="module")
async def erp(vendors: Sandbox, org_settings: SalesforceSettings) -> AsyncIterator[FinancialForce]:
    made = FinancialForce(erp_settings(vendors, salesforce=org_settings), system="ff-de")
    yield made
    await made.close()


@pytest.fixture(scope="module")
async def juston(
    vendors: Sandbox, org_settings: SalesforceSettings
) -> AsyncIterator[tuple[JustOnPayments, JustOnBilling]]:
    vendors.act("juston", "configure", duplicate_keys="allow")
    settings = juston_settings(vendors, hosted_timeout_seconds=TIMEOUT, visible_after_seconds=SETTLED)
    settings = settings.model_copy(update={"salesforce": org_settings})
    org, hosted = SalesforceClient(org_settings, system="juston-org"), HostedClient(settings, system="juston")
    payments = JustOnPayments(settings, system="juston", salesforce=org, hosted=hosted, memory=Notes())
    yield payments, JustOnBilling(settings, system="juston", salesforce=org)
    await org.close()
    await hosted.close()


@pytest.fixture(scope="module")
async def shop(vendors: Sandbox) -> AsyncIterator[Shop]:
    # An older release: nothing but Holdfast keeps two invoices apart.
    vendors.act("magento", "configure", order_lock=False)
    settings = shop_settings(vendors, timeout_seconds=TIMEOUT, settled_after_seconds=SETTLED)
    client = MagentoClient(settings, system="shop")
    yield Shop(vendors, client)
    await client.close()


async def test_a_late_sales_order_is_the_same_one(vendors: Sandbox, erp: FinancialForce) -> None:
    task = await _booking(erp, "late-1")
    document = await _late(vendors, BOOK_ORDER, erp.book_order, task)
    assert [row["id"] for row in _of(vendors, "salesforce", "orders", task.order.key)] == [document.id]


@pytest.mark.parametrize("path", [BOOK_RECEIPT, BOOK_REFUND], ids=lambda path: path.name)
async def test_a_latemovement_of_money_is_posted_once(vendors: Sandbox, erp: FinancialForce, path: Path) -> None:
    customer = await as_engine(erp.find_customer, FindCustomer(key="de:web", order_key="de:1"))
    task = movement(path, f"late-{path.name}", 12_990, customer)
    step: Step = erp.book_receipt if path is BOOK_RECEIPT else erp.book_refund
    document = await _late(vendors, path, step, task)
    rows = vendors.books("salesforce")["payments"]
    ours = [row for row in rows if row["refs"]["account_reference"] == task.order_number]
    assert [(row["id"], row["status"]) for row in ours] == [(document.id, "Complete")]


async def test_a_late_sales_order_is_cancelled_with_its_order(vendors: Sandbox, erp: FinancialForce) -> None:
    task = await _booking(erp, "late-2")
    unanswered_at = await _given_up(vendors, BOOK_ORDER, erp.book_order, task)
    cancel = CancelErpOrder(order_key=task.order.key, reason="changed my mind", unanswered_at=unanswered_at)
    assert (await as_engine(erp.cancel_order, cancel, seconds=WITHIN)).done
    assert [row["status"] for row in _of(vendors, "salesforce", "orders", task.order.key)] == ["Cancelled"]


async def test_a_late_billing_order_is_the_same_one(
    vendors: Sandbox, juston: tuple[JustOnPayments, JustOnBilling]
) -> None:
    task = billing_task(order())
    document = await _late(vendors, BILLING_ORDER, juston[1].ensure_order, task)
    assert [row["id"] for row in _of(vendors, "juston", "orders", task.order.key)] == [document.id]


async def test_a_late_billing_order_is_withdrawn_with_its_order(
    vendors: Sandbox, juston: tuple[JustOnPayments, JustOnBilling]
) -> None:
    task = billing_task(order())
    unanswered_at = await _given_up(vendors, BILLING_ORDER, juston[1].ensure_order, task)
    cancel = CancelBilling(order_key=task.order.key, reason="Storno", unanswered_at=unanswered_at)
    assert (await as_engine(juston[1].cancel, cancel, seconds=WITHIN)).done
    assert [row["status"] for row in _of(vendors, "juston", "orders", task.order.key)] == ["Canceled"]


async def test_what_was_never_written_is_not_waited_for_for_ever(
    erp: FinancialForce, juston: tuple[JustOnPayments, JustOnBilling]
) -> None:
    now, key = datetime.now(UTC), "de:late-never"
    ends = await asyncio.gather(
        as_engine(erp.cancel_order, CancelErpOrder(order_key=key, reason="r", unanswered_at=now), seconds=WITHIN),
        as_engine(juston[1].cancel, CancelBilling(order_key=key, reason="r", unanswered_at=now), seconds=WITHIN),
    )
    assert [end.done for end in ends] == [False, False]
    assert (datetime.now(UTC) - now).total_seconds() >= SETTLED


async def test_a_late_entry_leaves_one_that_can_be_paid(
    vendors: Sandbox, juston: tuple[JustOnPayments, JustOnBilling]
) -> None:
    task = entry_task(order())
    document = await _late(vendors, ENSURE_ENTRY, juston[0].ensure_entry, task)

    async def there() -> list[Any]:
        return [row["id"] for row in _of(vendors, "juston", "entries", task.key) if row["status"] != "Canceled"]

    await until(there, lambda ids: ids == [document.entry_id], seconds=WITHIN)


async def test_a_late_entry_is_canceled_with_its_order(
    vendors: Sandbox, juston: tuple[JustOnPayments, JustOnBilling]
) -> None:
    task = entry_task(order())
    await _given_up(vendors, ENSURE_ENTRY, juston[0].ensure_entry, task)
    cancel = CancelEntry(key=task.key, order_key=task.key, reason="Storno")
    assert (await as_engine(juston[0].cancel_entry, cancel, seconds=WITHIN)).done
    assert [row["status"] for row in _of(vendors, "juston", "entries", task.key)] == ["Canceled"]


async def test_a_late_announcement_tells_the_buyer_once(vendors: Sandbox, shop: Shop) -> None:
    placed = await shop.place()
    await _late(vendors, ANNOUNCE, shop.does.announce_payment, placed.announce())
    assert len(await shop.comments(placed)) == 1


async def test_late_references_stand_once_in_the_shop(vendors: Sandbox, shop: Shop) -> None:
    placed = await shop.place()
    await _late(vendors, REFERENCES, shop.does.write_references, placed.references())
    assert len(await shop.comments(placed)) == 1


async def test_a_late_shop_invoice_is_the_only_one_without_the_shops_own_lock(vendors: Sandbox, shop: Shop) -> None:
    placed = await shop.place()
    document = await _late(vendors, SHOP_INVOICE, shop.does.ensure_invoice, placed.invoice())
    assert [row["id"] for row in shop.invoices(placed)] == [document.id]


async def test_a_refused_write_is_repeated_at_once(vendors: Sandbox, shop: Shop) -> None:
    placed = await shop.place()
    vendors.faults("magento", ANNOUNCE.rule("limit", times=1))
    begun = datetime.now(UTC)
    await as_engine(shop.does.announce_payment, placed.announce(), seconds=WITHIN)
    assert (datetime.now(UTC) - begun).total_seconds() < SETTLED
    assert len(await shop.comments(placed)) == 1


async def _booking(erp: FinancialForce, number: str) -> BookOrder:
    placed = full_order(number)
    skus = tuple(dict.fromkeys(line.sku for line in placed.lines))
    return BookOrder(
        order=placed,
        customer=await as_engine(erp.find_customer, FindCustomer(key="de:web", order_key=placed.key)),
        items=await as_engine(erp.find_items, FindItems(skus=skus, order_key=placed.key)),
    )


async def _given_up(vendors: Sandbox, path: Path, step: Step, task: Any) -> datetime:
    """When the first try was given up; its request is carried out afterwards."""
    vendors.faults(path.vendor, path.rule("slow", seconds=HELD, times=1))
    family: str | None = "Transient"
    while family == "Transient":  # a loaded machine may be late with the look-up, too
        with pytest.raises(ApplicationError) as caught:
            await step(task)
        family = caught.value.type
    assert family == "OutcomeUnknown"
    return datetime.now(UTC)


async def _late(vendors: Sandbox, path: Path, step: Step, task: Any) -> Any:
    """What the step's repeats end with, once the first try is carried out too."""
    since = max((row["id"] for row in vendors.requests(path.vendor)), default=0)
    await _given_up(vendors, path, step, task)
    made = await as_engine(step, task, seconds=WITHIN)

    async def under_way() -> int:
        asked = [row for row in vendors.requests(path.vendor, since) if row["method"] == path.method]
        return int(vendors.rules(path.vendor)[0]["seen"]) - sum(
            bool(re.search(path.path, row["path"])) for row in asked
        )

    await until(under_way, lambda count: count == 0, seconds=WITHIN)
    return made


def _of(vendors: Sandbox, system: str, name: str, key: str) -> list[dict[str, Any]]:
    return [row for row in vendors.books(system)[name] if row["key"] == key]
