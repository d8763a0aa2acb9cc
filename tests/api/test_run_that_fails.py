"""What portals and operators hear while an order's run cannot go on: never a mistake of theirs, and what to do."""

from collections.abc import AsyncIterator

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from commerce.order import Order
from tests.api.desk import PORTAL, Served, an_order
from workflows.names import WORKFLOW_QUEUE


@workflow.defn(name="CheckoutPaymentInvoice")
class Odd:
    @workflow.run
    async def run(self, order: Order) -> None:
        raise RuntimeError("a mistake of this release")

    @workflow.update
    async def payment_link(self, order: Order) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.update
    async def cancel(self, request: dict[str, str]) -> None:
        return


@pytest.fixture
async def odd_release(engine_client: Client) -> AsyncIterator[None]:
    async with Worker(
        engine_client, task_queue=WORKFLOW_QUEUE, workflows=[Odd], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        yield


async def test_an_order_whose_run_fails_is_taken_in_and_its_link_comes_later(
    api: Served, odd_release: None, fresh_number: str
) -> None:
    order = an_order(fresh_number)
    for _ in range(3):
        taken = await api.post("/v1/checkouts", order, PORTAL)
        assert taken.status_code == 202, taken.text
    refused = await api.post(f"/v1/orders/de/{fresh_number}/cancel", {"reason": "too slow"}, PORTAL)
    assert refused.status_code == 503
    assert "retry-after" in refused.headers
