"""A parked case is somebody's move until it is decided: reminded, escalated, reassigned, expired; never forgotten."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from commerce.cases import Changed, Reassignment
from commerce.documents import Case, Stage
from tests.flow.orders import portal_order
from tests.flow.stand import Stand, standing
from tests.flow.world import World, said

WITHIN = 60.0
CONFIGURED = {
    "HOLDFAST__STORES__DE__CASE_OWNER": "desk@shop.example",
    "HOLDFAST__STORES__DE__EXPIRE_HOURS": "120",
    "HOLDFAST__STORES__DE__AT_EXPIRY": "give-up",
    "HOLDFAST__MAIL__ESCALATION": '["head@shop.example"]',
}


@pytest.fixture(scope="module")
async def stand() -> AsyncIterator[Stand]:
    async with standing(CONFIGURED) as made:
        yield made


async def parked(world: World) -> Case:
    order = portal_order(total="99.99 EUR")
    await world.place(order, within=WITHIN)
    return await world.parks(order.key, step="check totals", within=WITHIN)


async def reassign(world: World, case: Case, to: str, reason: str = "knows the customer") -> str:
    asked = Reassignment(case_id=case.id, to=to, by="olga", reason=reason)
    handle = world.stand.client.get_workflow_handle(case.workflow_id)
    answer: str = await handle.execute_update("reassign", asked, result_type=str)
    return answer


async def history(world: World, case: Case) -> list[tuple[str, str]]:
    return [(event.what, event.by) for event in await world.ledger.case_history(case.id)]


async def happened(world: World, case: Case, what: str) -> Case:
    """The open case as the ledger has it, once this happened to it."""

    async def there() -> Case | None:
        if not any(event.what == what for event in await world.ledger.case_history(case.id)):
            return None
        known = await world.ledger.case(case.id)
        return known[0] if known else None

    return await world.wait_until(there, within=WITHIN, what=f"{case.id} is {what}", key=case.order_key)


async def test_a_case_says_whose_move_it_is_and_the_commands_that_move_it(world: World) -> None:
    case = await parked(world)
    assert (case.assignee, case.may_correct, case.may_skip, case.may_give_up) == (
        "desk@shop.example",
        True,
        False,
        True,
    )
    [mail] = await world.told_operators(f"order {case.number} of de needs a person")
    assert "Whose move: desk@shop.example" in mail["text"]
    assert f'starter.py resolve {case.id} --decision retry --reason "…"' in mail["text"]
    assert "--decision skip" not in mail["text"]
    assert "the order is given up and undone if no money was taken for it" in " ".join(mail["text"].split())
    assert "desk@shop.example" in mail["to"]


async def test_nobody_deciding_escalates_and_goes_on_reminding(world: World) -> None:
    case = await parked(world)
    await world.skip_time(case.order_key, timedelta(hours=73))
    assert (await happened(world, case, "escalated")).escalated_at is not None
    [mail] = await world.told_operators(f"ESCALATED: order {case.number} of de has waited 3 d for a person")
    assert "head@shop.example" in mail["to"]
    await world.skip_time(case.order_key, timedelta(hours=25))
    [again] = await world.told_operators(f"ESCALATED, reminder: order {case.number} of de needs a person")
    assert "head@shop.example" in again["to"]
    assert said(await world.view(case.order_key), "escalated by holdfast: nobody decided since")


async def test_a_case_moves_to_somebody_else_who_is_told_and_it_is_kept(world: World) -> None:
    case = await parked(world)
    answers = await asyncio.gather(*(reassign(world, case, "anna@shop.example") for _ in range(3)))
    assert set(answers) == {f"case {case.id} is the move of anna@shop.example"}
    moved = await happened(world, case, "reassigned")
    assert moved.assignee == "anna@shop.example"
    subject = f"order {case.number} of de: now the move of anna@shop.example"
    [mail] = await world.told_operators(subject)
    assert "anna@shop.example" in mail["to"]
    async with world.faults("mail", {"kind": "down"}):  # the run cannot end before it has told the buyer
        await world.decide(case, "give-up", "a test order")
        assert await history(world, case) == [("opened", "holdfast"), ("reassigned", "olga"), ("decided", "olga")]
        [_, moved_event, decided] = await world.ledger.case_history(case.id)
        assert moved_event.text == "from desk@shop.example to anna@shop.example: knows the customer"
        assert decided.text == "give-up: a test order"
        with pytest.raises(WorkflowUpdateFailedError) as told:
            await reassign(world, case, "kim")
    assert isinstance(told.value.cause, ApplicationError)
    assert told.value.cause.type == "AlreadyDecided"


async def test_the_last_moment_gives_an_unpaid_order_up_as_configured(world: World) -> None:
    case = await parked(world)
    await world.skip_time(case.order_key, timedelta(hours=121))
    result = await world.ends(case.order_key, within=WITHIN)
    assert result.outcome is Stage.GIVEN_UP
    assert "[stores.de] gives up after expire_hours (holdfast)" in result.reason
    assert await history(world, case) == [("opened", "holdfast"), ("escalated", "holdfast"), ("decided", "holdfast")]


async def test_the_last_moment_never_gives_up_an_order_that_was_paid(world: World) -> None:
    order = portal_order()
    await world.place(order, within=WITHIN)
    await world.pay(order.key)
    await world.is_billed(order.key)
    await world.set_service_date(order.key, None)
    case = await world.parks(order.key, step="await invoice", bill=True, within=WITHIN)
    await world.skip_time(order.key, timedelta(hours=121))
    stays = await happened(world, case, "expired")
    assert stays.expired_at is not None
    events = await world.ledger.case_history(case.id)
    assert "it stays open: money was taken for the order" in events[-1].text
    assert [still.id for still in (await world.view(order.key)).cases] == [case.id]
    await world.set_service_date(order.key, "2026-11-21")
    await world.bill(order.key)
    await world.decide(case, "retry", "the date is filled in")
    assert (await world.ends(order.key, within=WITHIN)).outcome is Stage.COMPLETED


async def test_a_correction_is_kept_with_what_it_changed(world: World) -> None:
    case = await parked(world)
    await world.decide(case, "correct", "a typing error", {"total": "100.24 EUR"})
    decided = (await world.ledger.case_history(case.id))[-1]
    assert (decided.what, decided.by, decided.text) == ("decided", "olga", "correct: a typing error")
    assert decided.changes == (Changed(field="total.minor", before="9999", after="10024"),)


async def test_another_correction_under_the_same_words_is_a_second_decision(world: World) -> None:
    case = await parked(world)
    await world.decide(case, "correct", "a typing error", {"total": "100.24 EUR"})
    for asked in ({"kind": "correct", "correction": {"total": "1.00 EUR"}}, {"kind": "retry"}):
        more: dict[str, Any] = {"reason": "a typing error", **asked}
        with pytest.raises(WorkflowUpdateFailedError) as told:
            await world.decide(case, **more)
        cause = told.value.cause
        assert isinstance(cause, ApplicationError)
        assert cause.type == "AlreadyDecided"
        assert "decided by olga: correct, a typing error" in cause.message
    assert await world.decide(case, "correct", "a typing error", {"total": "100.24 EUR"})
