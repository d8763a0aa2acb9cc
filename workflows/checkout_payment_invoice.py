"""Checkout -> payment -> invoice: one run is one order, from placed to paid, booked in the ERP and invoiced.

Input: the order. Result: how it ended, naming every document that was made. Portals ask for the payment link with the
update `payment_link`; `hint` says that something may have changed somewhere; `cancel` stops the way forward at any
moment. How the money is asked for and judged stands in `checkout_payment.py`; what was done is undone in reverse by
`checkout_undo.py`, and the result says so.
"""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.changes import Reading
    from activities.control import Control
    from activities.roles import (
        Billing,
        BillingProgress,
        BookAll,
        BookOrder,
        CheckOrder,
        EnsureBillingOrder,
        Erp,
        FindCustomer,
        FindInvoice,
        FindItems,
        InvoiceState,
        Storefront,
        WriteInvoice,
        WriteReferences,
    )
    from commerce.documents import (
        CancelRequest,
        CheckoutResult,
        Document,
        DocumentKind,
        OrderView,
        Stage,
    )
    from commerce.goods import goods
    from commerce.invoice_check import invoice_problems
    from commerce.order import CustomerKind, Order, content, differences
    from commerce.totals import amount_due, captured, gross_total, is_on_account, mismatches
    from workflows.checkout_payment import CheckoutPayment
    from workflows.names import NEEDS_A_PERSON, TOO_LATE
    from workflows.parking import Problem, Stopped
    from workflows.profiles import swift_step
    from workflows.running import may_still_come


