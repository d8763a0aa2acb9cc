"""Every write to JustOn loses its answer a hundred times: a hundred entries, billing orders, refunds, credit notes."""

from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities.juston.activities import JustOnBilling, JustOnPayments
from activities.juston.hosted import HostedClient
from activities.juston.settings import JustOnSettings
from activities.roles import CancelBilling, CancelEntry, EnsureEntry, LookAtEntry
from activities.salesforce.client import SalesforceClient
from commerce.order import Order
from tests.activities.juston.conftest import settings_for
from tests.activities.juston.desk import Notes, as_engine, billing_task, entry_task, order, until
from tests.once.rig import WITHIN, Found, Path, Trouble, abreast, cases, differences, troubled
from tests.once.table import BILLING_ORDER, CANCEL_ENTRY, CANCEL_INVOICE, ENSURE_ENTRY, WITHDRAW
from tests.sandbox_process import Sandbox


@pytest.fixture(scope="module")
def settings(vendors: Sandbox) -> JustOnSettings:
    # A JustOn that would take any number of entries under one key: only Holdfast keeps them to one.
    vendors.act("juston", "configure", duplicate_keys="allow")
    return settings_for(vendors, hosted_timeout_seconds=5, visible_after_seconds=6)


@pytest.fixture(scope="module")
async def org(settings: JustOnSettings) -> AsyncIterator[SalesforceClient]:
    client = SalesforceClient(settings.salesforce, system="juston-org")
    yield client
    await client.close()


@pytest.fixture(scope="module")
async def payments(settings: JustOnSettings, org: SalesforceClient) -> AsyncIterator[JustOnPayments]:
    hosted = HostedClient(settings, system="juston")
    yield JustOnPayments(settings, system="juston", salesforce=org, hosted=hosted, memory=Notes())
    await hosted.close()


@pytest.fixture(scope="module")
def billing(settings: JustOnSettings, org: SalesforceClient) -> JustOnBilling:
    return JustOnBilling(settings, system="juston", salesforce=org)


@pytest.mark.parametrize(("path", "trouble"), cases(ENSURE_ENTRY))
async def test_every_order_has_one_entry_that_can_be_paid(
    vendors: Sandbox, payments: JustOnPayments, path: Path, trouble: Trouble
) -> None:
    tasks = [entry_task(placed) for placed in _orders(trouble.orders)]
    made = await troubled(vendors, path, trouble, payments.ensure_entry, tasks)
    await abreast(lambda task: _seen(payments, task), tasks)
    rows = _rows(vendors, "entries", tasks, status=("Open", "Balanced"))
    assert differences(_told(rows), {task.key: [f"Open {task.amount.minor} EUR"] for task in tasks}) == {}
    assert {row["id"] for row in rows} == {entry.entry_id for entry in made}


@pytest.mark.parametrize(("path", "trouble"), cases(CANCEL_ENTRY))
async def test_every_paid_entry_is_canceled_and_paid_back_once(
    vendors: Sandbox, payments: JustOnPayments, path: Path, trouble: Trouble
) -> None:
    tasks = [entry_task(placed) for placed in _orders(trouble.orders)]
    await abreast(payments.ensure_entry, tasks)
    for task in tasks:
        await _seen(payments, task)
        vendors.act("juston", "pay", key=task.key)
    await abreast(lambda task: _paid(payments, task), tasks)
    cancels = [CancelEntry(key=task.key, order_key=task.key, reason="Storno") for task in tasks]
    undone = await troubled(vendors, path, trouble, payments.cancel_entry, cancels)
    assert [sum(one.amount.minor for one in each.refunded) for each in undone] == [task.amount.minor for task in tasks]
    amounts = {task.key: f"{task.amount.minor} EUR" for task in tasks}
    entries, refunds = (_told(_rows(vendors, name, tasks)) for name in ("entries", "refunds"))
    assert differences(entries, {key: [f"Canceled {amount}"] for key, amount in amounts.items()}) == {}
    assert {key: [line.partition(" ")[2].removeprefix("out ") for line in lines] for key, lines in refunds.items()} == {
        key: [amount] for key, amount in amounts.items()
    }


