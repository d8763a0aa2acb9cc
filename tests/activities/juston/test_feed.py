"""Whatever changes at JustOn is read, page by page, from any cursor, and equal states look equal."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from activities.changes import Change, Source
from activities.juston.activities import JustOnBilling, JustOnPayments
from activities.juston.feed import JustOnEntries, JustOnInvoices
from activities.juston.settings import JustOnSettings
from activities.salesforce.client import SalesforceClient
from activities.salesforce.feed import Place, literal
from commerce.failures import Family, SystemFailure
from tests.activities.juston.desk import billing_task, entry_task, order, until
from tests.activities.juston.test_payments import asked, look
from tests.sandbox_process import Sandbox

AT = datetime(2026, 11, 21, 10, 15, 30, tzinfo=UTC)


async def everything(source: Source, cursor: str | None = None) -> tuple[list[Change], str]:
    """All changes of one pass, and the cursor behind it."""
    found: list[Change] = []
    while True:
        page = await source.read(cursor)
        found += page.changes
        cursor = page.cursor
        if not page.more:
            return found, cursor


def feed(settings: JustOnSettings, org: SalesforceClient, **changes: object) -> JustOnEntries:
    return JustOnEntries(settings.model_copy(update=changes), system="juston", salesforce=org)


def invoices(settings: JustOnSettings, org: SalesforceClient, **changes: object) -> JustOnInvoices:
    return JustOnInvoices(settings.model_copy(update=changes), system="juston", salesforce=org)


async def test_entries_are_read_in_pages_without_a_gap(
    live_settings: JustOnSettings, org: SalesforceClient, payments: JustOnPayments
) -> None:
    start = (await everything(feed(live_settings, org)))[1]
    placed = [order() for _ in range(5)]
    for one in placed:
        await asked(payments, entry_task(one))
    small = feed(live_settings, org, feed_page=2, feed_overlap_seconds=0)
    found, _ = await everything(small, start)
    assert {one.key for one in placed} <= {change.order_key for change in found}
    assert all(change.what == "entry" for change in found)


async def test_a_new_payment_is_a_new_state_and_a_repeat_is_not(
    live_settings: JustOnSettings, org: SalesforceClient, payments: JustOnPayments, sandbox: Sandbox
) -> None:
    source, placed = feed(live_settings, org), order()

    async def digest(cursor: str | None = None) -> str:
        found, _ = await everything(source, cursor)
        return next(change.digest for change in found if change.order_key == placed.key)

    await asked(payments, entry_task(placed))
    _, cursor = await everything(source)
    before = await digest()
    assert await digest(cursor) == before
    sandbox.act("juston", "pay", key=placed.key)
    await until(lambda: look(payments, placed.key), lambda state: bool(state.collected))
    paid = await digest(cursor)
    assert paid != before
    fetched = await source.fetch(placed.key)
    assert fetched is not None
    assert fetched.digest == paid


async def test_a_notification_about_entry_or_payment_leads_to_the_entry(
    live_settings: JustOnSettings, org: SalesforceClient, payments: JustOnPayments, sandbox: Sandbox
) -> None:
    source, placed = feed(live_settings, org), order()
    made = await asked(payments, entry_task(placed))
    sandbox.act("juston", "pay", key=placed.key)
    state = await until(lambda: look(payments, placed.key), lambda state: bool(state.collected))
    for reference in (
        placed.key,
        f"JPAY1__Entry__c/{made.entry_id}",
        f"JPAY1__Payment__c/{state.collected[0].id}",
    ):
        change = await source.fetch(reference)
        assert change is not None, reference
        assert change.order_key == placed.key
    assert await source.fetch("de:nothing") is None
    assert await source.fetch("JPAY1__Payment__c/a0K5e0000000000AAA") is None


async def test_billing_orders_are_read_until_their_invoice(
    live_settings: JustOnSettings, org: SalesforceClient, billing: JustOnBilling, sandbox: Sandbox
) -> None:
    source, placed = invoices(live_settings, org), order()
    await billing.ensure_order(billing_task(placed))
    found, cursor = await everything(source)
    waiting = next(change for change in found if change.order_key == placed.key)
    assert waiting.what == "billing"
    sandbox.act("salesforce", "run-invoices", order=placed.key)
    found, _ = await everything(source, cursor)
    billed = next(change for change in found if change.order_key == placed.key)
    assert billed.digest != waiting.digest
    assert (waiting.quiet, billed.quiet) == (True, False)
    fetched = await source.fetch(placed.key)
    assert fetched is not None
    assert fetched.digest == billed.digest
    invoice = (
        await org.query(f"SELECT ON_Invoice__c FROM Web_Order__c WHERE Magento_Order_Id__c = '{placed.key}'", tried="x")
    )[0]
    by_invoice = await source.fetch(f"ONB2__Invoice__c/{invoice['ON_Invoice__c']}")
    assert by_invoice == fetched


async def test_a_strange_entry_is_quarantined_and_hides_no_other(
    live_settings: JustOnSettings, org: SalesforceClient, payments: JustOnPayments
) -> None:
    placed = order()
    await asked(payments, entry_task(placed))
    cash = live_settings.fields.cash.model_copy(update={"entry_amount": "JPAY1__Title__c"})
    strange = live_settings.fields.model_copy(update={"cash": cash})
    found, _ = await everything(feed(live_settings, org, fields=strange))
    mine = next(change for change in found if change.order_key == placed.key)
    assert "JPAY1__Title__c" in mine.problem


async def test_a_feed_without_cursor_begins_where_the_settings_say(
    live_settings: JustOnSettings, org: SalesforceClient, payments: JustOnPayments
) -> None:
    await asked(payments, entry_task(order()))
    later = datetime.now(UTC) + timedelta(days=400)
    assert (await everything(feed(live_settings, org, changes_since=later)))[0] == []


async def test_a_foreign_cursor_is_refused_by_name(live_settings: JustOnSettings, org: SalesforceClient) -> None:
    for cursor in ("not json", '{"entries": 3}', '{"entries": ["x", "", "y"]}'):
        with pytest.raises(SystemFailure) as caught:
            await feed(live_settings, org).read(cursor)
        assert caught.value.family is Family.BUG


async def test_a_cursor_is_text_that_survives_a_restart(live_settings: JustOnSettings, org: SalesforceClient) -> None:
    page = await feed(live_settings, org).read(None)
    assert {"entries", "payments"} <= set(json.loads(page.cursor))
    again = await feed(live_settings, org).read(page.cursor)
    assert set(json.loads(again.cursor)) == set(json.loads(page.cursor))


def test_a_pass_goes_on_behind_its_last_row_and_the_next_one_overlaps() -> None:
    overlap = timedelta(seconds=60)
    begun = Place(AT, "", AT)
    going_on = begun.after((AT + timedelta(seconds=90), "a0J2"), more=True, overlap=overlap)
    assert (going_on.at, going_on.id) == (AT + timedelta(seconds=90), "a0J2")
    done = going_on.after((AT + timedelta(seconds=100), "a0J9"), more=False, overlap=overlap)
    assert (done.at, done.id) == (AT + timedelta(seconds=40), "")
    assert done.after(None, more=False, overlap=overlap) == done


def test_a_time_is_written_as_the_org_reads_it() -> None:
    assert literal(datetime.fromisoformat("2026-11-21T11:15:30.120+01:00")) == "2026-11-21T10:15:30.120Z"
