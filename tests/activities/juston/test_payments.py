"""One entry for one order, whatever becomes of the answer; its state; and its end."""

from collections.abc import Awaitable
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.juston.activities import JustOnPayments
from activities.juston.hosted import HostedClient
from activities.juston.settings import JustOnSettings
from activities.roles import CancelEntry, EnsureEntry, Entry, LookAtEntry
from activities.salesforce.client import SalesforceClient
from commerce.payment import EntryState, EntryStatus
from tests.activities.juston.desk import Notes, as_engine, details, entry_task, money, order, until
from tests.sandbox_process import Sandbox

ENTRY_LINK = "entry-link"


def entries(sandbox: Sandbox, key: str) -> list[dict[str, Any]]:
    return [entry for entry in sandbox.books("juston")["entries"] if entry["key"] == key]


def open_entries(sandbox: Sandbox, key: str) -> list[dict[str, Any]]:
    return [entry for entry in entries(sandbox, key) if entry["status"] != "Canceled"]


def look(payments: JustOnPayments, key: str) -> Awaitable[EntryState]:
    """The entry's state, once the org shows it."""
    return as_engine(payments.look_at_entry, LookAtEntry(key=key, order_key=key))


async def asked(payments: JustOnPayments, task: EnsureEntry) -> Entry:
    """The entry, once the org shows it."""
    made = await payments.ensure_entry(task)
    await look(payments, task.key)
    return made


def cancellation(key: str, money: str = "refund") -> CancelEntry:
    return CancelEntry.model_validate({"key": key, "order_key": key, "reason": "Storniert auf Wunsch", "money": money})


async def parked(step: Awaitable[object]) -> dict[str, str]:
    with pytest.raises(ApplicationError) as caught:
        await step
    assert caught.value.type == "NeedsPerson", caught.value
    return details(caught.value)


@pytest.mark.parametrize(("store", "minor"), [("de", 12990), ("jp", 12990), ("kw", 12345)])
async def test_an_entry_asks_for_exactly_the_amount_in_every_currency(
    payments: JustOnPayments, store: str, minor: int
) -> None:
    task = entry_task(order(store, minor=minor))
    made = await payments.ensure_entry(task)
    state = await look(payments, task.key)
    assert made.link
    assert state.entry_id == made.entry_id
    assert state.amount == task.amount
    assert state.status is EntryStatus.OPEN


async def test_a_buyer_gets_a_link_while_the_org_is_down(payments: JustOnPayments, sandbox: Sandbox) -> None:
    task = entry_task(order())
    sandbox.faults("salesforce", {"kind": "down"})
    made = await payments.ensure_entry(task)
    assert made.link
    sandbox.no_faults("salesforce")
    assert (await look(payments, task.key)).entry_id == made.entry_id


async def test_a_repeat_hands_out_the_same_link(payments: JustOnPayments, sandbox: Sandbox) -> None:
    task = entry_task(order())
    made = await payments.ensure_entry(task)
    again = await as_engine(payments.ensure_entry, task)
    assert (again.link, again.entry_id, again.adopted) == (made.link, made.entry_id, True)
    assert len(entries(sandbox, task.key)) == 1


@pytest.mark.usefixtures("keys_not_guarded")
async def test_a_lost_answer_leaves_one_entry_that_can_be_paid(payments: JustOnPayments, sandbox: Sandbox) -> None:
    task = entry_task(order())
    sandbox.faults("juston", {"kind": "lose-reply", "match": {"path": ENTRY_LINK}, "times": 1})
    with pytest.raises(ApplicationError) as caught:
        await payments.ensure_entry(task)
    assert caught.value.type == "OutcomeUnknown"
    made = await as_engine(payments.ensure_entry, task)
    await look(payments, task.key)
    there = open_entries(sandbox, task.key)
    assert [entry["id"] for entry in there] == [made.entry_id]
    sandbox.act("juston", "pay", key=task.key)
    state = await until(lambda: look(payments, task.key), lambda state: state.status is EntryStatus.BALANCED)
    assert sum(payment.amount.minor for payment in state.collected) == task.amount.minor


