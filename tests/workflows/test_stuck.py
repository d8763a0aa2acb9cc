"""An order that meets what nobody foresaw: its run stays, operators hear of it, and it goes on where it stood."""

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus

from commerce.documents import Stage
from tests.flow.orders import portal_order
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
