"""Orders that are edited in the shop: one is cancelled, another one takes its place, and neither counts twice."""

import asyncio
import re
from typing import Any

from activities.fulfillment import FulfillmentView
from activities.ledger.chain import chain_of
from commerce.documents import CheckoutResult, DecisionKind, Stage
from commerce.fulfillment import State
from tests.flow.orders import portal_order
from tests.flow.stand import messages
from tests.flow.test_goods import DOWN, decide, goods
from tests.flow.world import World, said
from workflows.checkout_edit import OTHER_MAY_TAKE

LESS: dict[str, Any] = {"items": [{"sku": "HF-1001", "qty": 1}]}
TERMS: dict[str, Any] = {"company": "501", "customer": None, "payment_method": "companycredit"}


async def edit(world: World, key: str) -> str:
    """Somebody changes the order in the shop's administration; returns the key of the order in its place."""
    made = await world.act("magento", "edit-order", increment_id=key.partition(":")[2], **LESS)
    return f"{key.partition(':')[0]}:{made['increment_id']}"


async def ended(world: World, key: str) -> CheckoutResult:
    """The result of an order that somebody else billed already, or nobody."""
    await world.reaches(key, Stage.CANCELLED, Stage.COMPLETED, Stage.GIVEN_UP)
    return await world.run(key).result()


async def subjects(world: World, key: str) -> list[str]:
    """The subjects of the mails to the buyer about this order, without those about the one in its place."""
    number = re.compile(rf"(?<![\w-]){re.escape(key.partition(':')[2])}(?![\w-])")
    found = [mail["subject"] for mail in await messages(world.sandbox) if number.search(mail["subject"])]
    return [subject for subject in found if "needs a person" not in subject]


async def test_an_order_that_is_edited_twice_before_it_is_paid_is_paid_and_invoiced_once_under_its_last_number(
    world: World,
) -> None:
    first = await world.place_in_shop(("HF-1001", 3))
    await world.link_of(first)
    second = await edit(world, first)
    await world.link_of(second)
    third = await edit(world, second)
    await world.link_of(third)
    await world.pay(third)
    assert (await world.ends(third)).outcome is Stage.COMPLETED

    numbers = [key.partition(":")[2] for key in (first, second, third)]
    assert numbers[1:] == [f"{numbers[0]}-1", f"{numbers[0]}-2"]
    for key, after in ((first, numbers[1]), (second, numbers[2])):
        result = await ended(world, key)
        assert (result.outcome, result.reason) == (Stage.CANCELLED, f"replaced by order {after}")
        assert (result.replaced_by, (await world.view(key)).replaced_by) == (after, after)
        books = await world.books(key)
        assert [row.split()[0] for row in books["entries"]] == ["Canceled"]
        assert not {"payments", "sales orders", "invoices"} & set(books)
        told = await subjects(world, key)
        assert [subject for subject in told if "geändert" in subject and after in subject]
        assert not [subject for subject in told if "storniert" in subject]
    books = await world.books(third)
    assert [len(books[name]) for name in ("entries", "payments", "sales orders", "invoices", "shop invoices")] == [
        1
    ] * 5
    for number in numbers:
        chain = await chain_of(world.ledger.engine, "de", number)
        assert [(link.number, link.stage) for link in chain] == [
            (numbers[0], "cancelled"),
            (numbers[1], "cancelled"),
            (numbers[2], "completed"),
        ]


async def test_money_that_comes_late_on_the_replaced_orders_link_names_the_order_in_its_place(world: World) -> None:
    first = await world.place_in_shop()
    link = (await world.link_of(first)).payment_link
    second = await edit(world, first)
    assert (await ended(world, first)).outcome is Stage.CANCELLED
    await world.pay(first, do="late-pay")
    case = await world.late_parks(first)
    assert f"replaced by order {second.partition(':')[2]}, which asks for its own payment" in case.came_back
    await world.refund(link)
    await world.decide(case, "retry", "refunded in JustOn")
    assert (await world.late(first).result()).startswith("paid back")
    assert (await world.link_of(second)).payment_state == "due"


async def test_a_paid_order_that_is_edited_before_its_invoice_is_in_the_shop_is_paid_back_and_its_documents_cancelled(
    world: World,
) -> None:
    first = await world.place_in_shop()
    await world.link_of(first)
    await world.pay(first)
    await world.is_billed(first)
    second = await edit(world, first)
    result = await ended(world, first)
    assert (result.outcome, result.replaced_by) == (Stage.CANCELLED, second.partition(":")[2])
    books = await world.books(first)
    assert len(books["refunds"]) == 1
    assert [row.split()[0] for row in books["sales orders"]] == ["Cancelled"]
    assert [row.split()[0] for row in books["cash entries"]] == ["Receipt", "Refund"]
    assert "invoices" not in books
    await world.link_of(second)
    await world.pay(second)
    assert (await world.ends(second)).outcome is Stage.COMPLETED


