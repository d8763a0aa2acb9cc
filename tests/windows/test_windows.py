"""A system that takes writes at certain times only gets them only then, and buyers notice nothing of it."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from commerce.documents import Stage
from tests.flow.orders import portal_order
from tests.flow.stand import messages
from tests.flow.world import World
from tests.outage.test_watch import becomes
from tests.windows.conftest import OPENS
from workflows.endpoint_messages import Pause, Resume
from workflows.endpoint_watch import EndpointWatch

PATIENCE = 90.0


async def told_of(world: World, system: str) -> list[str]:
    return [mail["subject"] for mail in await messages(world.sandbox) if mail["subject"].startswith(system)]


async def test_outside_its_window_an_erp_gets_nothing_and_when_it_opens_all_that_waited_is_booked_once(
    world: World,
) -> None:
    closed = await becomes(world, "financialforce", "closed")
    assert closed.until == OPENS
    assert closed.reason == f"closed until {OPENS:%a %Y-%m-%d %H:%M} UTC, by its write_windows"
    order = portal_order()
    assert (await world.place(order, within=PATIENCE)).payment_link
    await world.pay(order.key)

    async def captured() -> bool:
        return (await world.view(order.key)).payment_state == "captured"

    await world.wait_until(captured, what="the payment is taken", within=PATIENCE)
    assert "sales orders" not in await world.books(order.key)
    left = OPENS - datetime.now(UTC) + timedelta(seconds=1)
    await world.fast_forward(world.runs.watch("financialforce"), left)
    assert (await world.ends(order.key, within=PATIENCE)).outcome is Stage.COMPLETED
    books = await world.books(order.key)
    assert (books["sales orders"], books["cash entries"]) == (["New 10024 EUR"], ["Receipt Complete 10024 EUR"])
    await becomes(world, "financialforce", "up")
    assert await told_of(world, "financialforce") == []  # planned: nobody needs to hear


async def test_a_closed_system_is_still_read_and_a_person_can_open_it_and_goes_before_the_plan(world: World) -> None:
    watch = world.runs.watch("magento")
    await becomes(world, "magento", "closed")
    key = await world.place_in_shop()
    await world.reaches(key, Stage.AWAITING_PAYMENT, within=PATIENCE)  # the change feed reads the shop's orders
    assert "shop comments" not in await world.books(key)
    await watch.execute_update(EndpointWatch.resume, Resume(by="olga", reason="the shop is quiet"))
    await world.link_of(key)
    await becomes(world, "magento", "up")

    await watch.execute_update(EndpointWatch.pause, Pause(by="olga", reason="shop update"))
    await becomes(world, "magento", "paused")
    await watch.execute_update(EndpointWatch.resume, Resume(by="olga"))
    assert (await becomes(world, "magento", "up")).endpoint == "magento"  # still opened by hand
    with pytest.raises(WorkflowUpdateFailedError):
        await watch.execute_update(EndpointWatch.resume, Resume(by="olga"))


async def test_a_pause_lasts_through_an_opening_window(world: World) -> None:
    watch = world.runs.watch("magento")
    await watch.execute_update(EndpointWatch.pause, Pause(by="olga", reason="shop update"))
    await becomes(world, "magento", "paused")
    await world.fast_forward(watch, timedelta(days=3, hours=1))
    assert (await watch.query(EndpointWatch.view)).state == "paused"
    await watch.execute_update(EndpointWatch.resume, Resume(by="olga"))
    await becomes(world, "magento", "up")
