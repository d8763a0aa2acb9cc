"""One order is one run: asked twice, asked with other content, and asked while the ERP is away."""

import asyncio
import time

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

from activities.changes import RunRefused
from commerce.documents import Stage
from tests.flow.orders import line, portal_order
from tests.flow.world import World, said


async def test_the_same_order_many_times_is_one_run_with_one_link(world: World) -> None:
    order = portal_order()
    views = await asyncio.gather(*(world.place(order) for _ in range(5)))
    assert len({view.payment_link for view in views}) == 1
    await world.books_become(order.key, {"entries": ["Open 10024 EUR"]})
    await world.pay(order.key)
    await world.ends(order.key)
    with pytest.raises(WorkflowAlreadyStartedError):
        await world.place(order)
    await world.runs.start_checkout(order)
    assert len((await world.books(order.key))["entries"]) == 1


async def test_another_order_under_the_same_number_is_refused_with_the_differences(world: World) -> None:
    order = portal_order()
    await world.place(order)
    other = portal_order(
        number=order.number,
        lines=[{**line("1", "HF-1001"), "quantity": "3", "total": "118.50 EUR"}],
        note="please hurry",
    )
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await world.place(other)
    cause = refused.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == "DifferentContent"
    differences = cause.details[0]
    assert 'lines[0].quantity: known "2", given "3"' in differences
    assert 'note: known nothing, given "please hurry"' in differences
    await world.books_become(order.key, {"entries": ["Open 10024 EUR"]})


async def test_the_link_comes_within_the_configured_wait_while_the_erp_is_down(world: World) -> None:
    order = portal_order()
    async with world.faults("salesforce", {"kind": "down"}):
        began = time.monotonic()
        view = await world.place(order)
        took = time.monotonic() - began
        assert view.payment_link
        assert took < 5  # 2 s are configured for this test's store; the rest is the machine
        assert said(view, "the ERP does not answer yet")
    await world.pay(order.key)
    assert (await world.ends(order.key)).outcome is Stage.COMPLETED
    books = await world.books(order.key)
    assert books["sales orders"] == ["New 10024 EUR"]
    assert books["entries"] == ["Balanced 10024 EUR"]


async def test_an_order_that_cannot_be_booked_is_answered_with_its_case_and_no_link(world: World) -> None:
    order = portal_order(lines=[line("1", "HF-9999", "Messemuster")])
    view = await world.place(order)
    assert (view.payment_link, [case.step for case in view.cases]) == ("", ["find items"])
    assert await world.books(order.key) == {}


async def test_an_order_that_the_engine_can_never_take_is_refused_as_such(world: World) -> None:
    for size in (3_000_000, 5_000_000):  # above the engine's limit for a payload, and above gRPC's for a message
        with pytest.raises(RunRefused):
            await world.runs.start_checkout(portal_order(note="x" * size))
