"""Checkout with payment by link: from placed to invoiced, and everything that payments do on the way."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.changes import LatePaymentInput
from commerce.documents import Stage
from tests.flow.orders import portal_order
from tests.flow.world import Books, World, said

PORTAL_BOOKS: Books = {
    "entries": ["Balanced 10024 EUR"],
    "payments": ["Collected 10024 EUR"],
    "sales orders": ["New 10024 EUR"],
    "cash entries": ["Receipt Complete 10024 EUR"],
    "billing orders": ["Billed 10024 EUR"],
    "invoices": ["Paid 10024 EUR"],
    "mails": ["Rechnung … zu Ihrer Bestellung …"],
}
SHOP_BOOKS: Books = {
    "entries": ["Balanced 9984 EUR"],
    "payments": ["Collected 9984 EUR"],
    "sales orders": ["New 9984 EUR"],
    "cash entries": ["Receipt Complete 9984 EUR"],
    "billing orders": ["Billed 9984 EUR"],
    "invoices": ["Paid 9984 EUR"],
    "shop orders": ["processing/processing 9984 EUR"],
    "shop invoices": ["2 9984 EUR"],
    "shop comments": ["ERP order …, invoice …", "Please pay 99.84 EUR here: …"],
    "mails": ["Rechnung … zu Ihrer Bestellung …"],
}


async def test_a_shop_order_paid_by_link_ends_with_one_document_of_each_kind(world: World) -> None:
    key = await world.place_in_shop()
    view = await world.link_of(key)
    assert view.payment_link.startswith(world.sandbox.url("juston"))
    await world.pay(key)
    result = await world.ends(key)
    assert (result.outcome, result.handed_over, result.skipped) == (Stage.COMPLETED, True, ())
    assert await world.books(key) == SHOP_BOOKS


async def test_a_portal_order_paid_by_link_ends_with_one_document_of_each_kind(world: World) -> None:
    order = portal_order()
    view = await world.place(order)
    assert (view.stage, view.payment_state) == (Stage.AWAITING_PAYMENT, "due")
    await world.pay(order.key)
    result = await world.ends(order.key)
    assert result.outcome is Stage.COMPLETED
    assert await world.books(order.key) == PORTAL_BOOKS


async def test_a_failed_attempt_is_told_and_the_next_one_pays(world: World) -> None:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key, do="fail")

    async def heard() -> bool:
        return said(await world.view(order.key), "payment attempt 1 failed")

    await world.wait_until(heard, what="the failed attempt is heard", key=order.key)
    await world.pay(order.key)
    await world.ends(order.key)
    books = await world.books(order.key)
    assert sorted(books.pop("payments")) == ["Collected 10024 EUR", "Pending 0 EUR"]
    assert books == {name: rows for name, rows in PORTAL_BOOKS.items() if name != "payments"}


async def test_a_payment_told_many_times_is_booked_once(world: World) -> None:
    order = portal_order()
    await world.place(order)
    await world.act("juston", "pay", key=order.key, times=3)
    for _ in range(3):
        await world.runs.hint(order.key, "entry")
    await world.act("juston", "repeat-notification", key=order.key, times=2)
    await world.ends(order.key)
    assert await world.books(order.key) == PORTAL_BOOKS


async def test_nothing_paid_until_the_link_ends_cancels_the_entry(world: World) -> None:
    order = portal_order()
    await world.place(order)
    await world.skip_time(order.key, timedelta(hours=25))
    result = await world.ends(order.key)
    assert (result.outcome, result.handed_over) == (Stage.EXPIRED, False)
    assert await world.books(order.key) == {
        "entries": ["Canceled 10024 EUR"],
        "mails": ["Ihre Bestellung … wurde storniert"],
    }


async def test_a_shop_order_that_expires_is_canceled_in_the_shop(world: World) -> None:
    key = await world.place_in_shop()
    await world.link_of(key)
    await world.skip_time(key, timedelta(hours=25))
    assert (await world.ends(key)).outcome is Stage.EXPIRED
    assert await world.books(key) == {
        "entries": ["Canceled 9984 EUR"],
        "shop orders": ["canceled/canceled 9984 EUR"],
        "shop comments": ["Please pay 99.84 EUR here: …"],
        "mails": ["Ihre Bestellung … wurde storniert"],
    }


async def test_a_part_paid_at_the_end_waits_for_a_person_and_the_rest_heals_it(world: World) -> None:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key, "40.00")

    async def heard() -> bool:
        return said(await world.view(order.key), "40.00 EUR of 100.24 EUR was paid")

    await world.wait_until(heard, what="the part is heard", key=order.key)
    await world.skip_time(order.key, timedelta(hours=25))
    case = await world.parks(order.key, step="judge payment")
    assert case.amount is not None
    assert (str(case.amount), case.may_skip) == ("40.00 EUR", False)
    assert "asked 100.24 EUR, collected 40.00 EUR" in case.came_back
    await world.pay(order.key, "60.24")
    await world.decide(case, "retry")
    await world.ends(order.key)
    books = await world.books(order.key)
    assert books.pop("payments") == ["Collected 4000 EUR", "Collected 6024 EUR"]
    assert books.pop("cash entries") == ["Receipt Complete 4000 EUR", "Receipt Complete 6024 EUR"]
    assert books == {name: rows for name, rows in PORTAL_BOOKS.items() if name not in ("payments", "cash entries")}


async def test_a_part_paid_at_the_end_goes_back_when_the_order_is_given_up(world: World) -> None:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key, "40.00")
    await world.skip_time(order.key, timedelta(hours=25))
    await world.decide(await world.parks(order.key), "give-up", "the buyer does not answer")
    result = await world.ends(order.key)
    assert result.outcome is Stage.GIVEN_UP
    assert "the buyer does not answer" in result.reason
    assert await world.books(order.key) == {
        "entries": ["Canceled 10024 EUR"],
        "payments": ["Refunded 4000 EUR"],
        "refunds": ["Paid out 4000 EUR"],
        "mails": ["Ihre Bestellung … wurde storniert"],
    }


async def test_too_much_money_waits_for_a_person_with_the_amounts(world: World) -> None:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key, "120.00")
    case = await world.parks(order.key, step="judge payment")
    assert "was overpaid: asked 100.24 EUR, collected 120.00 EUR" in case.came_back
    await world.decide(case, "give-up", "paid twice by mistake")
    await world.ends(order.key)
    books = await world.books(order.key)
    assert books["refunds"] == ["Paid out 12000 EUR"]
    assert "cash entries" not in books
    assert "sales orders" not in books


async def test_a_failure_after_the_success_reaches_a_person_before_anything_is_written_back(world: World) -> None:
    key = await world.place_in_shop()
    await world.link_of(key)
    await world.pay(key)
    await world.is_billed(key)
    await world.pay(key, do="fail")
    case = await world.parks(key, step="confirm payment")
    assert "was paid, and then the payment failed" in case.came_back
    await world.bill(key)
    assert (await world.view(key)).stage is Stage.BILLING
    assert "shop invoices" not in await world.books(key)
    await world.pay(key)
    await world.decide(case, "retry", "the buyer paid again")
    await world.ends(key)
    books = await world.books(key)
    assert books["shop invoices"] == SHOP_BOOKS["shop invoices"]
    assert books["payments"] == ["Collected 9984 EUR", "Pending 0 EUR"]
    # The first receipt is taken back in the ERP, the second payment is booked: the books hold the money once.
    assert books["cash entries"] == [
        "Receipt Complete 9984 EUR",
        "Receipt Complete 9984 EUR",
        "Refund Complete -9984 EUR",
    ]


async def test_a_charge_back_after_completion_waits_for_a_person(world: World) -> None:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key)
    await world.ends(order.key)
    await world.pay(order.key, do="chargeback")
    case = await world.late_parks(order.key)
    assert "the order is invoiced, and its payment is now reopened" in case.came_back
    assert "asked 100.24 EUR, collected 0.00 EUR" in case.came_back
    with pytest.raises(WorkflowUpdateFailedError) as told:  # paying back would leave receipt and invoice standing
        await world.decide(case, "give-up", "pay it back")
    assert "credit the invoice in the billing system" in str(told.value.cause)
    assert "100.24 EUR booked back as" in case.came_back
    assert (await world.books(order.key))["cash entries"] == [
        "Receipt Complete 10024 EUR",
        "Refund Complete -10024 EUR",
    ]
    await world.decide(case, "skip", "handed to collections")
    assert await world.late(order.key).result() == "left as it is: late payment: handed to collections (olga)"
    # The buyer pays after all: the books hold the money once, and nobody has to be asked.
    await world.pay(order.key)
    await world.wait_until(lambda: _booked_again(world, order.key), within=60, what="the second payment is booked")
    assert await world.ledger.open_cases(order_key=order.key) == []


async def test_a_payment_that_comes_while_a_person_decides_on_the_charge_back_is_seen(world: World) -> None:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key)
    await world.ends(order.key)
    await world.pay(order.key, do="chargeback")
    case = await world.late_parks(order.key)
    await world.pay(order.key)
    late = LatePaymentInput(order_key=order.key, store=order.store, number=order.number)
    await asyncio.gather(*(world.runs.start_late_payment(late) for _ in range(3)))  # as the feed does on every change
    handle = world.late(order.key)
    await world.decide(case, "skip", "handed to collections")
    assert (await handle.result()).startswith("the order is paid: 100.24 EUR booked as ")
    assert await _booked_again(world, order.key)


async def _booked_again(world: World, key: str) -> bool:
    return (await world.books(key))["cash entries"] == [
        "Receipt Complete 10024 EUR",
        "Receipt Complete 10024 EUR",
        "Refund Complete -10024 EUR",
    ]


async def test_money_that_comes_after_the_end_waits_for_a_person_until_it_is_paid_back(world: World) -> None:
    order = portal_order()
    view = await world.place(order)
    await world.skip_time(order.key, timedelta(hours=25))
    await world.ends(order.key)
    await world.pay(order.key, do="late-pay")
    case = await world.late_parks(order.key)
    assert "100.24 EUR" in case.came_back
    await world.refund(view.payment_link)
    await world.decide(case, "retry", "refunded in JustOn")
    assert await world.late(order.key).result() == "paid back 100.24 EUR"
    assert await world.books(order.key) == {
        "entries": ["Canceled 10024 EUR"],
        "payments": ["Refunded 10024 EUR"],
        "refunds": ["Paid out 10024 EUR"],
        "mails": ["Ihre Bestellung … wurde storniert"],
    }


async def test_money_on_an_entry_that_a_person_left_open_goes_back_when_they_say_so(world: World) -> None:
    order = portal_order()
    await world.place(order)
    refused = {"kind": "status", "status": 400, "times": 1, "match": {"path": "JPAY1__EntryCancellation"}}
    async with world.faults("salesforce", refused):
        await world.cancel(order.key)
        case = await world.parks(order.key, step="cancel payment entry")
    await world.decide(case, "skip", "the entry is needed for an investigation")
    result = await world.ends(order.key)
    assert (result.outcome, len(result.skipped)) == (Stage.CANCELLED, 1)
    await world.pay(order.key)
    late = await world.late_parks(order.key)
    assert "the order ended as cancelled, and money is held for it" in late.came_back
    assert str(late.amount) == "100.24 EUR"
    await world.decide(late, "give-up", "pay it back")
    assert await world.late(order.key).result() == "paid back 100.24 EUR"
    books = await world.books(order.key)
    assert (books["entries"], books["refunds"]) == (["Canceled 10024 EUR"], ["Paid out 10024 EUR"])