async def test_money_at_the_gateway_of_an_edited_order_is_named_with_the_order_in_its_place(world: World) -> None:
    first = await world.place_in_shop(payment_method="stripe", captured=True)
    await world.is_billed(first)
    second = await edit(world, first)
    case = await world.parks(first, step="refund at the shop's gateway")
    assert f"replaced by order {second.partition(':')[2]}" in case.came_back
    assert f"unless the gateway counts it for order {second.partition(':')[2]} now" in case.do_next
    await world.decide(case, "skip", "re_1 at the gateway")
    assert (await ended(world, first)).replaced_by == second.partition(":")[2]
    assert (await world.ends(second)).outcome is Stage.COMPLETED
    assert [row.split()[0] for row in (await world.books(second))["cash entries"]] == ["Receipt"]


async def test_the_order_in_its_place_tells_the_replaced_one_when_it_is_heard_of_first(world: World) -> None:
    first = portal_order()
    await world.place(first)
    second = portal_order(number=f"{first.number}-1", replaces=first.number)
    await world.place(second)
    result = await ended(world, first.key)
    assert (result.outcome, result.replaced_by) == (Stage.CANCELLED, second.number)
    await world.runs.hint(
        first.key, "shop-canceled"
    )  # later than the end of its run: nobody is there, and nothing happens
    await world.pay(second.key)
    assert (await world.ends(second.key)).outcome is Stage.COMPLETED
    assert len([row for row in (await world.books(first.key))["entries"] if row.startswith("Canceled")]) == 1


async def test_an_edit_after_the_invoice_cancels_the_goods_names_the_invoice_and_the_new_order_goes_on(
    world: World,
) -> None:
    first = await world.place_in_shop(("HF-1001", 2), **TERMS)
    done = await world.ends(first)
    assert done.outcome is Stage.COMPLETED
    await world.act("salesforce", "approve", order=first)
    await goods(world, first, lambda view: bool(view.lines), "has looked at the ERP")
    second = await edit(world, first)
    number = second.partition(":")[2]
    view = await goods(world, first, lambda view: bool(view.cases), "names the invoice")
    invoice = next(document.number for document in done.documents if document.kind == "invoice")
    assert f"was invoiced as {invoice}; the order was changed and goes on as order {number}" in view.cases[0].came_back
    assert view.cases[0].amount == next(document.amount for document in done.documents if document.kind == "invoice")
    assert [line.cancelled for line in view.lines] == [2]
    assert (await world.ends(second)).outcome is Stage.COMPLETED
    await decide(world, view.cases[0], DecisionKind.SKIP)
    result = await asyncio.wait_for(world.runs.goods(first).result(), 60)
    assert result.state is State.CANCELLED


async def test_an_edit_after_goods_have_left_holds_the_new_order_before_anything_is_booked(world: World) -> None:
    first = await world.place_in_shop(("HF-1001", 2), **TERMS)
    assert (await world.ends(first)).outcome is Stage.COMPLETED
    await world.act("salesforce", "approve", order=first)
    async with world.faults("magento", DOWN | {"match": {"method": "POST", "path": r"/order/\d+/ship$"}}):
        await world.act("salesforce", "ship", order=first)
        await goods(world, first, lambda view: view.state is State.DISPATCHED, "has left the house")
        second = await edit(world, first)
        case = await world.parks(second, step="take the place of the replaced order")
    assert "and its goods have left the house (SH" in case.came_back
    assert "take back and credit what was sent" in case.do_next
    assert not {"sales orders", "invoices"} & set(await world.books(second))

    def cases(view: FulfillmentView) -> dict[str, str]:
        return {case.step.partition(" SH")[0]: case.came_back for case in view.cases}

    # The shop takes no shipment any more, and cancelled what had left: both are said, whichever comes first.
    both = {"write shipment", "agree with the shop's cancellation"}
    of_goods = await goods(world, first, lambda view: cases(view).keys() == both, "both are with a person")
    assert "canceled in the shop" in cases(of_goods)["write shipment"]
    for each in of_goods.cases:
        await decide(world, each, DecisionKind.SKIP)
    await world.decide(case, "give-up", "the buyer keeps what was sent")
    assert (await ended(world, second)).outcome is Stage.GIVEN_UP


async def test_an_order_that_stays_completed_holds_the_one_in_its_place_until_a_person_lets_both_stand(
    world: World,
) -> None:
    first = portal_order()
    await world.place(first)
    await world.pay(first.key)
    assert (await world.ends(first.key)).outcome is Stage.COMPLETED
    second = portal_order(number=f"{first.number}-1", replaces=first.number)
    asked = asyncio.create_task(world.place(second))

    async def waits() -> bool:
        view = await world.view_or_none(second.key)
        return view is not None and first.number in view.waiting_on

    await world.wait_until(waits, what="the second order waits", key=second.key)
    await world.skip_time(second.key, OTHER_MAY_TAKE)
    case = await world.parks(second.key, step="take the place of the replaced order")
    assert f"cancel what is open of it (`starter.py cancel {first.key}`)" in case.do_next
    await world.decide(case, "skip", "the buyer wants both")
    await asked
    await world.reaches(second.key, Stage.AWAITING_PAYMENT)
    await world.pay(second.key)
    result = await world.ends(second.key)
    assert result.outcome is Stage.COMPLETED
    assert "the buyer wants both" in result.skipped[0]
    assert not said(await world.view(first.key), "goes on as order")