@pytest.mark.usefixtures("keys_not_guarded")
async def test_a_request_that_never_arrived_is_sent_again_once(payments: JustOnPayments, sandbox: Sandbox) -> None:
    task = entry_task(order())
    sandbox.faults("juston", {"kind": "cut-request", "match": {"path": ENTRY_LINK}, "times": 1})
    made = await as_engine(payments.ensure_entry, task)
    assert [entry["id"] for entry in open_entries(sandbox, task.key)] in ([], [made.entry_id])
    await look(payments, task.key)
    assert [entry["id"] for entry in entries(sandbox, task.key)] == [made.entry_id]


@pytest.mark.usefixtures("keys_not_guarded")
@pytest.mark.parametrize("kind", ["garble", "html"])
async def test_an_answer_that_cannot_be_read_makes_no_second_entry(
    payments: JustOnPayments, sandbox: Sandbox, kind: str
) -> None:
    task = entry_task(order())
    sandbox.faults("juston", {"kind": kind, "match": {"path": ENTRY_LINK}, "times": 1})
    made = await as_engine(payments.ensure_entry, task)
    await look(payments, task.key)
    assert [entry["id"] for entry in open_entries(sandbox, task.key)] == [made.entry_id]


async def test_a_rate_limit_is_waited_for_and_forgotten(
    payments: JustOnPayments, sandbox: Sandbox, notes: Notes
) -> None:
    task = entry_task(order())
    sandbox.faults("juston", {"kind": "limit", "match": {"path": ENTRY_LINK}, "times": 1})
    with pytest.raises(ApplicationError) as caught:
        await payments.ensure_entry(task)
    assert caught.value.type == "Transient"
    assert caught.value.next_retry_delay is not None
    assert notes.begun_at == {}
    assert (await payments.ensure_entry(task)).link


@pytest.mark.usefixtures("keys_not_guarded")
async def test_an_entry_over_another_amount_waits_for_a_person_and_stays_alone(
    payments: JustOnPayments, sandbox: Sandbox
) -> None:
    placed = order()
    await payments.ensure_entry(entry_task(placed))
    await look(payments, placed.key)
    case = await parked(payments.ensure_entry(entry_task(placed, money(9900))))
    assert "119.00 EUR" in case["came_back"]
    assert "99.00 EUR" in case["came_back"]
    assert len(entries(sandbox, placed.key)) == 1


async def test_a_key_in_other_case_is_another_order(payments: JustOnPayments, sandbox: Sandbox) -> None:
    lower, upper = order(number="case-a1"), order(number="CASE-A1")
    await payments.ensure_entry(entry_task(lower))
    await look(payments, lower.key)
    with pytest.raises(ApplicationError) as caught:
        await payments.look_at_entry(LookAtEntry(key=upper.key, order_key=upper.key))
    assert caught.value.type == "Transient"


async def test_an_entry_with_a_lost_link_is_not_replaced_once_a_buyer_began_to_pay(
    payments: JustOnPayments, sandbox: Sandbox, notes: Notes
) -> None:
    task = entry_task(order())
    made = await asked(payments, task)
    sandbox.act("juston", "fail", key=task.key)
    notes.links.clear()
    case = await parked(payments.ensure_entry(task))
    assert "link" in case["came_back"]
    assert [entry["id"] for entry in open_entries(sandbox, task.key)] == [made.entry_id]


async def test_a_lost_link_is_read_where_the_org_keeps_it(
    live_settings: JustOnSettings, org: SalesforceClient, hosted: HostedClient, sandbox: Sandbox, notes: Notes
) -> None:
    fields = live_settings.fields.model_copy(
        update={"cash": live_settings.fields.cash.model_copy(update={"entry_link": "JPAY1__PaymentLink__c"})}
    )
    reading = live_settings.model_copy(update={"fields": fields})
    payments = JustOnPayments(reading, system="juston", salesforce=org, hosted=hosted, memory=notes)
    task = entry_task(order())
    sandbox.faults("juston", {"kind": "lose-reply", "match": {"path": ENTRY_LINK}, "times": 1})
    made = await as_engine(payments.ensure_entry, task)
    assert made.adopted
    assert [entry["status"] for entry in entries(sandbox, task.key)] == ["Open"]
    sandbox.act("juston", "pay", key=task.key)
    await until(lambda: look(payments, task.key), lambda state: state.status is EntryStatus.BALANCED)


