"""Late payment: money moved on the payment entry of an order whose run has ended. A person is always told the amount.

Input: the order. Harmless changes end the run at once; everything else parks: a payment after expiry or cancellation,
a failure or charge-back after the order was invoiced. The ERP follows by itself: a receipt whose payment is gone is
booked back, a payment that took its place is booked, so that the books hold the money once.
"""

from datetime import datetime
from functools import partial

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.changes import LatePaymentInput
    from activities.control import Control, KeepDocuments, KnownOutcome
    from activities.roles import (
        BookReceipt,
        BookRefund,
        CancelEntry,
        Erp,
        ErpCustomer,
        FindCustomer,
        LookAtEntry,
        Payments,
    )
    from commerce.documents import Decision, Document, DocumentKind, Stage
    from commerce.payment import Collected, EntryState, EntryStatus, Payable, judge, taken
    from workflows.parking import ParkingWorkflow, Problem, Skipped, Stopped


@workflow.defn(name="LatePayment")
class LatePayment(ParkingWorkflow):
    @workflow.init
    def __init__(self, late: LatePaymentInput) -> None:
        super().__init__(late.store, late.number)
        self._completed = False
        self._known = KnownOutcome()
        self._booked: tuple[Document, ...] = ()
        self._news = 0
        self._news_heard = 0
        self._seen: EntryState | None = None
        self._left: EntryState | None = None  # as it was when a person said that it stays so
        self._ended = ""  # what the last look led to

    @workflow.run
    async def run(self, late: LatePaymentInput) -> str:
        self._plan = await self._control(Control.plan_for, late.store, f"plan for {late.store}")
        known = await self._control(Control.known_outcome, late.order_key, f"what became of {late.order_key}")
        self._completed = known.stage == Stage.COMPLETED.value
        self._known, self._booked = known, known.booked
        while True:
            self._undoing = False
            if workflow.cancellation_reason() is None:  # else the run ends without a further step
                self._stop = None
            try:
                self._ended = await self._settle(known.stage)
            except Skipped as skipped:
                self._ended, self._left = f"left as it is: {skipped}", self._seen
            self._publish()
            await workflow.wait_condition(workflow.all_handlers_finished)
            if self._news == self._news_heard:
                return self._ended

    @workflow.signal
    def news(self) -> None:
        """The entry changed. What comes while this run closes is looked at before it ends."""
        self._news += 1

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
        self._news_heard = self._news  # before the look: what comes during it is looked at again
        self._seen = state = await self._do(
            "look at payment entry",
            plan.payment_records,
            Payments.look_at_entry,
            lambda: LookAtEntry(key=self._key, order_key=self._key),
        )
        if state == self._left:
            return self._ended
        verdict = judge(state, was_captured=self._completed)
        if self._completed:
            self._check_receipts(state)
            followed = await self._follow_in_erp(state)
            if verdict is Payable.CAPTURED:
                return (
                    f"the order is paid: {followed}" if followed else self._ended or "nothing to do: the order is paid"
                )
            said = f"the order is invoiced, and its payment is now {verdict.value}"
            said += f" ({followed})" if followed else ""
            advice = (
                "dun the customer or correct the payment, then decide 'skip'; 'retry' looks again. The ERP's receipts "
            )
            advice += "follow the payments by themselves"
        else:
            if not taken(state):
                return self._ended or "nothing to do: no money is held"
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

    # ---- the ERP follows ---------------------------------------------------------------------------------------------

    async def _follow_in_erp(self, state: EntryState) -> str:
        """Book back what is gone, book what came; returns what was booked now, in words."""
        held = {payment.transaction_id for payment in state.collected}
        keys = {document.key for document in self._booked}
        gone = [one for one in self._receipts() if one.transaction_id not in held]
        came = [payment for payment in state.collected if self._receipt_key(payment) not in keys]
        wanted = [payment for payment in gone if f"{self._receipt_key(payment)}:refund" not in keys]
        if not wanted and not came:
            return ""
        customer = await self._do(
            "find customer",
            self._need_plan().erp,
            Erp.find_customer,
            lambda: FindCustomer(key=self._known.customer_key, order_key=self._key),
        )
        said = []
        for payment in wanted:
            said.append(await self._book(DocumentKind.REFUND, payment, customer))
        for payment in came:
            said.append(await self._book(DocumentKind.RECEIPT, payment, customer))
        return ", ".join(said)

    def _check_receipts(self, state: EntryState) -> None:
        """Raises Problem where following would be a guess: another amount, or money that is back after its way back."""
        receipts = {receipt.transaction_id: receipt.amount for receipt in self._receipts()}
        refunds = {document.key for document in self._booked if document.kind is DocumentKind.REFUND}
        wrong = []
        for payment in state.collected:
            booked = receipts.get(payment.transaction_id)
            if booked is not None and booked != payment.amount:
                wrong.append(f"payment {payment.transaction_id} is {payment.amount}, its receipt {booked}")
            if f"{self._receipt_key(payment)}:refund" in refunds:
                wrong.append(f"payment {payment.transaction_id} over {payment.amount} is here, and was booked back")
        if wrong:
            raise Problem(
                f"keep the ERP's receipts of order {self._key} in step with its payments",
                "; ".join(wrong),
                "put the receipts right in the ERP, then decide 'skip'",
                system=self._need_plan().erp,
                amount=taken(state),
            )

    def _receipts(self) -> list[Collected]:
        """The payments on the entry that the ERP has receipts for; the shop's own gateway's are not on it."""
        prefix = f"{self._key}:"
        transactions = {
            document.key.removeprefix(prefix): document.amount
            for document in self._booked
            if document.kind is DocumentKind.RECEIPT and document.amount is not None
        }
        return [
            Collected(id=transaction, amount=amount, transaction_id=transaction)
            for transaction, amount in transactions.items()
            if transaction not in self._known.gateway
        ]

    async def _book(self, kind: DocumentKind, payment: Collected, customer: ErpCustomer) -> str:
        """Book it, or keep that a person did: it is never booked beside what was done by hand."""
        erp, key, now = self._need_plan().erp, self._receipt_key(payment), workflow.now()
        refund = kind is DocumentKind.REFUND
        try:
            if refund:
                document = await self._do(
                    "book refund", erp, Erp.book_refund, partial(self._refund, payment, customer, now), may_skip=True
                )
            else:
                document = await self._do(
                    "book cash receipt",
                    erp,
                    Erp.book_receipt,
                    partial(self._receipt, payment, customer, now),
                    may_skip=True,
                )
            said = f"{payment.amount} booked {'back ' if refund else ''}as {document.number}"
        except Skipped as skipped:
            document = Document(
                kind=kind,
                system=erp,
                id=f"by hand: {key}",
                key=f"{key}:refund" if refund else key,
                amount=payment.amount,
                status=f"by hand: {skipped}",
            )
            said = f"{payment.amount} {'booked back' if refund else 'booked'} by hand"
        self._booked += (document,)
        kept = KeepDocuments(order_key=self._key, documents=(document,))
        await self._control(Control.keep_documents, kept, f"keep {document.kind.value} of {self._key}")
        return said

    def _receipt(self, payment: Collected, customer: ErpCustomer, now: datetime) -> BookReceipt:
        return BookReceipt(
            key=self._receipt_key(payment),
            order_key=self._key,
            order_number=self._number,
            store=self._store,
            customer=customer,
            payment=payment,
            received_at=payment.collected_at or now,
        )

    def _refund(self, payment: Collected, customer: ErpCustomer, now: datetime) -> BookRefund:
        return BookRefund(
            key=f"{self._receipt_key(payment)}:refund",
            order_key=self._key,
            order_number=self._number,
            store=self._store,
            customer=customer,
            payment=payment,
            paid_back_at=now,
        )

    def _receipt_key(self, payment: Collected) -> str:
        return f"{self._key}:{payment.transaction_id}"

    # ---- decisions ---------------------------------------------------------------------------------------------------

    def _why_not_give_up(self) -> str:
        if not self._completed:
            return ""
        return (
            "the order is invoiced: paying it back here would leave receipt and invoice standing; credit the invoice "
            "in the billing system, then decide 'skip'"
        )

    async def _park(self, step: str, problem: Problem, *, may_skip: bool, family: str) -> Decision:
        """Money on the link of an order that was changed into another one is not that one's money."""
        if self._known.replaced_by:
            problem = Problem(
                problem.tried,
                f"{problem.came_back}; the order was replaced by order {self._known.replaced_by}, "
                "which asks for its own payment",
                problem.do_next,
                system=problem.system,
                amount=problem.amount,
                request_id=problem.request_id,
                may_skip=problem.may_skip,
            )
        return await super()._park(step, problem, may_skip=may_skip, family=family)

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
