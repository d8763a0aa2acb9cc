"""A checkout is stopped: what was done is undone in reverse, and the books say so."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from activities import steps
from activities.notify.mail import Mailer
from commerce.documents import CancelRequest, Stage
from tests.flow.orders import gateway_payments, line, portal_order
from tests.flow.world import Books, World
from workflows.checkout_payment_invoice import CheckoutPaymentInvoice
from workflows.names import NEEDS_A_PERSON

CANCELLED_MAIL = ["Ihre Bestellung … wurde storniert"]
UNDONE_BOOKS: Books = {
    "entries": ["Canceled 10024 EUR"],
    "payments": ["Refunded 10024 EUR"],
    "refunds": ["Paid out 10024 EUR"],
    "sales orders": ["Cancelled 10024 EUR"],
    "cash entries": ["Receipt Complete 10024 EUR", "Refund Complete -10024 EUR"],
    "billing orders": ["Canceled 10024 EUR"],
    "mails": CANCELLED_MAIL,
}


async def test_cancelled_before_payment_leaves_nothing_to_pay(world: World) -> None:
    key = await world.place_in_shop()
    await world.link_of(key)
    view = await world.cancel(key)
    assert view.cancel_requested
    result = await world.ends(key)
    assert (result.outcome, result.reason) == (Stage.CANCELLED, "changed my mind (portal)")
    assert await world.books(key) == {
        "entries": ["Canceled 9984 EUR"],
        "shop orders": ["canceled/canceled 9984 EUR"],
        "shop comments": ["Please pay 99.84 EUR here: …"],
        "mails": CANCELLED_MAIL,
    }


async def test_cancelled_in_the_shop_counts_like_cancelled_here(world: World) -> None:
    key = await world.place_in_shop()
    await world.link_of(key)
    await world.act("magento", "cancel-order", increment_id=key.split(":")[1])
    result = await world.ends(key)
    assert (result.outcome, result.reason) == (Stage.CANCELLED, "cancelled in the shop")
    assert (await world.books(key))["entries"] == ["Canceled 9984 EUR"]


async def test_cancelled_after_the_capture_pays_back_and_takes_back_every_booking(world: World) -> None:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key)
    await world.is_billed(order.key)
    await world.cancel(order.key)
    result = await world.ends(order.key)
    assert result.outcome is Stage.CANCELLED
    assert [undone.done for undone in result.undone] == [True, True, True]
    assert await world.books(order.key) == UNDONE_BOOKS


async def test_cancelled_after_the_invoice_is_final_cancels_the_invoice_by_its_own_document(world: World) -> None:
    key = await world.place_in_shop()
    await world.link_of(key)
    async with world.faults("magento", {"kind": "status", "status": 503, "match": {"path": "/invoice"}}):
        await world.pay(key)
        await world.reaches(key, Stage.WRITING_BACK, bill=True)
        await world.cancel(key)
    result = await world.ends(key)
    assert result.outcome is Stage.CANCELLED
    assert await world.books(key) == {
        "entries": ["Canceled 9984 EUR"],
        "payments": ["Refunded 9984 EUR"],
        "refunds": ["Paid out 9984 EUR"],
        "sales orders": ["Cancelled 9984 EUR"],
        "cash entries": ["Receipt Complete 9984 EUR", "Refund Complete -9984 EUR"],
        "billing orders": ["Billed 9984 EUR"],
        "invoices": ["Canceled 9984 EUR"],
        "credit notes": ["Settled -9984 EUR"],
        "shop orders": ["canceled/canceled 9984 EUR"],
        "shop comments": ["Please pay 99.84 EUR here: …"],
        "mails": CANCELLED_MAIL,
    }


async def test_what_the_shop_has_invoiced_is_left_to_a_person(world: World) -> None:
    key = await world.place_in_shop()
    await world.link_of(key)
    async with world.faults("mail", {"kind": "down"}):
        await world.pay(key)
        await world.reaches(key, Stage.WRITING_BACK, bill=True)
        await world.is_at(key, "notify.customer")
        await world.cancel(key)
    case = await world.parks(key, step="cancel shop order")
    assert "invoiced in the shop" in case.came_back
    await world.decide(case, "skip", "credit memo 4711 was made by hand")
    result = await world.ends(key)
    assert result.skipped == ("cancel shop order: credit memo 4711 was made by hand (olga)",)
    books = await world.books(key)
    assert books["shop invoices"] == ["2 9984 EUR"]
    assert books["invoices"] == ["Canceled 9984 EUR"]
    assert books["refunds"] == ["Paid out 9984 EUR"]
    assert books["mails"] == CANCELLED_MAIL


async def test_who_wants_no_person_is_refused_once_the_shop_has_the_invoice(world: World) -> None:
    key = await world.place_in_shop()
    await world.link_of(key)
    async with world.faults("mail", {"kind": "down"}):
        await world.pay(key)
        await world.reaches(key, Stage.WRITING_BACK, bill=True)
        await world.is_at(key, "notify.customer")
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await world.cancel(key, unattended=True)
    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == NEEDS_A_PERSON
    assert "needs a credit memo" in str(refused.value.cause)
    assert (await world.ends(key)).outcome is Stage.COMPLETED


async def test_who_wants_no_person_is_refused_where_the_gateway_has_the_money(world: World) -> None:
    order = portal_order(lines=[line("1", "HF-9999")], payments=gateway_payments("100.24"))
    await world.place(order)
    await world.parks(order.key)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await world.cancel(order.key, unattended=True)
    assert "the shop's own gateway" in str(refused.value.cause)
    await world.cancel(order.key)
    case = await world.parks(order.key, step="refund at the shop's gateway")
    assert (await world.cancel(order.key, unattended=True)).cancel_requested, "it is asked for already"
    await world.decide(case, "skip", "refund re_1")
    assert (await world.ends(order.key)).outcome is Stage.CANCELLED


async def test_what_goes_back_by_itself_is_cancelled_without_a_person(world: World) -> None:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key)
    await world.is_billed(order.key)
    await world.cancel(order.key, unattended=True)
    assert (await world.ends(order.key)).outcome is Stage.CANCELLED
    assert await world.books(order.key) == UNDONE_BOOKS


async def test_a_parked_order_can_be_cancelled_and_its_case_closes(world: World) -> None:
    order = portal_order(total="100.00 EUR")
    await world.place(order)
    case = await world.parks(order.key)
    await world.cancel(order.key)
    assert (await world.ends(order.key)).outcome is Stage.CANCELLED
    assert await world.ledger.open_cases(order_key=order.key) == []
    known = await world.ledger.case(case.id)
    assert known is not None
    assert not known[1]
    assert await world.books(order.key) == {"mails": CANCELLED_MAIL}


async def test_a_completed_order_is_not_cancelled_here(world: World) -> None:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key)
    await world.ends(order.key)
    with pytest.raises(Exception, match=r"completed|TooLate"):
        await world.cancel(order.key)
    assert (await world.books(order.key))["invoices"] == ["Paid 10024 EUR"]


async def test_cancelled_through_the_engine_undoes_like_cancelled_by_the_portal(world: World) -> None:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key)
    await world.is_billed(order.key)
    await world.run(order.key).cancel()
    result = await world.ends(order.key)
    assert (result.outcome, result.reason) == (Stage.CANCELLED, "cancelled through the engine")
    assert await world.books(order.key) == UNDONE_BOOKS


async def test_cancelled_through_the_engine_while_a_case_is_opened_it_leaves_none_open(world: World) -> None:
    order = portal_order(total="110.24 EUR")  # does not add up
    run = world.run(order.key)

    async def heard() -> bool:
        told = False
        async for event in run.fetch_history_events():
            told = told or event.HasField("workflow_execution_cancel_requested_event_attributes")
            if told and event.HasField("workflow_task_completed_event_attributes"):
                return True
        return False

    async with world.ledger.engine.begin() as db:
        await db.execute(text("LOCK TABLE cases IN SHARE MODE"))  # nothing is written to it meanwhile
        await world.runs.start_checkout(order)
        await world.is_at(order.key, "control.open_case")
        await run.cancel()
        await world.wait_until(heard, what=f"{order.key} has heard of its cancellation", key=order.key)
    async with asyncio.timeout(60):
        result = await run.result()
    assert (result.outcome, result.reason) == (Stage.CANCELLED, "cancelled through the engine")
    assert not await world.ledger.open_cases(order_key=order.key)


async def test_cancelled_while_the_money_comes_in_keeps_none_of_it(world: World) -> None:
    """Whichever of the two is first: no money stays with a cancelled order."""
    orders = [portal_order() for _ in range(6)]
    await asyncio.gather(*(world.place(order) for order in orders))

    async def race(order_key: str, wait: float) -> None:
        await asyncio.gather(world.pay(order_key), _later(world, order_key, wait))

    await asyncio.gather(*(race(order.key, i * 0.1) for i, order in enumerate(orders)))
    for order in orders:
        assert (await world.ends(order.key)).outcome is Stage.CANCELLED
        books = await world.books(order.key)
        assert (books["entries"], books.get("payments", []), books["mails"]) in (
            (["Canceled 10024 EUR"], ["Refunded 10024 EUR"], CANCELLED_MAIL),
            (["Canceled 10024 EUR"], [], CANCELLED_MAIL),
        )
        assert len(books.get("cash entries", [])) in (0, 2)
        assert books.get("sales orders", ["Cancelled 10024 EUR"]) == ["Cancelled 10024 EUR"]


async def _later(world: World, key: str, wait: float) -> None:
    """A race needs a moment of its own for each order; nothing is waited for here."""
    await asyncio.sleep(wait)
    await world.cancel(key)


async def test_a_write_under_way_is_carried_to_its_end_and_then_undone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cancellation reaches the worker with a heartbeat, in the middle of a slow call."""
    monkeypatch.setattr(steps, "BEAT_SECONDS", 1.0)
    order = portal_order()
    await world.place(order)
    slow = {"kind": "slow", "seconds": 2, "times": 1, "match": {"method": "POST", "path": "/composite/graph"}}
    async with world.faults("salesforce", slow):
        await world.pay(order.key)
        await world.strikes("salesforce", 1)
        await world.cancel(order.key)
    assert (await world.ends(order.key)).outcome is Stage.CANCELLED
    books = await world.books(order.key)
    assert books["sales orders"] == ["Cancelled 10024 EUR"]
    assert books["refunds"] == ["Paid out 10024 EUR"]


