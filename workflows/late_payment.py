"""Late payment: money moved on the payment entry of an order whose run has ended. A person is always told the amount.

Input: the order. Harmless changes end the run at once; everything else parks: a payment after expiry or cancellation,
a failure or charge-back after the order was invoiced.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.changes import LatePaymentInput
    from activities.control import Control
    from activities.roles import CancelEntry, LookAtEntry, Payments
    from commerce.documents import Stage
    from commerce.payment import EntryStatus, Payable, judge, taken
    from workflows.parking import ParkingWorkflow, Problem, Skipped, Stopped


@workflow.defn(name="LatePayment")
class LatePayment(ParkingWorkflow):
    @workflow.init
    def __init__(self, late: LatePaymentInput) -> None:
        super().__init__(late.store, late.number)
        self._completed = False

    @workflow.run
    async def run(self, late: LatePaymentInput) -> str:
        self._plan = await self._control(Control.plan_for, late.store, f"plan for {late.store}")
        known = await self._control(Control.known_outcome, late.order_key, f"what became of {late.order_key}")
        self._completed = known.stage == Stage.COMPLETED.value
        try:
            ended = await self._settle(known.stage)
        except Skipped as skipped:
            ended = f"left as it is: {skipped}"
        await workflow.wait_condition(workflow.all_handlers_finished)
        return ended

    async def _settle(self, stage: str) -> str:
        try:
            return await self._check("late payment", lambda: self._settled(stage), may_skip=True)
        except Stopped as stop:
            if stop.stage is not Stage.GIVEN_UP:  # ended in the engine: nobody decided about the money
                return f"left as it is: {stop}"
            self._undoing = True
            return await self._pay_back(str(stop))

    async def _settled(self, stage: str) -> str:
        plan = self._need_plan()
        state = await self._do(
            "look at payment entry",
            plan.payment_records,
            Payments.look_at_entry,
            lambda: LookAtEntry(key=self._key, order_key=self._key),
        )
        verdict = judge(state, was_captured=stage == Stage.COMPLETED.value)
        if stage == Stage.COMPLETED.value:
            if verdict is Payable.CAPTURED:
                return "nothing to do: the order is paid"
            said = f"the order is invoiced, and its payment is now {verdict.value}"
            advice = "dun the customer or correct the payment, then decide 'skip'; 'retry' looks again"
        else:
            if not taken(state):
                return "nothing to do: no money is held"
            if state.status is EntryStatus.CANCELED:  # its refund may be under way; what is kept asks for a person
                return await self._pay_back("the order has ended")
            said = f"the order ended{f' as {stage}' if stage else ' without a result'}, and money is held for it"
            advice = "decide 'give-up' to pay it back, or 'skip' when it was settled by hand"
        raise Problem(
            f"settle the late payment of order {self._key}",
            f"{said}: asked {state.amount}, collected {taken(state)}",
            advice,
            system=plan.payments,
            amount=taken(state),
        )

    def _why_not_give_up(self) -> str:
        if not self._completed:
            return ""
        return (
            "the order is invoiced: paying it back here would leave receipt and invoice standing; credit the invoice "
            "in the billing system, then decide 'skip'"
        )

    def _case_name(self, count: int) -> str:
        # The checkout and every late payment of an order have cases of their own.
        return f"late-{workflow.info().workflow_start_time:%Y%m%d%H%M%S}-{count}"

    async def _pay_back(self, reason: str) -> str:
        plan = self._need_plan()
        cancelled = await self._do(
            "pay back late payment",
            plan.payment_records,
            Payments.cancel_entry,
            lambda: CancelEntry(key=self._key, order_key=self._key, reason=reason),
            may_skip=True,
        )
        money = ", ".join(str(payment.amount) for payment in cancelled.refunded) or "nothing"
        return f"paid back {money}"
