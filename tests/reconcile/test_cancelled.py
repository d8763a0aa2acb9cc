"""Orders that were edited, cancelled in part or credited after they were completed: in step once all has followed."""

import asyncio

import pytest

from commerce.documents import CancelRequest, DecisionKind, Stage
from commerce.fulfillment import State
from tests.flow.test_edits import TERMS, edit
from tests.flow.test_goods import decide, goods
from tests.flow.test_shop_cancellations import cancel_rest, sent_in_part
from tests.flow.world import World
from tests.reconcile.desk import Org, Shop, compared, of
from workflows.order_fulfillment_tracking import OrderFulfillmentTracking

Told = list[dict[str, list[str]]]


async def differences(world: World, *keys: str) -> dict[str, list[str]]:
    """What differs of these orders in short, with why it may stand."""
    _, found = await compared(world)
    ours = [one for one in found if one.order_key in keys]
    return {
        line: [one.explained.partition(":")[0] for one in ours if line in of([one], one.order_key)]
        for key in keys
        for line in of(ours, key)
    }


@pytest.fixture(scope="module")
async def told(world: World) -> dict[str, Told]:
    """What every comparison has found of each story, in turn. They happen side by side: people and systems are slow."""
    stories = (_edited(world), _cancelled_in_part(world), _credited(world))
    return dict(zip(("edited", "in part", "credited"), await asyncio.gather(*stories), strict=True))


async def _edited(world: World) -> Told:
    first = await world.place_in_shop(("HF-1001", 2), **TERMS)
    assert (await world.ends(first)).outcome is Stage.COMPLETED
    await world.act("salesforce", "approve", order=first)
    await goods(world, first, lambda view: bool(view.lines), "has looked at the ERP")
    second = await edit(world, first)
    view = await goods(world, first, lambda view: bool(view.cases), "names the invoice")
    assert (await world.ends(second)).outcome is Stage.COMPLETED
    followed = await differences(world, first, second)
    await Org(world).cancel_the_invoice(first)
    await decide(world, view.cases[0], DecisionKind.SKIP)
    assert (await asyncio.wait_for(world.runs.goods(first).result(), 60)).state is State.CANCELLED
    return [followed, await differences(world, first, second)]


async def _cancelled_in_part(world: World) -> Told:
    key = await sent_in_part(world)
    sent = await differences(world, key)
    request = CancelRequest(by="portal", reason="one is enough")
    await world.runs.goods(key).execute_update(OrderFulfillmentTracking.cancel, request)
    view = await goods(world, key, lambda view: bool(view.cases), "names the money")
    at_erp = await differences(world, key)
    await cancel_rest(world, key)
    everywhere = await differences(world, key)
    await decide(world, view.cases[0], DecisionKind.SKIP)
    return [sent, at_erp, everywhere]


async def _credited(world: World) -> Told:
    key = await world.place_in_shop()
    await world.link_of(key)
    await world.pay(key)
    assert (await world.ends(key)).outcome is Stage.COMPLETED
    await goods(world, key, lambda view: bool(view.lines), "has looked at the ERP")
    await Org(world).cancel_the_invoice(key)
    await world.pay(key, do="refund")
    await Shop(world).credit(key)
    await world.decide(await world.late_parks(key), "retry", "paid back")  # the ERP's receipt is booked back
    await world.decide(await world.late_parks(key), "skip", "credited")
    await world.late(key).result()
    still_open = await differences(world, key)
    request = CancelRequest(by="portal", reason="credited")
    await world.runs.goods(key).execute_update(OrderFulfillmentTracking.cancel, request)
    view = await goods(world, key, lambda view: bool(view.cases), "names the money")
    everywhere = await differences(world, key)
    await decide(world, view.cases[0], DecisionKind.SKIP)
    return [still_open, everywhere]


def test_an_order_that_was_edited_after_its_completion_is_in_step_with_its_successor_once_it_is_credited(
    told: dict[str, Told],
) -> None:
    followed, credited = told["edited"]
    assert followed == {"billing: status differs 99.84 EUR": ["parked"]}, "shop and ERP agree, the invoice stands"
    assert credited == {}


def test_what_was_cancelled_in_part_is_named_while_one_side_lacks_it_and_no_longer(told: dict[str, Told]) -> None:
    sent, at_erp, everywhere = told["in part"]
    assert sent == {}, "what is open need not be invoiced in the shop"
    assert at_erp == {"orders: cancellations differ 79.00 EUR": ["parked"]}
    assert everywhere == {}


def test_an_order_that_was_credited_is_in_step_unless_the_erp_would_still_send_it(told: dict[str, Told]) -> None:
    still_open, everywhere = told["credited"]
    assert still_open == {"billing: status differs 99.84 EUR": [""]}
    assert everywhere == {}
