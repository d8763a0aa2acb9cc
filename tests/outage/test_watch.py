"""A system that is away is left alone until it is back, everything else goes on, and people are told both times."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.ledger.endpoints import EndpointBook
from activities.watch import EndpointNote, State
from commerce.documents import Stage
from tests.flow.orders import portal_order
from tests.flow.stand import messages
from tests.flow.steps_of_checkout import UNDISTURBED
from tests.flow.world import World
from workflows.endpoint_messages import Pause, Resume
from workflows.endpoint_watch import EndpointWatch

# Calls that a probe makes: the org's list of resources, with a new session where the old one is gone.
PROBE = re.compile(r"^/services/(data/v[\d.]+/?|oauth2/token)$")
AWAY = {"kind": "down", "match": {"path": "."}}  # with a match the port stays open, so that every call is seen
ORG = ("financialforce", "juston-org")


@pytest.fixture(autouse=True)
async def _all_up(world: World) -> AsyncIterator[None]:
    for endpoint in (*ORG, "magento", "juston"):
        await becomes(world, endpoint, "up")
    yield
    for endpoint in (*ORG, "magento", "juston"):
        await becomes(world, endpoint, "up")


async def note_of(world: World, endpoint: str) -> EndpointNote | None:
    notes = await EndpointBook(world.ledger.engine).all()
    return next((note for note in notes if note.endpoint == endpoint), None)


async def becomes(world: World, endpoint: str, state: State) -> EndpointNote:
    async def there() -> EndpointNote | None:
        note = await note_of(world, endpoint)
        return note if note is not None and note.state == state else None

    return await world.wait_until(there, what=f"{endpoint} is {state}", within=60)


async def calls_to_org(world: World, since: int) -> list[dict[str, object]]:
    return [row for row in await asyncio.to_thread(world.sandbox.requests, "salesforce") if int(row["id"]) > since]


async def test_a_dead_erp_gets_only_probes_while_buyers_get_links_and_then_every_order_ends(
    world: World,
) -> None:
    shop_key = await world.place_in_shop()
    await world.link_of(shop_key)
    async with world.faults("salesforce", AWAY):
        await world.pay(shop_key)
        for endpoint in ORG:
            await becomes(world, endpoint, "down")
        orders = [portal_order() for _ in range(4)]
        views = await asyncio.gather(*(world.place(order) for order in orders))
        assert all(view.payment_link for view in views)
        rows = await calls_to_org(world, 0)
        last = max(int(str(row["id"])) for row in rows)
        quiet = 2.0
        await asyncio.sleep(quiet)  # the length of the look, not a wait for something
        seen = await calls_to_org(world, last)
        assert [row["path"] for row in seen if not PROBE.match(str(row["path"]))] == []
        assert 1 <= len(seen) <= 2 * (quiet / 0.3 + 2)  # one probe for both: they are one org, asked by one user
    for endpoint in ORG:
        await becomes(world, endpoint, "up")
    for order in orders:
        await world.pay(order.key)
    results = [await world.ends(key, within=40) for key in (shop_key, *(order.key for order in orders))]
    assert {result.outcome for result in results} == {Stage.COMPLETED}
    assert await world.books(shop_key) == UNDISTURBED


async def test_people_hear_of_the_outage_with_the_money_that_waits_and_of_its_end(world: World) -> None:
    before = [mail["subject"] for mail in await messages(world.sandbox)].count("financialforce is down")
    key = await world.place_in_shop()
    await world.link_of(key)
    async with world.faults("juston", {"kind": "drop", "on": "notification"}):
        await world.pay(key)
        async with world.faults("salesforce", {"kind": "down"}):
            down = await becomes(world, "financialforce", "down")
            told = await world.told_operators("financialforce is down", times=before + 1)
            assert "Other systems go on" in told[-1]["text"]
            assert down.reason
        await becomes(world, "financialforce", "up")
    back = await world.told_operators("financialforce is back", times=1)
    assert "It was away for" in back[-1]["text"]
    await world.ends(key, within=40)


async def test_a_paused_system_is_left_alone_until_somebody_resumes_it(world: World) -> None:
    watch = world.runs.watch("financialforce")
    await watch.execute_update(EndpointWatch.pause, Pause(by="olga", reason="month-end closing"))
    paused = await becomes(world, "financialforce", "paused")
    assert paused.reason == "month-end closing (olga)"
    order = portal_order()
    view = await world.place(order)
    assert view.payment_link
    await world.pay(order.key)

    async def captured() -> bool:
        return (await world.view(order.key)).payment_state == "captured"

    await world.wait_until(captured, what="the payment is taken")
    assert "sales orders" not in await world.books(order.key)
    await watch.execute_update(EndpointWatch.resume, Resume(by="olga", reason="done"))
    assert (await world.ends(order.key, within=40)).outcome is Stage.COMPLETED


async def test_a_watch_that_was_terminated_while_its_system_was_held_back_leaves_no_queue_shut(world: World) -> None:
    watch = world.runs.watch("financialforce")
    await watch.execute_update(EndpointWatch.pause, Pause(by="olga", reason="month-end closing"))
    await becomes(world, "financialforce", "paused")
    await watch.terminate("somebody's mistake")
    await world.runs.start_watch("financialforce")  # as every worker does when it starts
    await becomes(world, "financialforce", "up")
    order = portal_order()
    await world.place(order)
    await world.pay(order.key)
    assert (await world.ends(order.key, within=40)).outcome is Stage.COMPLETED


async def test_a_system_that_is_no_longer_watched_is_no_longer_held_back(world: World) -> None:
    watch = world.runs.watch("magento")
    await watch.execute_update(EndpointWatch.pause, Pause(by="olga", reason="shop update"))
    await becomes(world, "magento", "paused")
    unwatched = world.stand.worker_process(SYSTEMS__MAGENTO__WATCH="false")
    await unwatched.start()
    try:
        assert (await becomes(world, "magento", "up")).reason == "no longer watched"
        key = await world.place_in_shop()
        await world.link_of(key)  # which the shop itself was told
    finally:
        await unwatched.stop()
        await world.runs.start_watch("magento")


async def test_a_pause_ends_by_itself_when_its_time_is_over(world: World) -> None:
    until = datetime.now(UTC) + timedelta(seconds=8)
    watch = world.runs.watch("magento")
    await watch.execute_update(EndpointWatch.pause, Pause(by="olga", reason="shop update", until=until))
    await becomes(world, "magento", "paused")
    await becomes(world, "magento", "up")


async def test_a_pause_into_the_past_and_a_resume_of_what_runs_are_refused_with_the_reason(world: World) -> None:
    watch = world.runs.watch("magento")
    until = datetime.now(UTC) - timedelta(minutes=1)
    with pytest.raises(WorkflowUpdateFailedError) as past:
        await watch.execute_update(EndpointWatch.pause, Pause(by="olga", reason="late", until=until))
    assert "has passed" in str(past.value.cause)
    with pytest.raises(WorkflowUpdateFailedError) as running:
        await watch.execute_update(EndpointWatch.resume, Resume(by="olga"))
    assert "magento is up, not paused" in str(running.value.cause)
