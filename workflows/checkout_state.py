"""The state of a checkout, what it hears and tells, and how everybody sees it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.changes import Reading
    from activities.roles import (
        Entry,
        ErpCustomer,
        ErpItems,
        Notify,
        TellBoth,
        TellCustomer,
        TellPortal,
        Told,
    )
    from commerce.billing import InvoiceState
    from commerce.cases import Changed
    from commerce.corrections import corrected
    from commerce.documents import (
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
    from workflows.names import NOTIFY
    from workflows.parking import ParkingWorkflow, Skipped
    from workflows.running import FRESH

Undo = Callable[[str], Awaitable[Undone | None]]


class CheckoutState(ParkingWorkflow):
    _may_correct = True

    def __init__(self, order: Order) -> None:
        super().__init__(order.store, order.number)
        self._placed = order  # as it came in; a correction changes `_order` only
        self._order = order
        self._stage = Stage.RECEIVED
        self._documents: list[Document] = []
        self._skipped: list[str] = []
        self._undo: list[tuple[str, Undo]] = []
        self._beside: list[asyncio.Task[None]] = []
        self._customer: ErpCustomer | None = None
        self._items: ErpItems | None = None
        self._entry: Entry | None = None
        self._deadline = order.placed_at
        self._alarms: dict[datetime, asyncio.Task[None]] = {}
        self._collected: tuple[Collected, ...] = ()
        self._failed_attempts = 0
        self._receipts_begun: set[str] = set()
        self._sales_order: Document | None = None
        self._invoice: InvoiceState | None = None
        self._hints: dict[str, int] = {}
        self._hints_heard: dict[str, int] = {}
        self._readings: dict[str, tuple[datetime, Reading]] = {}
        self._read_until: dict[str, datetime] = {}
        self._replaced_by = ""  # the number of the order that an edit put in this one's place
        self._both_stand = False  # a person lets this order go on beside the one that it replaces
        self._payment_settled = False  # the portal can be told what to do: pay here, or nothing is due

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
            replaced_by=self._replaced_by,
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

    def _take_in(self, what: str, reading: Reading | None) -> None:
        """Keep what a feed has read, unless something newer was heard of: a feed may tell late what it read before."""
        self._readings.pop(what, None)
        if reading is not None and reading.at >= self._read_until.get(what, reading.at):
            self._readings[what] = (workflow.now(), reading)
            self._read_until[what] = reading.at

    def _told(self, what: str) -> Reading | None:
        """What a feed has read just now; given out once, because the next look is for a reason."""
        heard_at, reading = self._readings.pop(what, (None, None))
        return reading if heard_at is not None and workflow.now() - heard_at <= FRESH else None

    async def _hear(self, what: str, *also: str, until: datetime, summary: str) -> bool:
        """Wait for a hint of this kind. False: none came in time. Raises Stopped when the run is stopped.

        A hint of the kinds in `also` ends the wait as well, and stays unheard.
        """
        while not (self._unheard(what, *also) or self._stopping()):
            if workflow.now() >= until:
                return False
            alarm = self._alarm(until, summary)
            await workflow.wait_condition(
                lambda alarm=alarm: self._unheard(what, *also) or self._stopping() or alarm.done()  # type: ignore[misc]
            )
        self._stop_if_asked()
        self._heard(what)
        return True

    def _alarm(self, until: datetime, summary: str) -> "asyncio.Task[None]":
        """A timer that ends at that time or before. One that runs already serves again, and none is called off."""
        for ends, running in self._alarms.items():
            if ends <= until and not running.done():
                return running
        alarm = asyncio.create_task(workflow.sleep(until - workflow.now(), summary=summary))
        self._alarms[until] = alarm
        return alarm

    def _next_alarm(self) -> datetime | None:
        """When the next timer that runs already ends."""
        return min((ends for ends, running in self._alarms.items() if not running.done()), default=None)

    def _enter(self, stage: Stage, waiting_on: str, *, rests: bool = False) -> None:
        """`rests`: the run waits here for a while, and its search attributes say so at once."""
        self._stage, self._waiting_on = stage, waiting_on
        link = f"\n\n[payment link]({self._entry.link})" if self._entry and stage is Stage.AWAITING_PAYMENT else ""
        waiting = f", waiting for {waiting_on}" if waiting_on else ""
        workflow.set_current_details(f"**{stage.value}**{waiting} — {self._order.total}{link}")
        if rests:
            self._publish()

    def _stage_shown(self) -> str:
        return self._stage.value

    async def _do_or_skip(
        self, step: str, system: str, method: Callable[[Any, Any], Awaitable[Document]], task: Callable[[], Any]
    ) -> None:
        """A step whose document the process can do without, when a person says so."""
        try:
            self._add(await self._do(step, system, method, task, may_skip=True))
        except Skipped as skipped:
            self._skipped.append(str(skipped))

    async def _tell(
        self, template: Any, amount: Money, event: str, data: dict[str, str], *, invoice_number: str = ""
    ) -> None:
        """Mail to the buyer and message to the portal: in one step where both go out at once, else each in its own."""
        plan = self._plan
        if plan is None or not (plan.customer_mail or plan.portal_messages):
            return

        def mail() -> TellCustomer:  # with the order as it is at each try: a correction may have mended the address
            return TellCustomer(
                key=f"{self._key}:{template}",
                template=template,
                order=self._order,
                invoice_number=invoice_number,
                replaced_by=self._replaced_by,
                amount=amount,
            )

        message = TellPortal(
            key=f"{self._key}:{event}",
            store=self._store,
            event=event,
            order_key=self._key,
            number=self._number,
            data=data,
        )
        told = Told()
        if plan.customer_mail and plan.portal_messages:
            try:
                told = await self._do(
                    f"tell {event}",
                    NOTIFY,
                    Notify.both,
                    lambda: TellBoth(customer=mail(), portal=message),
                    may_skip=True,
                )
            except Skipped as skipped:
                self._skipped.append(str(skipped))
                return
            for document in (told.customer, told.portal):
                if document is not None:
                    self._add(document)
        left: list[Awaitable[None]] = []
        if plan.customer_mail and told.customer is None:
            left.append(self._do_or_skip(f"mail {template}", NOTIFY, Notify.customer, mail))
        if plan.portal_messages and told.portal is None:
            left.append(self._do_or_skip(f"tell portal {event}", NOTIFY, Notify.portal, lambda: message))
        await self._together(*left)

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
