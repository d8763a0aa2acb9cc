"""The baseline: a bare workflow that answers an update-with-start and does nothing else."""

from temporalio import workflow


@workflow.defn(name="BareCheckout")
class BareCheckout:
    @workflow.run
    async def run(self, order: str) -> str:
        await workflow.wait_condition(workflow.all_handlers_finished)
        return order

    @workflow.update
    async def payment_link(self, order: str) -> str:
        return f"link for {order}"
