"""The plain way is short, and what it saves is not paid for when a system or our own memory is away."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from temporalio.api.enums.v1 import EventType

from activities.changes import Reading
from commerce.documents import Stage
from commerce.money import Money
from commerce.order import Order
from commerce.payment import Collected, EntryState, EntryStatus
from tests.flow.orders import portal_order
from tests.flow.world import World, said
from workflows.checkout_payment_invoice import CheckoutPaymentInvoice
from workflows.names import STAGE, WAITING_ON

# docs/benchmarks.md says what each event and action is for.
MOST_EVENTS = 60
MOST_ACTIONS = 15  # 14, and a hint that came twice
_BILLED = {
    "WORKFLOW_EXECUTION_STARTED",
    "WORKFLOW_EXECUTION_UPDATE_ACCEPTED",
    "WORKFLOW_EXECUTION_SIGNALED",
    "ACTIVITY_TASK_SCHEDULED",
    "MARKER_RECORDED",  # a local activity; none shares its workflow task with another here
    "TIMER_STARTED",
    "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
}


async def events(world: World, key: str) -> Counter[str]:
    history = await world.run(key).fetch_history()
    return Counter(EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in history.events)


async def steps(world: World, key: str) -> list[str]:
    history = await world.run(key).fetch_history()
    scheduled = [event.activity_task_scheduled_event_attributes for event in history.events]
    return [step.activity_type.name for step in scheduled if step.activity_type.name]


async def shown(world: World, key: str) -> tuple[str | None, str | None]:
    """Stage and what is waited for, as everybody finds them in the engine."""
    attributes = (await world.run(key).describe()).typed_search_attributes
    return attributes.get(STAGE), attributes.get(WAITING_ON)


async def test_a_prepaid_order_needs_few_events_and_few_actions(world: World) -> None:
    order = portal_order()
    await world.place(order)
    assert await shown(world, order.key) == ("awaiting payment", "buyer")
    await world.pay(order.key)
    await world.is_billed(order.key)
    assert await shown(world, order.key) == ("billing", "juston-org")
    await world.ends(order.key)
    assert await shown(world, order.key) == ("completed", "")
    found = await events(world, order.key)
    assert found.total() <= MOST_EVENTS, found
    assert sum(found[name] for name in _BILLED) <= MOST_ACTIONS, found
    # Neither entry nor invoice is looked at again: the feeds have told what they read.
    assert await steps(world, order.key) == [
        "erp.check_order",
        "payments.ensure_entry",
        "erp.book_all",
        "billing.ensure_order",
        "notify.customer",
    ]


async def test_an_order_that_waits_for_a_system_says_so_until_it_goes_on(world: World) -> None:
    key = await world.place_in_shop()
    await world.link_of(key)
    async with world.faults("magento", {"kind": "down"}):
        await world.pay(key)
        await world.reaches(key, Stage.WRITING_BACK, bill=True)

        async def says() -> bool:
            return await shown(world, key) == ("writing back", "magento")

        await world.wait_until(says, what=f"{key} says that it waits for the shop", key=key)
    await world.ends(key)
    assert await shown(world, key) == ("completed", "")


Memory = Callable[[World], contextlib.AbstractAsyncContextManager[None]]


@contextlib.asynccontextmanager
async def locked(world: World) -> AsyncIterator[None]:
    """Our memory does not answer."""
    async with world.ledger.engine.begin() as connection:
        await connection.execute(sa.text("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE"))
        yield


@contextlib.asynccontextmanager
async def refusing(world: World) -> AsyncIterator[None]:
    """Our memory answers at once that it cannot write, as it does in the seconds of a fail-over."""
    async with world.ledger.engine.begin() as db:
        await db.execute(
            sa.text(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'read-only' USING ERRCODE = '25006'; END $$"
            )
        )
        await db.execute(sa.text("CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON orders EXECUTE FUNCTION refuse()"))
    try:
        yield
    finally:
        async with world.ledger.engine.begin() as db:
            await db.execute(sa.text("DROP FUNCTION refuse CASCADE"))


async def is_held_up(world: World, order: Order, away: Memory) -> None:
    """Placed, and closed, while our memory is away: the order waits for it both times, and then goes on."""
    async with away(world):
        placing = asyncio.create_task(world.place(order, within=60))
        await world.is_at(order.key, "control.open_order")
        assert not placing.done()
    assert (await placing).payment_link
    async with world.faults("mail", {"kind": "down"}):
        await world.pay(order.key)
        await world.is_billed(order.key)
        await world.bill(order.key)
        await world.is_at(order.key, "notify.customer")
        async with away(world):
            await world.set_faults("mail")
            await world.is_at(order.key, "control.close_order")
    result = await world.ends(order.key)
    assert (result.outcome, result.handed_over) == (Stage.COMPLETED, True)


async def test_a_memory_that_does_not_answer_holds_an_order_up_and_fails_no_workflow_task(world: World) -> None:
    order = portal_order()
    await is_held_up(world, order, locked)
    found = await events(world, order.key)
    assert found["WORKFLOW_TASK_FAILED"] + found["WORKFLOW_TASK_TIMED_OUT"] == 0


async def test_a_memory_that_refuses_holds_an_order_up_and_ends_no_run(world: World) -> None:
    await is_held_up(world, portal_order(), refusing)


async def test_only_a_fresh_reading_of_the_orders_own_entry_is_believed(world: World) -> None:
    order = portal_order()
    await world.place(order)
    amount, now = Money(minor=10024, currency="EUR"), datetime.now(UTC)

    def paid(entry_id: str) -> EntryState:
        payment = Collected(id="a0K1", amount=amount, transaction_id="pi_1")
        return EntryState(
            entry_id=entry_id,
            key=order.key,
            status=EntryStatus.BALANCED,
            amount=amount,
            assigned=amount,
            collected=(payment,),
        )

    own = (await world.view(order.key)).documents[0].id
    unpaid = paid(own).model_copy(update={"status": EntryStatus.OPEN, "assigned": Money.zero("EUR"), "collected": ()})
    for at, entry in (
        (now, paid("a0J000000000099AAA")),  # of another entry
        (now, unpaid),
        (now - timedelta(seconds=1), paid(own)),  # read before what was heard already
    ):
        looks = (await steps(world, order.key)).count("payments.look_at_entry")
        await world.run(order.key).signal(CheckoutPaymentInvoice.hint, args=["entry", Reading(at=at, entry=entry)])

        async def looked(before: int = looks) -> bool:
            return (await steps(world, order.key)).count("payments.look_at_entry") > before

        await world.wait_until(looked, what="the entry itself is looked at", key=order.key)
    view = await world.reaches(order.key, Stage.AWAITING_PAYMENT)
    assert not said(view, "was captured")
    await world.pay(order.key)
    await world.ends(order.key)