@pytest.mark.parametrize(("path", "trouble"), cases(BILLING_ORDER))
async def test_every_order_is_handed_to_billing_once(
    vendors: Sandbox, billing: JustOnBilling, path: Path, trouble: Trouble
) -> None:
    orders = _orders(trouble.orders)
    await troubled(vendors, path, trouble, billing.ensure_order, [billing_task(placed) for placed in orders])
    expected = {placed.key: [f"Open {placed.total.minor} EUR"] for placed in orders}
    assert differences(_told(_rows(vendors, "orders", orders)), expected) == {}


@pytest.mark.parametrize(("path", "trouble"), cases(WITHDRAW))
async def test_every_order_is_withdrawn_from_billing_once(
    vendors: Sandbox, billing: JustOnBilling, path: Path, trouble: Trouble
) -> None:
    orders = _orders(trouble.orders)
    await abreast(billing.ensure_order, [billing_task(placed) for placed in orders])
    undone = await troubled(vendors, path, trouble, billing.cancel, [_cancel(placed) for placed in orders])
    vendors.act("salesforce", "run-invoices")
    assert all(one.done for one in undone)
    expected = {placed.key: [f"Canceled {placed.total.minor} EUR"] for placed in orders}
    assert differences(_told(_rows(vendors, "orders", orders)), expected) == {}
    assert _rows(vendors, "invoices", orders) == []


@pytest.mark.parametrize(("path", "trouble"), cases(CANCEL_INVOICE))
async def test_every_invoice_is_canceled_by_one_credit_note(
    vendors: Sandbox, billing: JustOnBilling, path: Path, trouble: Trouble
) -> None:
    orders = _orders(trouble.orders)
    await abreast(billing.ensure_order, [billing_task(placed) for placed in orders])
    vendors.act("salesforce", "run-invoices")
    undone = await troubled(vendors, path, trouble, billing.cancel, [_cancel(placed) for placed in orders])
    assert all(one.done for one in undone)
    expected = {placed.key: [f"Canceled {placed.total.minor} EUR"] for placed in orders}
    assert differences(_told(_rows(vendors, "invoices", orders)), expected) == {}
    credited: dict[str, list[int]] = defaultdict(list)
    for row in _rows(vendors, "credit_notes", orders):
        credited[row["key"]].append(abs(int(row["total_minor"])))
    assert credited == {placed.key: [placed.total.minor] for placed in orders}


def _orders(count: int) -> list[Order]:
    """Each over another total."""
    return [order(minor=11_900 + 7 * number) for number in range(count)]


def _cancel(placed: Order) -> CancelBilling:
    return CancelBilling(order_key=placed.key, reason="Storno")


async def _seen(payments: JustOnPayments, task: EnsureEntry) -> None:
    await as_engine(payments.look_at_entry, LookAtEntry(key=task.key, order_key=task.key), seconds=WITHIN)


async def _paid(payments: JustOnPayments, task: EnsureEntry) -> None:
    await until(
        lambda: payments.look_at_entry(LookAtEntry(key=task.key, order_key=task.key)),
        lambda state: sum(payment.amount.minor for payment in state.collected) == task.amount.minor,
        seconds=WITHIN,
    )


def _rows(vendors: Sandbox, name: str, of: list[Any], status: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    keys = {one.key for one in of}
    rows = [row for row in vendors.books("juston")[name] if row["key"] in keys]
    return [row for row in rows if not status or row["status"] in status]


def _told(rows: list[dict[str, Any]]) -> Found:
    found: Found = defaultdict(list)
    for row in rows:
        found[row["key"]].append(f"{row['status']} {row['total_minor']} {row['currency']}")
    return found
