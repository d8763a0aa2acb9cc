"""An ERP away for days burns no try, parks nothing and reminds nobody; patience that ends parks, and is healed.

The engine cannot skip time for a run whose step waits in a queue, so days are short here: `DAY` seconds each, for
reminders, escalation and patience alike (conftest.py).
"""

import asyncio

from commerce.documents import Stage
from commerce.order import Order
from tests.flow.orders import portal_order
from tests.flow.stand import messages
from tests.flow.world import World
from tests.outage.conftest import DAY, PATIENT_DAYS
from tests.outage.test_watch import ORG, becomes

PATIENCE = 90.0
DOWN = {"kind": "down"}


async def tries_of(world: World, key: str) -> dict[str, int]:
    """By step. The notes to people and the like have queues of their own."""
    described = await world.run(key).describe()
    steps = described.raw_description.pending_activities
    return {step.activity_type.name: step.attempt for step in steps}


async def mails_about(world: World, order: Order) -> list[str]:
    operators = world.stand.settings.mail.operators if world.stand.settings.mail else ()
    mails = await messages(world.sandbox)
    return [mail["subject"] for mail in mails if order.number in mail["subject"] and mail["to"] == [*operators]]


async def test_three_days_without_the_erp_change_nothing_but_the_date(world: World) -> None:
    linked, paid, billed, late = (portal_order() for _ in range(4))
    for order in (linked, paid, billed):
        await world.place(order, within=PATIENCE)
    await world.pay(billed.key)
    await world.is_billed(billed.key)
    async with world.faults("salesforce", DOWN):
        await world.pay(paid.key)
        for endpoint in ORG:
            await becomes(world, endpoint, "down")
        assert (await world.place(late, within=PATIENCE)).payment_link
        await world.pay(late.key)
        await asyncio.sleep(DAY)  # steps that were under way end their try
        before = {order.key: await tries_of(world, order.key) for order in (linked, paid, billed, late)}
        assert before[late.key]
        await asyncio.sleep(3 * DAY)  # the length of the outage, not a wait for something
        for order in (linked, paid, billed, late):
            tries = await tries_of(world, order.key)
            assert {name: tries[name] for name in before[order.key] if name in tries} == before[order.key]
            assert (await world.view(order.key)).cases == ()
            assert await mails_about(world, order) == []
    for endpoint in ORG:
        await becomes(world, endpoint, "up")
    await world.pay(linked.key)
    for order in (linked, paid, billed, late):
        assert (await world.ends(order.key, within=PATIENCE)).outcome is Stage.COMPLETED
        books = await world.books(order.key)
        assert (books["sales orders"], books["invoices"]) == (["New 10024 EUR"], ["Paid 10024 EUR"])
        assert books["cash entries"] == ["Receipt Complete 10024 EUR"]


async def test_an_order_whose_patience_ends_during_the_outage_parks_and_a_retry_afterwards_completes_it(
    world: World,
) -> None:
    order = portal_order(store="at")
    async with world.faults("salesforce", DOWN):
        for endpoint in ORG:
            await becomes(world, endpoint, "down")
        assert (await world.place(order, within=PATIENCE)).payment_link
        case = await world.parks(order.key, within=PATIENT_DAYS * DAY + PATIENCE)
        assert case.system == "financialforce"
        assert await world.told_operators(f"order {order.number} of at needs a person")
    for endpoint in ORG:
        await becomes(world, endpoint, "up")
    for case in (await world.view(order.key)).cases:
        await world.decide(case, "retry", "the ERP is back")
    await world.pay(order.key)
    assert (await world.ends(order.key, within=PATIENCE)).outcome is Stage.COMPLETED
    assert (await world.books(order.key))["sales orders"] == ["New 10024 EUR"]
