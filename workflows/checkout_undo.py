"""The state of a checkout and the way back: every step of the process has its undo here, taken in reverse order."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

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
        Entry,
        Erp,
        ErpCustomer,
        ErpItems,
        Notify,
        Payments,
        Storefront,
        TellCustomer,
        TellPortal,
    )
    from commerce.billing import InvoiceState
    from commerce.cases import Changed
    from commerce.corrections import corrected
    from commerce.documents import (
        CheckoutResult,
        Decision,
        Document,
        DocumentKind,
        OrderView,
        Stage,
        Undone,
    )
    from commerce.money import Money
    from commerce.order import CustomerKind, Order, changed_fields, content
    from commerce.payment import Collected, as_collected
    from commerce.totals import amount_due, is_on_account
    from workflows.late_payment import LatePayment
    from workflows.names import NOTIFY, ORDER_NUMBER, STAGE, STORE, WAITING_ON, late_payment_id
    from workflows.parking import ParkingWorkflow, Problem, Skipped, Stopped

Undo = Callable[[str], Awaitable[Undone | None]]


class CheckoutUndo(ParkingWorkflow):
    _may_correct = True

    def __init__(self, order: Order) -> None:
        super().__init__(order.store, order.number)
        self._placed = order  # as it came in; a correction changes `_order` only
        self._order = order
        self._stage = Stage.RECEIVED
        self._waiting_on = ""
        self._documents: list[Document] = []
        self._skipped: list[str] = []
        self._undo: list[tuple[str, Undo]] = []
        self._beside: list[asyncio.Task[None]] = []
        self._customer: ErpCustomer | None = None
        self._items: ErpItems | None = None
        self._entry: Entry | None = None
        self._deadline = order.placed_at
        self._collected: tuple[Collected, ...] = ()
        self._failed_attempts = 0
        self._receipts_begun: set[str] = set()
        self._sales_order: Document | None = None
        self._invoice: InvoiceState | None = None
        self._hints: dict[str, int] = {}
        self._hints_heard: dict[str, int] = {}
        self._payment_settled = False  # the portal can be told what to do: pay here, or nothing is due

    # ---- undo, in reverse --------------------------------------------------------------------------------------------

    async def _stop_and_undo(self) -> CheckoutResult:
        """Undo everything. A cancellation in the engine that comes meanwhile asks for just that, and ends nothing."""
        undoing = asyncio.create_task(self._undo_everything())
        try:
            return await asyncio.shield(undoing)
        except asyncio.CancelledError:
            return await undoing

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
        await self._tell_customer("cancelled", self._order.total)
        await self._tell_portal(f"order.{stop.stage.value}", {"reason": stop.reason})
        return await self._close(stop.stage, undone=tuple(undone))

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
            lambda: CancelErpOrder(
                order_key=self._key, reason=reason, unanswered_at=self._unanswered.get(Erp.book_order)
            ),
            may_skip=True,
        )

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
                f"payment {payment.transaction_id} was taken by the shop's own gateway {payment.provider}",
                "refund it at the gateway, then decide 'skip' with the refund's reference as the reason",
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
            handed_over=hand_over,
        )
        self._note("did", "handed over to fulfillment" if hand_over else f"ended as {stage.value}: {reason}")
        self._stage, self._waiting_on = stage, ""
        await self._control(
            Control.close_order, Outcome(view=self.view(), result=result, hand_over=hand_over), f"keep {self._key}"
        )
        self._enter(stage, "")
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
        """A cancellation in the shop that came while the run was closing as completed: nobody else undoes the order."""
        if self._stage is not Stage.COMPLETED or not self._unheard("shop-canceled"):
            return
        self._heard("shop-canceled")
        self._note("heard", "the order was cancelled in the shop when it was completed already; operators were told")
        message = TellOperators(
            key=f"{self._key}:cancelled-too-late",
            subject=f"order {self._number} of {self._store} was cancelled in the shop too late",
            text=f"{self._key} was cancelled in the shop while its checkout ended as completed: it is paid, booked and "
            f"invoiced over {self._order.total}.\nUndo its documents by hand: credit the invoice, pay the money back.",
            order_key=self._key,
        )
        await self._control(Control.tell_operators, message, f"tell operators about {self._key}")

    @workflow.query
    def view(self) -> OrderView:
        return OrderView(
            order_key=self._key,
            store=self._store,
            number=self._number,
            stage=self._stage,
            waiting_on=self._waiting_on,
            amount=self._order.total,
            payment_link=self._entry.link if self._entry else "",
            payment_state=self._payment_state(),
            documents=tuple(self._documents),
            timeline=tuple(self._timeline),
            cases=tuple(case for case in self._cases.values() if case.id not in self._decisions),
            cancel_requested=self._stop is not None,
        )

    # ---- small helpers -----------------------------------------------------------------------------------------------

    def _payment_state(self) -> str:
        if not amount_due(self._order):
            return "on account" if is_on_account(self._order) else "paid at the shop"
        if self._collected:
            return "captured"
        return "due" if self._entry else "not asked yet"

    def _unheard(self, *what: str) -> bool:
        return any(self._hints.get(kind, 0) > self._hints_heard.get(kind, 0) for kind in what)

    def _heard(self, what: str) -> None:
        self._hints_heard[what] = self._hints.get(what, 0)

    async def _hear(self, what: str, *also: str, until: datetime, summary: str) -> bool:
        """Wait for a hint of this kind. False: none came in time. Raises Stopped when the run is stopped.

        A hint of the kinds in `also` ends the wait as well, and stays unheard.
        """
        try:
            await workflow.wait_condition(
                lambda: self._unheard(what, *also) or self._stopping(),
                timeout=max(until - workflow.now(), timedelta(0)),
                timeout_summary=summary,
            )
        except TimeoutError:
            return False
        self._stop_if_asked()
        self._heard(what)
        return True

    def _enter(self, stage: Stage, waiting_on: str) -> None:
        self._stage, self._waiting_on = stage, waiting_on
        link = f"\n\n[payment link]({self._entry.link})" if self._entry and stage is Stage.AWAITING_PAYMENT else ""
        waiting = f", waiting for {waiting_on}" if waiting_on else ""
        workflow.set_current_details(f"**{stage.value}**{waiting} — {self._order.total}{link}")
        workflow.upsert_search_attributes([STAGE.value_set(stage.value), WAITING_ON.value_set(waiting_on)])

    async def _do_or_skip(
        self, step: str, system: str, method: Callable[[Any, Any], Awaitable[Document]], task: Callable[[], Any]
    ) -> None:
        """A step whose document the process can do without, when a person says so."""
        try:
            self._add(await self._do(step, system, method, task, may_skip=True))
        except Skipped as skipped:
            self._skipped.append(str(skipped))

    async def _tell_customer(self, template: Any, amount: Money, *, invoice_number: str = "") -> None:
        if self._plan is None or not self._plan.customer_mail:
            return
        await self._do_or_skip(
            f"mail {template}",
            NOTIFY,
            Notify.customer,
            lambda: TellCustomer(
                key=f"{self._key}:{template}",
                template=template,
                order=self._order,  # as it is at each try: a correction may have mended the address
                invoice_number=invoice_number,
                amount=amount,
            ),
        )

    async def _tell_portal(self, event: str, data: dict[str, str]) -> None:
        if self._plan is None:
            return
        message = TellPortal(
            key=f"{self._key}:{event}",
            store=self._store,
            event=event,
            order_key=self._key,
            number=self._number,
            data=data,
        )
        await self._do_or_skip(f"tell portal {event}", NOTIFY, Notify.portal, lambda: message)

    def _add(self, document: Document) -> None:
        self._documents.append(document)
        if document.status.startswith("no "):  # nothing was sent, because nothing is configured to send to
            self._note("did", f"{document.kind.value} not sent: {document.status}")
            return
        named = " ".join(part for part in (document.kind.value, document.number or document.id) if part)
        verb = "found" if document.adopted else "made"
        self._note("did", f"{named} {verb} in {document.system}")

    def _replace_status(self, kind: DocumentKind, status: str) -> None:
        self._documents = [
            document.model_copy(update={"status": status}) if document.kind is kind else document
            for document in self._documents
        ]

    def _check_correction(self, decision: Decision) -> None:
        corrected(self._order, decision.correction, money_asked=self._entry is not None)

    def _correct(self, decision: Decision) -> tuple[Changed, ...]:
        before = content(self._order)
        self._order = corrected(self._order, decision.correction, money_asked=self._entry is not None)
        found = changed_fields(before, content(self._order))
        return tuple(Changed(field=field, before=old, after=new) for field, old, new in found)

    def _why_not_expire(self) -> str:
        if self._undoing:
            return "the order is being undone already"
        if self._collected or as_collected(self._order):
            return "money was taken for the order; a person decides what becomes of it"
        return "the order is invoiced; a person decides" if self._invoice else ""

    def _at_stake(self) -> Money | None:
        return self._order.total

    def _customer_key(self) -> str:
        customer = self._order.customer
        if customer.kind is CustomerKind.COMPANY:
            return f"{self._store}:{customer.company_number}"
        return self._need_plan().web_customer_key

    def _is_booked(self, key: str) -> bool:
        """Whether the ERP holds the receipt or refund with this key."""
        return any(
            document.key == key and document.kind in (DocumentKind.RECEIPT, DocumentKind.REFUND)
            for document in self._documents
        )

    def _receipt_key(self, payment: Collected) -> str:
        return f"{self._key}:{payment.transaction_id}"

    def _in_shop(self) -> bool:
        return bool(self._order.shop_id and self._plan and self._plan.storefront)

    def _known_customer(self) -> ErpCustomer:
        if self._customer is None:
            raise ApplicationError("the ERP's customer is not known yet", type="Bug")
        return self._customer

    def _known_items(self) -> ErpItems:
        if self._items is None:
            raise ApplicationError("the ERP's items are not known yet", type="Bug")
        return self._items

    def _known_invoice(self) -> InvoiceState:
        if self._invoice is None:
            raise ApplicationError("there is no invoice yet", type="Bug")
        return self._invoice
