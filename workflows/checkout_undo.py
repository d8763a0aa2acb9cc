"""The way back of a checkout: every step of the process has its undo here, taken in reverse order."""

import asyncio
import contextlib
from datetime import datetime
from functools import partial

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from activities.changes import LatePaymentInput
    from activities.control import Control, Outcome, TellOperators
    from activities.roles import (
        Billing,
        BookReceipt,
        BookRefund,
        CancelBilling,
        CancelEntry,
        CancelErpOrder,
        CancelShopOrder,
        Erp,
        Payments,
        Storefront,
    )
    from commerce.documents import (
        CheckoutResult,
        DocumentKind,
        Stage,
        Undone,
    )
    from commerce.payment import Collected, as_collected
    from commerce.totals import is_on_account
    from workflows.checkout_state import CheckoutState
    from workflows.late_payment import LatePayment
    from workflows.names import ORDER_NUMBER, STORE, late_payment_id
    from workflows.parking import Problem, Skipped, Stopped


class CheckoutUndo(CheckoutState):
    # ---- undo, in reverse --------------------------------------------------------------------------------------------

    async def _stop_and_undo(self) -> CheckoutResult:
        """Undo everything. A cancellation in the engine that comes meanwhile asks for just that."""
        return await self._to_the_end(self._undo_everything())

    async def _undo_everything(self) -> CheckoutResult:
        stop = self._stop or Stopped(Stage.CANCELLED, "stopped without a reason")
        # What runs beside sees the stop at its next step and closes its own cases.
        await asyncio.gather(*self._beside, return_exceptions=True)
        self._undoing = True
        self._payment_settled = True
        self._enter(Stage.UNDOING, "")
        undone: list[Undone] = []
        for label, undo in reversed(self._undo):
            try:
                result = await undo(stop.reason)
            except Skipped as skipped:
                self._skipped.append(str(skipped))
                result = Undone(what=f"{label}: left as it is, {skipped}", done=False)
            if result is not None:
                undone.append(result)
                if result.done:
                    self._note("undid", result.what)
        for payment in as_collected(self._order):
            undone.append(await self._gateway_money_back(payment))
        data = {"reason": stop.reason} | ({"replaced_by": self._replaced_by} if self._replaced_by else {})
        template = "replaced" if self._replaced_by else "cancelled"
        await self._tell(template, self._order.total, f"order.{stop.stage.value}", data)
        return await self._close(stop.stage, undone=tuple(undone))

    def _left_to_a_person(self) -> str:
        """What undoing the order now would leave to a person; empty when all of it goes back by itself."""
        if self._stage is Stage.WRITING_BACK and not is_on_account(self._order):
            return "the shop has invoiced the order, or is about to, and needs a credit memo"
        if as_collected(self._order):
            return "its money was taken by the shop's own gateway, and can go back only there"
        return ""

    async def _undo_entry(self, reason: str) -> Undone | None:
        """Cancel the receivable; money that is in it goes back, and the ERP hears of it."""
        plan = self._need_plan()
        cancelled = await self._do(
            "cancel payment entry",
            plan.payment_records,
            Payments.cancel_entry,
            lambda: CancelEntry(key=self._key, order_key=self._key, reason=reason),
            may_skip=True,
        )
        if not cancelled.done:
            return Undone(what="payment entry: none was made", done=False)
        self._replace_status(DocumentKind.ENTRY, "canceled")
        for payment in cancelled.refunded:
            self._note("undid", f"refunded {payment.amount} ({payment.transaction_id})")
            await self._book_refund(payment)
        refunded = {payment.transaction_id for payment in cancelled.refunded}
        for payment in self._collected:  # what failed after its receipt was booked cannot be refunded, only booked back
            if payment.transaction_id not in refunded:
                await self._book_refund(payment)
        money = ", ".join(str(payment.amount) for payment in cancelled.refunded)
        return Undone(what="payment entry canceled" + (f", {money} refunded" if money else ""), done=True)

    async def _book_refund(self, payment: Collected) -> None:
        """Mirror a receipt in the ERP; where none was begun there is nothing to mirror."""
        plan, receipt_key = self._need_plan(), self._receipt_key(payment)
        refund_key = f"{receipt_key}:refund"
        if receipt_key not in self._receipts_begun or self._is_booked(refund_key):
            return
        if not self._is_booked(receipt_key):
            # Its booking was called off with an unknown outcome. Money came in and went back: the ERP shows both.
            await self._do_or_skip("book cash receipt", plan.erp, Erp.book_receipt, partial(self._receipt, payment))
            if not self._is_booked(receipt_key):
                return
        await self._do_or_skip(
            "book refund",
            plan.erp,
            Erp.book_refund,
            lambda: BookRefund(
                key=refund_key,
                order_key=self._key,
                order_number=self._number,
                store=self._store,
                customer=self._known_customer(),
                payment=payment,
                paid_back_at=workflow.now(),
            ),
        )

    def _receipt(self, payment: Collected) -> BookReceipt:
        return BookReceipt(
            key=self._receipt_key(payment),
            order_key=self._key,
            order_number=self._number,
            store=self._store,
            customer=self._known_customer(),
            payment=payment,
            received_at=payment.collected_at or self._order.placed_at,
        )

    async def _undo_shop_order(self, reason: str) -> Undone:
        return await self._do(
            "cancel shop order",
            self._need_plan().storefront,
            Storefront.cancel_order,
            lambda: CancelShopOrder(
                order_key=self._key, store=self._store, number=self._number, shop_id=self._order.shop_id, reason=reason
            ),
            may_skip=True,
        )

    async def _undo_sales_order(self, reason: str) -> Undone:
        return await self._do(
            "cancel sales order",
            self._need_plan().erp,
            Erp.cancel_order,
            lambda: CancelErpOrder(order_key=self._key, reason=reason, unanswered_at=self._booking_unanswered()),
            may_skip=True,
        )

    def _booking_unanswered(self) -> datetime | None:
        return self._unanswered.get(Erp.book_order) or self._unanswered.get(Erp.book_all)

    async def _undo_billing(self, reason: str) -> Undone:
        return await self._do(
            "cancel billing",
            self._need_plan().billing,
            Billing.cancel,
            lambda: CancelBilling(
                order_key=self._key, reason=reason, unanswered_at=self._unanswered.get(Billing.ensure_order)
            ),
            may_skip=True,
        )

    async def _gateway_money_back(self, payment: Collected) -> Undone:
        """Money that the shop's own gateway took can only go back there: a person does it and says so."""

        async def by_hand() -> None:
            raise Problem(
                f"pay back {payment.amount} for order {self._key}",
                f"payment {payment.transaction_id} was taken by the shop's own gateway {payment.provider}"
                + (f", and the order was replaced by order {self._replaced_by}" if self._replaced_by else ""),
                (f"unless the gateway counts it for order {self._replaced_by} now, " if self._replaced_by else "")
                + "refund it at the gateway, then decide 'skip' with the refund's reference as the reason",
                system=payment.provider or "shop gateway",
                amount=payment.amount,
            )

        try:
            await self._check("refund at the shop's gateway", by_hand, may_skip=True)
        except Skipped as skipped:
            await self._book_refund(payment)
            return Undone(what=str(skipped), done=True)
        raise ApplicationError("a refund by hand ends by a decision", type="Bug")

    async def _close(self, stage: Stage, *, hand_over: bool = False, undone: tuple[Undone, ...] = ()) -> CheckoutResult:
        reason = str(self._stop) if self._stop else ""
        result = CheckoutResult(
            order_key=self._key,
            outcome=stage,
            customer_key=self._customer.key if self._customer else "",
            documents=tuple(self._documents),
            undone=undone,
            skipped=tuple(self._skipped),
            reason=reason,
            replaced_by=self._replaced_by,
            handed_over=hand_over,
        )
        self._note("did", "handed over to fulfillment" if hand_over else f"ended as {stage.value}: {reason}")
        self._stage, self._waiting_on = stage, ""
        await self._control_at_once(
            Control.close_order, Outcome(view=self.view(), result=result, hand_over=hand_over), f"keep {self._key}"
        )
        self._enter(stage, "", rests=True)
        self._payment_settled = True
        await self._leave_late_payment()
        await self._tell_of_late_cancellation()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return result

    async def _leave_late_payment(self) -> None:
        """News of the payment that came while the run was closing is not lost with it."""
        if self._entry is None or not self._unheard("entry"):
            return
        late = LatePaymentInput(order_key=self._key, store=self._store, number=self._number)
        with contextlib.suppress(WorkflowAlreadyStartedError):  # it began while this run closes, and looks by itself
            await workflow.start_child_workflow(
                LatePayment.run,
                late,
                id=late_payment_id(self._key),
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                search_attributes=TypedSearchAttributes(
                    [SearchAttributePair(ORDER_NUMBER, self._number), SearchAttributePair(STORE, self._store)]
                ),
                static_summary=f"Late payment of order {self._number} of {self._store}",
            )

    async def _tell_of_late_cancellation(self) -> None:
        """A cancellation that came while the run was closing as completed: nobody else undoes the order."""
        in_shop = self._unheard("shop-canceled")
        if self._stage is not Stage.COMPLETED or not (in_shop or self._stop):
            return
        self._heard("shop-canceled")
        where = "in the shop" if in_shop else "through the engine"
        self._note("heard", f"the order was cancelled {where} when it was completed already; operators were told")
        message = TellOperators(
            key=f"{self._key}:cancelled-too-late",
            subject=f"order {self._number} of {self._store} was cancelled {where} too late",
            text=f"{self._key} was cancelled {where}"
            + (f" and replaced by order {self._replaced_by}" if self._replaced_by else "")
            + f" while its checkout ended as completed: it is paid, booked and invoiced over {self._order.total}.\n"
            "Undo its documents by hand: credit the invoice, pay the money back.",
            order_key=self._key,
        )
        await self._control(Control.tell_operators, message, f"tell operators about {self._key}")