@workflow.defn(name="CheckoutPaymentInvoice")
class CheckoutPaymentInvoice(CheckoutPayment):
    @workflow.init
    def __init__(self, order: Order) -> None:
        super().__init__(order)

    # ---- the story ---------------------------------------------------------------------------------------------------

    @workflow.run
    async def run(self, order: Order) -> CheckoutResult:
        try:
            await self._open()
            await self._tell_replaced_order()
            await self._check_totals()
            await self._take_the_place()
            checking = await self._check_with_erp()
            await self._ask_for_payment()
            await self._await_payment()
            await checking
            await self._take_the_place()
            await self._book()
            await self._bill()
            await self._confirm_money()
            await self._write_back()
            await self._tell_of_invoice()
            await self._confirm_money()
            self._stop_if_asked()  # a cancellation that was taken in during the last step is not forgotten
            return await self._to_the_end(self._close(Stage.COMPLETED, hand_over=True))
        except Stopped as stop:
            self._stop = stop
            return await self._stop_and_undo()
        except asyncio.CancelledError:
            self._stop_by_engine()
            return await self._stop_and_undo()

    # ---- the steps, in order -----------------------------------------------------------------------------------------

    async def _open(self) -> None:
        self._note("heard", f"order {self._order.number} of {self._order.store} over {self._order.total} was placed")
        self._plan = await self._control_at_once(Control.open_order, self._order, f"open order {self._key}")
        if self._in_shop():
            self._undo.append(("shop order", self._undo_shop_order))

    async def _check_totals(self) -> None:
        async def adds_up() -> None:
            found = mismatches(self._order)
            if found:
                raise Problem(
                    f"check that order {self._key} adds up",
                    "; ".join(found),
                    "correct the order (decision 'correct') or give it up; nothing was booked yet",
                    amount=self._order.total,
                )

        self._enter(Stage.CHECKING, "")
        await self._check("check totals", adds_up)

    async def _check_with_erp(self) -> "asyncio.Task[None]":
        """Who is the customer there, and what are the SKUs called there? Ends when money may be asked for; the check
        may go on beside.

        Do not ask for money for an order that cannot be booked; but do not let a slow ERP keep the buyer waiting.
        """
        answered = await self._check_at_once()
        checking = self._begin_beside(self._check_step_by_step())
        self._beside.append(checking)
        if amount_due(self._order) and not answered:
            self._note("waits", "the ERP does not answer yet; the buyer gets the payment link meanwhile")
        else:
            await self._let_erp_answer_first(checking)
        return checking

    async def _check_at_once(self) -> bool:
        """Both questions in one step, which does not wait. False: the ERP did not answer in time."""
        plan = self._need_plan()
        if not plan.erp_check_wait:
            return False
        within = timedelta(seconds=plan.erp_check_wait)
        asked = CheckOrder(customer_key=self._customer_key(), skus=self._skus(), order_key=self._key)
        try:
            found = await self._call(
                Erp.check_order, asked, swift_step(plan, plan.erp, f"check with the ERP: {self._key}", within)
            )
        except ActivityError as err:
            self._stop_if_asked()
            return not may_still_come(err)
        self._customer = found.customer
        self._items = found.items if found.items is not None and not found.items.missing else None
        return True

    async def _check_step_by_step(self) -> None:
        """What was not found at once, each question with a case of its own."""
        await self._together(self._find_customer(), self._check("find items", self._find_items))
        await self._check("check credit", self._may_buy_on_account)

    async def _find_customer(self) -> None:
        if self._customer is None:
            self._customer = await self._do(
                "find customer",
                self._need_plan().erp,
                Erp.find_customer,
                lambda: FindCustomer(key=self._customer_key(), order_key=self._key),
            )

    async def _find_items(self) -> None:
        if self._items is not None:
            return
        plan = self._need_plan()
        items = await self._do(
            "find items", plan.erp, Erp.find_items, lambda: FindItems(skus=self._skus(), order_key=self._key)
        )
        if items.missing:
            raise Problem(
                f"map the SKUs of order {self._key} to the ERP's items",
                f"the ERP has no active item for {', '.join(items.missing)}",
                "create or activate the item in the ERP and decide 'retry', or correct the SKU",
                system=plan.erp,
                amount=self._order.total,
            )
        self._items = items

    async def _may_buy_on_account(self) -> None:
        """The credit rules come with customer onboarding; until then a company buyer with terms is accepted."""
        if not is_on_account(self._order):
            return
        await self._find_customer()  # anew after a refusal: a person may have changed the customer
        customer = self._known_customer()
        refusal = ""
        if self._order.customer.kind is not CustomerKind.COMPANY:
            refusal = "only a company buyer can buy on account"
        elif customer.terms_days is None:
            refusal = f"customer {customer.name} has no payment terms in the ERP"
        elif customer.on_hold:
            refusal = f"customer {customer.name} is on credit hold in the ERP"
        elif not self._need_plan().accept_on_account:
            refusal = f"store {self._store} does not accept orders on account"
        if refusal:
            self._customer = None
            raise Problem(
                f"accept order {self._key} on account",
                refusal,
                "set the terms in the ERP and decide 'retry', or give the order up",
                amount=self._order.total,
            )

    async def _let_erp_answer_first(self, checking: "asyncio.Task[None]") -> None:
        """Until every question is settled; where money is to be asked for, only for as long as the ERP may take."""
        known = self._customer is not None and self._items is not None
        wait = None if known or not amount_due(self._order) else timedelta(seconds=self._need_plan().erp_check_wait)
        while not checking.done():
            try:
                await workflow.wait_condition(
                    lambda: checking.done() or self._stopping(),
                    timeout=wait,
                    timeout_summary="let the ERP answer first",
                )
            except TimeoutError:
                if not self._cases:
                    self._note("waits", "the ERP does not answer yet; the buyer gets the payment link meanwhile")
                    return
                await workflow.wait_condition(lambda: not self._cases or self._stopping())
            self._stop_if_asked()
        await checking

    async def _book(self) -> None:
        """The sales order and a receipt for each payment: in one step, and what that could not make in its own."""
        plan = self._need_plan()
        self._enter(Stage.BOOKING, plan.erp)
        self._undo.append(("sales order", self._undo_sales_order))
        payments = self._to_be_received()
        self._receipts_begun = {self._receipt_key(payment) for payment in payments}
        booked = await self._do(
            "book order with receipts",
            plan.erp,
            Erp.book_all,
            lambda: BookAll(order=self._sales_order_task(), receipts=tuple(map(self._receipt, payments))),
        )
        for document in booked.documents:
            self._add(document)
            if document.kind is DocumentKind.SALES_ORDER:
                self._sales_order = document
        self._receipts_begun = {document.key for document in booked.documents}
        if self._sales_order is None:
            self._sales_order = await self._do("book sales order", plan.erp, Erp.book_order, self._sales_order_task)
            self._add(self._sales_order)
        await self._book_receipts()

    def _sales_order_task(self) -> BookOrder:
        return BookOrder(order=self._order, customer=self._known_customer(), items=self._known_items())

    async def _bill(self) -> None:
        plan = self._need_plan()
        self._enter(Stage.BILLING, plan.billing)
        self._undo.append(("billing", self._undo_billing))
        billing_order = await self._do(
            "create billing order",
            plan.billing,
            Billing.ensure_order,
            lambda: EnsureBillingOrder(
                order=self._order,
                customer=self._known_customer(),
                entry_key=self._key if self._entry else "",
                already_paid=captured(self._order),
            ),
        )
        self._add(billing_order)
        self._note("waits", "the invoice run bills the order")
        self._enter(Stage.BILLING, plan.billing, rests=True)
        if not billing_order.adopted:  # one that was there may be billed already; a new one cannot be
            await self._hear_of_invoice()
        invoice = await self._check("await invoice", self._await_invoice)
        self._invoice = invoice
        self._replace_status(DocumentKind.BILLING_ORDER, "billed")
        self._add(
            Document(
                kind=DocumentKind.INVOICE,
                system=billing_order.system,
                id=invoice.id,
                number=invoice.number,
                key=self._key,
                amount=invoice.total,
                status=invoice.status,
            )
        )

    async def _await_invoice(self) -> InvoiceState:
        """The final invoice, once it agrees with the order to the minor unit. Raises Problem when it does not."""
        plan = self._need_plan()
        until = workflow.now() + timedelta(seconds=plan.invoice_patience)
        while True:
            told = self._invoice_as_told()
            if told is not None:
                return told
            progress: BillingProgress = await self._do(
                "look for invoice",
                plan.billing,
                Billing.find_invoice,
                lambda: FindInvoice(order_key=self._key, entry_key=self._key if self._entry else ""),
            )
            wrong = invoice_problems(self._order, progress, prepaid=not is_on_account(self._order))
            if not wrong and progress.invoice is not None:
                return progress.invoice
            seen = progress.invoice is not None
            # A build error or a final invoice with other totals never heals by waiting.
            if any(problem.final for problem in wrong) or workflow.now() >= until:
                raise Problem(
                    f"invoice order {self._key}",
                    "; ".join(problem.text for problem in wrong),
                    "mend it in the billing system and decide 'retry'",
                    system=plan.billing,
                    amount=gross_total(self._order),
                )
            await self._hear_of_invoice(seen=seen)

    def _invoice_as_told(self) -> InvoiceState | None:
        """The invoice as the feed has just read it, if nothing is wrong with it. All else is looked at."""
        told = self._told("billing")
        if told is None or told.billing is None:
            return None
        wrong = invoice_problems(self._order, told.billing, prepaid=not is_on_account(self._order))
        return None if wrong else told.billing.invoice

    async def _hear_of_invoice(self, *, seen: bool = False) -> None:
        """Wait for news from billing or of the payment; after a while look without.

        The feed tells of a new invoice; should it not, the look when the payment link's timer ends finds it. What comes
        after that (`seen`), as its booking data, is not told for certain.
        """
        poll = workflow.now() + timedelta(seconds=self._need_plan().invoice_poll)
        at = poll if seen else self._next_alarm() or poll
        money = ("entry",) if self._entry is not None else ()
        heard_before = self._hints_heard.get("billing", 0)
        while await self._hear("billing", *money, until=at, summary="look for the invoice"):
            await self._confirm_money()
            if self._hints_heard.get("billing", 0) > heard_before:
                return

    async def _write_back(self) -> None:
        plan, invoice = self._need_plan(), self._known_invoice()
        if not self._in_shop():
            return
        self._enter(Stage.WRITING_BACK, plan.storefront)
        await asyncio.gather(*self._beside)  # one writer per shop order: the announcement comes first
        if not is_on_account(self._order):  # goods on account are invoiced in the shop when they ship
            await self._do_or_skip(
                "write shop invoice",
                plan.storefront,
                Storefront.ensure_invoice,
                lambda: WriteInvoice(
                    order_key=self._key,
                    store=self._store,
                    number=self._number,
                    shop_id=self._order.shop_id,
                    invoice_number=invoice.number,
                    total=self._order.total,
                ),
            )
        await self._do_or_skip(
            "write references",
            plan.storefront,
            Storefront.write_references,
            lambda: WriteReferences(
                order_key=self._key,
                store=self._store,
                number=self._number,
                shop_id=self._order.shop_id,
                erp_number=self._sales_order.number if self._sales_order else "",
                invoice_number=invoice.number,
            ),
        )

    async def _tell_of_invoice(self) -> None:
        invoice = self._known_invoice()
        told = {"invoice": invoice.number, "total": str(invoice.total)}
        await self._tell("invoice", invoice.total, "order.invoiced", told, invoice_number=invoice.number)

    def _skus(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(line.sku for line in goods(self._order)))

    # ---- messages ----------------------------------------------------------------------------------------------------

    @workflow.update
    async def payment_link(self, order: Order) -> OrderView:
        """The portal's question: wait until there is a link to pay, or until it is clear that none is needed."""
        await workflow.wait_condition(lambda: self._payment_settled or bool(self._listed))
        return self.view()

    @payment_link.validator
    def _same_order(self, order: Order) -> None:
        if order.digest() != self._placed.digest():
            found = differences(content(self._placed), content(order))
            raise ApplicationError(
                f"order {self._key} is known with other content", found, type="DifferentContent", non_retryable=True
            )

    @workflow.update
    async def cancel(self, request: CancelRequest) -> OrderView:
        if self._stop is None:
            self._stop = Stopped(Stage.CANCELLED, f"{request.reason} ({request.by})")
            self._note("heard", f"{request.by} asked to cancel: {request.reason}")
        return self.view()

    @cancel.validator
    def _may_cancel(self, request: CancelRequest) -> None:
        if self._stage is Stage.COMPLETED:
            raise ApplicationError("the order is with fulfillment already; cancel it there", type=TOO_LATE)
        by_hand = self._left_to_a_person() if request.unattended and self._stop is None else ""
        if by_hand:
            raise ApplicationError(f"a person would have to finish it: {by_hand}", type=NEEDS_A_PERSON)

    @workflow.signal
    def hint(self, what: str, reading: Reading | None = None) -> None:
        """Something may have changed: `entry`, `billing`, or `shop-canceled`. Harmless when repeated.

        `reading` is what the feed itself has read from the system.
        """
        self._hints[what] = self._hints.get(what, 0) + 1
        self._take_in(what, reading)
        if what == "shop-canceled":
            self._hear_of_shop_cancellation(reading)
