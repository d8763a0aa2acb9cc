"""An order that meets what nobody foresaw: its run stays, operators hear of it, and it goes on where it stood."""

import asyncio

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus

from activities.ledger.stuck import StuckBook
from commerce.documents import Stage
from tests.api.desk import engine_of, served, with_tokens
from tests.flow.orders import portal_order
from tests.flow.stand import messages
from tests.flow.world import World


async def test_an_answer_that_nobody_can_read_ends_no_order_and_operators_hear_of_it(world: World) -> None:
    order, client = portal_order(), world.stand.client
    run = world.run(order.key)
    async with world.faults("salesforce", {"kind": "down"}):
        await world.place(order)
        await world.tries(order.key, 4)
        described = await run.describe()
        good = [event async for event in run.fetch_history_events()]
        step = described.raw_description.pending_activities[0].activity_id
        handle = client.get_async_activity_handle(workflow_id=run.id, run_id=described.run_id, activity_id=step)
        await handle.complete("what no release of ours understands")
    subject = f"run {run.id} cannot go on"
    [mail] = await world.told_operators(subject)
    assert "cannot be read" in mail["text"]
    assert "understands" not in mail["text"], "what it said may be a buyer's"
    assert (await run.describe()).status is WorkflowExecutionStatus.RUNNING
    # In place of a release that understands the answer: the run is taken back to before it came.
    last = max(event.event_id for event in good if event.HasField("workflow_task_completed_event_attributes"))
    taken_back = ResetWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=run.id, run_id=described.run_id),
        reason="the answer was odd",
        workflow_task_finish_event_id=last,
        request_id=order.key,
    )
    await client.workflow_service.reset_workflow_execution(taken_back)
    await world.reaches(order.key, Stage.AWAITING_PAYMENT)
    await world.pay(order.key)
    assert (await world.ends(order.key)).outcome is Stage.COMPLETED
    assert (await world.books(order.key))["invoices"] == ["Paid 10024 EUR"]
    [mail] = await world.told_operators(f"over: {subject}")
    assert "it was ended in the engine (terminated)" in mail["text"]


async def test_a_run_that_was_terminated_goes_on_where_it_stood_also_with_what_it_missed(world: World) -> None:
    order, stand = portal_order(), world.stand
    await world.place(order)
    await world.reaches(order.key, Stage.AWAITING_PAYMENT)
    run = world.run(order.key)
    ended = (await run.describe()).run_id
    await run.terminate(reason="the wrong one")
    await world.pay(order.key)
    await world.late_parks(order.key)  # the money is seen by a run that would pay it back
    await world.told_operators(f"run {run.id} cannot go on")
    async with served(with_tokens(stand.settings), stand.ledger, engine_of(stand.client)) as api:
        path, restarted = f"/v1/orders/de/{order.number}", {"decision": "restart", "reason": "by mistake"}
        for reply in await asyncio.gather(*(api.post(f"{path}/stuck", restarted) for _ in range(2))):  # a double click
            assert reply.status_code in (200, 409), reply.text
        assert (await run.describe()).run_id != ended
        assert (await world.ends(order.key)).outcome is Stage.COMPLETED
        told = (await api.get(path)).json()["timeline"]
    assert (await world.books(order.key))["invoices"] == ["Paid 10024 EUR"]
    assert await stand.ledger.open_cases(order_key=order.key) == []
    assert any("anna started run checkout:" in event["text"] for event in told)
    [mail] = await world.told_operators(f"over: run {run.id} cannot go on")
    assert "started again by anna: by mistake" in mail["text"] or "a newer run has taken it up" in mail["text"]


async def test_a_feed_whose_rights_were_taken_away_is_told_once_and_once_when_they_are_back(world: World) -> None:
    book, said = StuckBook(world.stand.ledger.engine), "eed financialforce:fulfillment"
    denied = [{"errorCode": "INSUFFICIENT_ACCESS_OR_READONLY", "message": "insufficient access rights on object"}]
    rule = {"kind": "status", "status": 403, "body": denied, "match": {"path": "/query|/composite"}}

    async def told() -> list[str]:
        texts = [mail["text"] for mail in await messages(world.stand.sandbox)]
        return [paragraph for text in texts for paragraph in text.split("\n\n") if said in paragraph]

    async def told_so_often(times: int) -> None:
        async def often() -> bool:
            return len(await told()) >= times

        await world.wait_until(often, what=f"operators hear of the feed {times} times")

    before = len(await told())
    async with world.faults("salesforce", rule):
        await told_so_often(before + 1)
        assert {run.workflow_id for run in await book.open()} >= {"feed:financialforce:fulfillment"}
    await told_so_often(before + 2)
    begun, over = (await told())[before:]
    assert "403 INSUFFICIENT_ACCESS_OR_READONLY: insufficient access rights on object" in begun
    assert "To do: give the integration user access to the object and fields; it is tried again" in begun
    assert "feed financialforce:fulfillment: it is read again" in over
