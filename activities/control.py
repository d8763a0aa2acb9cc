"""What every process asks of our own memory (the ledger) and of the configuration. Filled by `activities/ledger`."""

from typing import Literal

from temporalio import activity

from commerce.cases import CaseEvent, Changed
from commerce.documents import Case, CheckoutResult, Decision, Document, OrderView
from commerce.model import Model, UtcDatetime
from commerce.money import Money
from commerce.order import Order


class Waiting(Model):
    """How long a parked case waits for whom. Durations in seconds; `expire_after` None: for ever."""

    remind_every: int = 24 * 3600
    escalate_after: int = 72 * 3600
    expire_after: int | None = None
    at_expiry: Literal["escalate", "give-up"] = "escalate"
    case_owner: str = "operators"


class Plan(Waiting):
    """What the configuration says about one order's way. Durations in seconds.

    It is read once when a run starts and kept in its history, so that a changed configuration never changes a run that
    is under way.
    """

    storefront: str = ""
    erp: str
    payments: str
    payment_records: str
    billing: str
    web_customer_key: str
    return_url: str = ""
    entry_lifetime: int = 24 * 3600
    erp_check_wait: int = 5
    invoice_poll: int = 900
    invoice_patience: int = 24 * 3600
    retry_longest: int = 60
    give_up_after: int = 21 * 24 * 3600
    say_waiting_after: int = 10
    customer_mail: bool = True
    portal_messages: bool = True
    accept_on_account: bool = True


class CloseCase(Model):
    case_id: str
    decision: Decision | None = None
    reason: str = ""
    decided_at: UtcDatetime
    changes: tuple[Changed, ...] = ()


class NoteCase(Model):
    """Something happened to an open case; `case` is how it is from now on. `number` counts the notes of one case."""

    case: Case
    number: int
    event: CaseEvent


class Outcome(Model):
    """How an order ended: its last view and its result. `hand_over`: fulfillment takes it up from here."""

    view: OrderView
    result: CheckoutResult
    hand_over: bool = False


class KnownOutcome(Model):
    """What the ledger knows of an order: the stage it ended in, or nothing.

    `customer_key` is the customer's key in the ERP, `booked` are the receipts and refunds there, and `gateway` the
    transactions of money that the shop's own gateway took. `goods` is the state of its goods (empty: not followed yet),
    `left` the shipments that left the house. `replaced_by` is the number of the order that an edit put in its place.
    """

    stage: str = ""
    amount: Money | None = None
    customer_key: str = ""
    booked: tuple[Document, ...] = ()
    gateway: tuple[str, ...] = ()
    invoice: str = ""
    goods: str = ""
    left: tuple[str, ...] = ()
    replaced_by: str = ""


class KeepDocuments(Model):
    """Documents that were made for an order after its run had ended."""

    order_key: str
    documents: tuple[Document, ...]


class TellOperators(Model):
    """A message to operators about one order. `key` makes it one message even when the step is repeated.

    `also` names further mail addresses; `escalated` reaches those whom the configuration names for that, too.
    """

    key: str
    subject: str
    text: str
    order_key: str
    also: tuple[str, ...] = ()
    escalated: bool = False


class Control:
    @activity.defn(name="control.open_order")
    async def open_order(self, order: Order) -> Plan:
        """Keep the order and answer the plan for its store. Tried again until such a store is configured."""
        raise NotImplementedError

    @activity.defn(name="control.open_case")
    async def open_case(self, case: Case) -> None:
        raise NotImplementedError

    @activity.defn(name="control.note_case")
    async def note_case(self, note: NoteCase) -> None:
        """Keep an escalation, an expiry or a reassignment, and the case as it is now."""
        raise NotImplementedError

    @activity.defn(name="control.close_case")
    async def close_case(self, closing: CloseCase) -> None:
        raise NotImplementedError

    @activity.defn(name="control.close_order")
    async def close_order(self, outcome: Outcome) -> None:
        """Keep the outcome, every document's cross-reference, and the hand-over to fulfillment."""
        raise NotImplementedError

    @activity.defn(name="control.known_outcome")
    async def known_outcome(self, order_key: str) -> KnownOutcome:
        raise NotImplementedError

    @activity.defn(name="control.keep_documents")
    async def keep_documents(self, kept: KeepDocuments) -> None:
        raise NotImplementedError

    @activity.defn(name="control.plan_for")
    async def plan_for(self, store: str) -> Plan:
        raise NotImplementedError

    @activity.defn(name="control.tell_operators")
    async def tell_operators(self, message: TellOperators) -> None:
        raise NotImplementedError
