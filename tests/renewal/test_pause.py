"""A pause that was accepted holds: while the watch begins a new history, and when every worker is started anew."""

from commerce.documents import Stage
from tests.flow.orders import portal_order
from tests.flow.stand import Stand
from tests.flow.world import World
from tests.outage.test_watch import becomes
from workflows.endpoint_messages import Pause, Resume
from workflows.endpoint_watch import EndpointWatch
from workflows.names import endpoint_id

PATIENCE = 90.0
ROUNDS = 4


async def test_every_pause_that_is_accepted_takes_effect_also_between_two_histories(stand: Stand) -> None:
    async with stand.workers():
        world = World(stand)
        await becomes(world, "magento", "up")
        for number in range(ROUNDS):
            # The state is known a moment before the watch goes on, which is when it begins a new history.
            asked = Pause(by="olga", reason=f"round {number}")
            await world.runs.watch("magento").execute_update(EndpointWatch.pause, asked)
            assert (await becomes(world, "magento", "paused")).reason == f"round {number} (olga)"
            await world.runs.watch("magento").execute_update(EndpointWatch.resume, Resume(by="olga"))
            await becomes(world, "magento", "up")
        runs = [run async for run in stand.client.list_workflows(f'WorkflowId = "{endpoint_id("magento")}"')]
        assert len(runs) >= ROUNDS // 2


async def test_a_pause_outlives_every_worker(stand: Stand) -> None:
    order = portal_order()
    async with stand.workers():
        world = World(stand)
        await becomes(world, "financialforce", "up")
        asked = Pause(by="olga", reason="month-end closing")
        await world.runs.watch("financialforce").execute_update(EndpointWatch.pause, asked)
        await becomes(world, "financialforce", "paused")
    async with stand.workers():
        world = World(stand)
        assert (await world.place(order, within=PATIENCE)).payment_link
        await world.pay(order.key)

        async def captured() -> bool:
            return (await world.view(order.key)).payment_state == "captured"

        await world.wait_until(captured, what="the payment is taken", within=PATIENCE)
        assert "sales orders" not in await world.books(order.key)
        view = await world.runs.watch("financialforce").query(EndpointWatch.view)
        assert (view.state, view.reason) == ("paused", "month-end closing (olga)")
        await world.runs.watch("financialforce").execute_update(EndpointWatch.resume, Resume(by="olga"))
        assert (await world.ends(order.key, within=PATIENCE)).outcome is Stage.COMPLETED