async def test_a_second_entry_beside_the_first_waits_for_a_person(
    live_settings: JustOnSettings, org: SalesforceClient, hosted: HostedClient, sandbox: Sandbox, notes: Notes
) -> None:
    asking = live_settings.model_copy(update={"lost_link": "ask-again"})
    payments = JustOnPayments(asking, system="juston", salesforce=org, hosted=hosted, memory=notes)
    task = entry_task(order())
    made = await asked(payments, task)
    notes.links.clear()
    sandbox.act("juston", "configure", duplicate_keys="allow")
    try:
        case = await parked(payments.ensure_entry(task))
    finally:
        sandbox.act("juston", "configure", duplicate_keys="refuse")
    assert made.entry_id[:15] in case["came_back"]
    assert "two entries" in case["do_next"]


async def test_every_payment_is_seen_with_amount_and_transaction(payments: JustOnPayments, sandbox: Sandbox) -> None:
    task = entry_task(order())
    await asked(payments, task)
    sandbox.act("juston", "fail", key=task.key)
    state = await until(lambda: look(payments, task.key), lambda state: state.failed_attempts == 1)
    assert (state.status, state.pending_attempts) == (EntryStatus.OPEN, 0)
    sandbox.act("juston", "pay", key=task.key)
    state = await until(lambda: look(payments, task.key), lambda state: state.status is EntryStatus.BALANCED)
    assert [payment.amount for payment in state.collected] == [task.amount]
    assert state.collected[0].transaction_id
    assert state.failed_attempts == 1


async def test_a_part_and_an_excess_are_seen_to_the_minor_unit(payments: JustOnPayments, sandbox: Sandbox) -> None:
    task = entry_task(order())
    await asked(payments, task)
    sandbox.act("juston", "pay", key=task.key, amount="40.00")
    state = await until(lambda: look(payments, task.key), lambda state: bool(state.collected))
    assert (state.status, state.assigned) == (EntryStatus.OPEN, money(4000))
    sandbox.act("juston", "pay", key=task.key, amount="100.00")
    state = await until(lambda: look(payments, task.key), lambda state: len(state.collected) == 2)
    assert state.status is EntryStatus.BALANCED
    assert sum(payment.amount.minor for payment in state.collected) == 14000


async def test_a_chargeback_reopens_the_entry_and_takes_the_money_out_of_it(
    payments: JustOnPayments, sandbox: Sandbox
) -> None:
    task = entry_task(order())
    await asked(payments, task)
    sandbox.act("juston", "pay", key=task.key)
    await until(lambda: look(payments, task.key), lambda state: state.status is EntryStatus.BALANCED)
    sandbox.act("juston", "chargeback", key=task.key)
    state = await until(lambda: look(payments, task.key), lambda state: state.status is EntryStatus.OPEN)
    assert state.collected == ()


async def test_cancelling_an_unpaid_entry_closes_it_for_good(payments: JustOnPayments, sandbox: Sandbox) -> None:
    task = entry_task(order())
    await payments.ensure_entry(task)
    done = await as_engine(payments.cancel_entry, cancellation(task.key))
    assert done.done is True or entries(sandbox, task.key) == []
    await look(payments, task.key)
    done = await as_engine(payments.cancel_entry, cancellation(task.key))
    assert done.done
    assert done.state is not None
    assert (done.state.status, done.refunded) == (EntryStatus.CANCELED, ())
    assert open_entries(sandbox, task.key) == []


