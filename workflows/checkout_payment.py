"""The money of a checkout: asking for it, judging what came, and booking each payment on its own.

Webhook, browser return and feed only wake the run up; the payment entry itself is what counts.
"""

from datetime import timedelta
from functools import partial
from urllib.parse import quote

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.roles import AnnouncePayment, EnsureEntry, Entry, Erp, LookAtEntry, Payments, Storefront
    from commerce.documents import Document, DocumentKind, Stage
    from commerce.money import Money
    from commerce.payment import Collected, EntryState, Payable, as_collected, judge, taken
    from commerce.totals import amount_due
    from workflows.checkout_edit import CheckoutEdit
    from workflows.parking import Problem, Skipped, Stopped


class CheckoutPayment(CheckoutEdit):
    async def _ask_for_payment(self) -> None:
        plan, due = self._need_plan(), amount_due(self._order)
        if not due:
            self._payment_settled = True
            return
        lifetime = timedelta(seconds=plan.entry_lifetime)
        expires_at = workflow.now() + lifetime
        self._undo.append(("payment entry", self._undo_entry))
        entry = await self._do(
            "create payment entry",
            plan.payments,
            Payments.ensure_entry,
            lambda: EnsureEntry(
                key=self._key,
                order=self._order,
                amount=due,
                return_url=f"{plan.return_url}/{quote(self._number, safe='')}",
                expires_at=expires_at,
            ),
        )
        self._entry = entry
        self._add(
            Document(
                kind=DocumentKind.ENTRY,
                system=plan.payments,
                id=entry.entry_id,
                key=self._key,
                amount=due,
                status="open",
                adopted=entry.adopted,
            )
        )
        self._payment_settled = True
        self._enter(Stage.AWAITING_PAYMENT, "buyer", rests=True)
        # From now, not from the asking: the service may have been away for longer than a link lives.
        self._deadline = until = workflow.now() + lifetime
        self._note("waits", f"the buyer has the payment link over {due}; it ends at {until:%Y-%m-%d %H:%M} UTC")
        if (
            self._in_shop()
        ):  # beside the wait for the money: a shop that is away must not hold a buyer up who has the link
            self._beside.append(self._begin_beside(self._announce_payment(entry, due)))

    async def _announce_payment(self, entry: Entry, due: Money) -> None:
        await self._do_or_skip(
            "announce payment",
            self._need_plan().storefront,
            Storefront.announce_payment,
            lambda: AnnouncePayment(
                order_key=self._key,
                store=self._store,
                number=self._number,
                shop_id=self._order.shop_id,
                link=entry.link,
                amount=due,
            ),
        )

    async def _await_payment(self) -> None:
        """Webhook, browser return and feed only wake this up; the entry itself is what counts."""
        if self._entry is None:
            return
        while True:
            heard = await self._hear("entry", until=self._deadline, summary="payment link ends")
            if await self._is_paid(last_look=not heard):
                return

    async def _is_paid(self, *, last_look: bool) -> bool:
        try:
            state = await self._check("judge payment", lambda: self._judge_payment(last_look))
        except Skipped as skipped:  # a person vouches for money that is not in the entry's payments
            self._skipped.append(str(skipped))
            return True
        if state is None:
            return False
        self._collected = state.collected
        self._replace_status(DocumentKind.ENTRY, "balanced")
        self._note("heard", f"payment of {taken(state)} was captured")
        return True

    async def _judge_payment(self, last_look: bool) -> EntryState | None:
        """The entry when it is paid in full, None to go on waiting. Raises Problem for everything odd."""
        plan = self._need_plan()
        told = self._captured_as_told()
        if told is not None:
            return told
        state = await self._do(
            "look at payment entry",
            plan.payment_records,
            Payments.look_at_entry,
            lambda: LookAtEntry(key=self._key, order_key=self._key),
        )
        if state.failed_attempts > self._failed_attempts:
            self._failed_attempts = state.failed_attempts
            self._note("heard", f"payment attempt {state.failed_attempts} failed; the buyer may try again")
        verdict = judge(state, was_captured=bool(self._collected))
        if verdict is Payable.CAPTURED:
            return state
        if verdict is Payable.WAITING:
            if last_look:
                raise Stopped(Stage.EXPIRED, "nobody paid before the payment link ended")
            return None
        if verdict is Payable.PARTLY and not last_look:
            if f"{taken(state)}" not in self._waiting_on:
                self._note("heard", f"{taken(state)} of {state.amount} was paid; waiting for the rest")
                self._waiting_on = f"buyer ({taken(state)} of {state.amount} paid)"
            return None
        raise _odd_payment(self._key, verdict, state, plan.payments)

    def _captured_as_told(self) -> EntryState | None:
        """The entry as the feed has just read it, if that is our own one, paid in full. All else is looked at."""
        told = self._told("entry")
        if told is None or told.entry is None or self._entry is None or told.entry.entry_id != self._entry.entry_id:
            return None
        return told.entry if judge(told.entry, was_captured=bool(self._collected)) is Payable.CAPTURED else None

    async def _book_receipts(self) -> None:
        """Each payment on its own, with its transaction id."""
        plan = self._need_plan()
        for payment in self._to_be_received():
            self._receipts_begun.add(self._receipt_key(payment))
            receipt = await self._do(
                "book cash receipt",
                plan.erp,
                Erp.book_receipt,
                partial(self._receipt, payment),
            )
            self._add(receipt)

    def _to_be_received(self) -> tuple[Collected, ...]:
        """The payments that the ERP does not hold yet."""
        return tuple(
            payment
            for payment in (*as_collected(self._order), *self._collected)
            if payment.amount and not self._is_booked(self._receipt_key(payment))
        )

    async def _confirm_money(self) -> None:
        """A failure that comes after the success must reach a person at once, and before anything is written back."""
        if self._entry is None or not self._unheard("entry"):
            return
        self._heard("entry")  # before the look: what comes during it is looked at again
        try:
            state = await self._check("confirm payment", lambda: self._judge_payment(last_look=True), may_skip=True)
        except Skipped as skipped:
            self._skipped.append(str(skipped))
            return
        if state is not None and state.collected != self._collected:
            await self._follow_payments(state.collected)

    async def _follow_payments(self, collected: tuple[Collected, ...]) -> None:
        """Another payment took the place of one that failed: the ERP must hold the money once."""
        kept = {payment.transaction_id for payment in collected}
        gone = [payment for payment in self._collected if payment.transaction_id not in kept]
        for payment in gone:
            await self._book_refund(payment)
        self._collected = collected  # only now: a run that is stopped in between still knows what is to be booked back
        await self._book_receipts()


_ODD = {
    Payable.PARTLY: "was paid only in part before the payment link ended",
    Payable.OVERPAID: "was overpaid",
    Payable.CANCELED: "has a canceled payment entry",
    Payable.REOPENED: "was paid, and then the payment failed or was charged back",
    Payable.SETTLED_OTHERWISE: "has an entry that was balanced without the money",
}


def _odd_payment(order_key: str, verdict: Payable, state: EntryState, system: str) -> Problem:
    return Problem(
        f"take the payment of order {order_key}",
        f"the order {_ODD[verdict]}: asked {state.amount}, collected {taken(state)}, assigned {state.assigned}",
        "settle it in the payment system and decide 'retry', or give the order up and the money goes back"
        + ("; 'skip' when you vouch for the money" if verdict is Payable.SETTLED_OTHERWISE else ""),
        system=system,
        amount=taken(state),
        may_skip=verdict is Payable.SETTLED_OTHERWISE,
    )
