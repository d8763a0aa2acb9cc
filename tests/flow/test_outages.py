"""A whole system is away: before a step, during it, for the whole start or end. The books end as without the outage."""

import asyncio

from commerce.documents import Stage
from tests.flow.orders import portal_order
from tests.flow.steps_of_checkout import FORWARD, UNDISTURBED, Write, once
from tests.flow.world import World

OUTAGE_SECONDS = 1.2  # longer than the pause before the second try, so that this one meets the outage
DOWN = {"kind": "down"}


async def test_an_outage_at_every_step_changes_nothing_in_the_books(world: World) -> None:
    """In turn the system goes away before it carried the write out, and after it did but before it answered."""
    kinds = ["cut-request" if number % 2 else "lose-reply" for number in range(len(FORWARD))]
    await _through_outages(world, kinds)


async def test_an_outage_at_every_step_the_other_way_round_changes_nothing_in_the_books(world: World) -> None:
    kinds = ["lose-reply" if number % 2 else "cut-request" for number in range(len(FORWARD))]
    await _through_outages(world, kinds)


async def _through_outages(world: World, kinds: list[str]) -> None:
    left: dict[str, list[tuple[Write, str]]] = {}
    for write, kind in zip(FORWARD, kinds, strict=True):
        left.setdefault(write.system, []).append((write, kind))
    for system in left:
        await world.set_faults(system, *_next(left[system]))
    outages = [asyncio.create_task(_outages(world, system, left[system])) for system in left]
    key = await world.place_in_shop()
    await world.link_of(key)
    await world.pay(key)
    result = await world.ends(key, within=60)
    await asyncio.gather(*outages)
    assert (result.outcome, result.skipped) == (Stage.COMPLETED, ())
    assert await world.books(key) == UNDISTURBED


async def _outages(world: World, system: str, left: list[tuple[Write, str]]) -> None:
    while left:
        await world.strikes(system, 1)
        left.pop(0)
        await world.set_faults(system, DOWN)
        await asyncio.sleep(OUTAGE_SECONDS)
        await world.set_faults(system, *_next(left))


def _next(left: list[tuple[Write, str]]) -> list[dict[str, object]]:
    """The rule of the next write alone. One that was carried out before the last outage does not come again."""
    if not left:
        return []
    write, kind = left[0]
    return [once(write, kind) | {"after": 0}]


async def test_no_link_is_promised_while_the_payment_system_is_down_and_one_comes_afterwards(world: World) -> None:
    order = portal_order()
    async with world.faults("juston", DOWN):
        asked = asyncio.create_task(world.place(order))
        await world.tries(order.key, 2)
        assert not asked.done()
    view = await asked
    assert view.payment_link
    await world.pay(order.key)
    assert (await world.ends(order.key)).outcome is Stage.COMPLETED
    books = await world.books(order.key)
    assert (books["entries"], books["payments"]) == (["Balanced 10024 EUR"], ["Collected 10024 EUR"])


async def test_a_buyer_can_pay_while_the_shop_is_down_and_the_shop_hears_of_it_all_later(world: World) -> None:
    key = await world.place_in_shop()
    await world.reaches(key, Stage.CHECKING, Stage.AWAITING_PAYMENT)
    async with world.faults("magento", DOWN):
        await world.reaches(key, Stage.AWAITING_PAYMENT)
        await world.pay(key)
        await world.reaches(key, Stage.WRITING_BACK, bill=True)
        books = await world.books(key)
        assert books["invoices"] == ["Paid 9984 EUR"]
        assert "shop invoices" not in books
    assert (await world.ends(key)).outcome is Stage.COMPLETED
    assert await world.books(key) == UNDISTURBED


async def test_money_taken_while_the_erp_is_down_is_booked_when_it_is_back(world: World) -> None:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key)
    async with world.faults("salesforce", DOWN):
        await world.runs.hint(order.key, "entry")
        await world.tries(order.key, 2)
    assert (await world.ends(order.key)).outcome is Stage.COMPLETED
    assert (await world.books(order.key))["cash entries"] == ["Receipt Complete 10024 EUR"]


async def test_mail_that_cannot_be_sent_waits_and_goes_out_once(world: World) -> None:
    order = portal_order()
    await world.place(order)
    async with world.faults("mail", DOWN):
        await world.pay(order.key)
        await world.is_billed(order.key)
        await world.bill(order.key)
        await world.is_at(order.key, "notify.customer")
        await world.tries(order.key, 2)
    assert (await world.ends(order.key)).outcome is Stage.COMPLETED
    assert (await world.books(order.key))["mails"] == ["Rechnung … zu Ihrer Bestellung …"]