@pytest.mark.parametrize("fault", [None, "lose-reply"])
async def test_cancelling_a_paid_entry_pays_back_once_and_names_the_money(
    payments: JustOnPayments, sandbox: Sandbox, fault: str | None
) -> None:
    task = entry_task(order())
    await asked(payments, task)
    sandbox.act("juston", "pay", key=task.key)
    await until(lambda: look(payments, task.key), lambda state: state.status is EntryStatus.BALANCED)
    if fault is not None:
        sandbox.faults("salesforce", {"kind": fault, "match": {"path": "actions"}, "times": 1})
    done = await as_engine(payments.cancel_entry, cancellation(task.key))
    again = await as_engine(payments.cancel_entry, cancellation(task.key))
    assert done.done
    assert [payment.amount for payment in done.refunded] == [task.amount]
    assert again.refunded == done.refunded
    refunds = [row for row in sandbox.books("juston")["refunds"] if row.get("key") == task.key]
    assert [abs(row["total_minor"]) for row in refunds] == [task.amount.minor]


async def test_money_that_was_kept_is_not_called_refunded(payments: JustOnPayments, sandbox: Sandbox) -> None:
    task = entry_task(order())
    await asked(payments, task)
    sandbox.act("juston", "pay", key=task.key)
    await until(lambda: look(payments, task.key), lambda state: state.status is EntryStatus.BALANCED)
    kept = await as_engine(payments.cancel_entry, cancellation(task.key, "keep"))
    assert (kept.done, kept.refunded) == (True, ())
    with pytest.raises(ApplicationError) as caught:
        await as_engine(payments.cancel_entry, cancellation(task.key, "refund"))
    assert caught.value.type == "NeedsPerson"
    assert "119.00 EUR" in details(caught.value)["came_back"]


async def test_nothing_to_cancel_is_not_called_done(payments: JustOnPayments) -> None:
    done = await payments.cancel_entry(cancellation(order().key))
    assert (done.done, done.state) == (False, None)


async def test_an_entry_under_way_is_waited_for_before_its_cancellation_is_called_needless(
    payments: JustOnPayments, sandbox: Sandbox
) -> None:
    task = entry_task(order())
    await payments.ensure_entry(task)
    done = await as_engine(payments.cancel_entry, cancellation(task.key))
    assert done.done
    assert open_entries(sandbox, task.key) == []


@pytest.mark.usefixtures("keys_not_guarded")
async def test_after_a_cancellation_the_order_can_be_paid_by_a_new_entry(
    payments: JustOnPayments, sandbox: Sandbox
) -> None:
    task = entry_task(order())
    first = await payments.ensure_entry(task)
    await as_engine(payments.cancel_entry, cancellation(task.key))
    second = await as_engine(payments.ensure_entry, task)
    assert second.entry_id != first.entry_id
    await until(lambda: look(payments, task.key), lambda state: state.entry_id == second.entry_id)
    assert [entry["id"] for entry in open_entries(sandbox, task.key)] == [second.entry_id]


async def test_the_probe_tells_up_from_down_without_making_anything(payments: JustOnPayments, sandbox: Sandbox) -> None:
    before = len(sandbox.books("juston")["entries"])
    await payments.probe()
    sandbox.faults("juston", {"kind": "status", "status": 503})
    with pytest.raises(Exception, match="503"):
        await payments.probe()
    assert len(sandbox.books("juston")["entries"]) == before


async def test_a_refused_token_waits_for_a_person_and_is_not_repeated_in_the_message(
    live_settings: JustOnSettings, org: SalesforceClient, notes: Notes
) -> None:
    wrong = live_settings.model_copy(update={"api_token": type(live_settings.api_token)("very-wrong-token")})
    client = HostedClient(wrong, system="juston")
    payments = JustOnPayments(wrong, system="juston", salesforce=org, hosted=client, memory=notes)
    try:
        task: EnsureEntry = entry_task(order())
        case = await parked(payments.ensure_entry(task))
    finally:
        await client.close()
    assert "api_token" in case["do_next"]
    assert "very-wrong-token" not in str(case)
    assert "kim@example.com" not in str(case)