async def test_cancelled_through_the_engine_once_more_the_undo_still_goes_to_its_end(world: World) -> None:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key)
    await world.is_billed(order.key)
    async with world.faults("salesforce", {"kind": "down"}):
        await world.cancel(order.key)
        await world.run(order.key).cancel()
        await world.tries(order.key, 3)
    assert (await world.ends(order.key)).reason == "changed my mind (portal)"
    assert await world.books(order.key) == UNDONE_BOOKS


async def test_a_cancellation_that_comes_during_the_last_step_is_not_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end, send = asyncio.Event(), asyncio.Event(), Mailer.send

    async def slow(self: Mailer, *args: Any) -> str:
        begun.set()
        await may_end.wait()
        return await send(self, *args)

    monkeypatch.setattr(Mailer, "send", slow)
    order = portal_order()
    await world.place(order)
    await world.pay(order.key)
    await world.is_billed(order.key)
    await world.bill(order.key)
    async with asyncio.timeout(10):
        await begun.wait()
    request = CancelRequest(by="portal", reason="changed my mind")
    view = await world.run(order.key).execute_update(CheckoutPaymentInvoice.cancel, request)
    may_end.set()
    assert view.cancel_requested
    assert (await world.ends(order.key)).outcome is Stage.CANCELLED
    books = await world.books(order.key)
    assert (books["invoices"], books["refunds"]) == (["Canceled 10024 EUR"], ["Paid out 10024 EUR"])
