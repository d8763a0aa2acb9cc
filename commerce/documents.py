"""What a process makes and leaves behind: documents, parked cases, decisions, timeline and result of a checkout."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from commerce.model import Model, UtcDatetime
from commerce.money import Money


class DocumentKind(StrEnum):
    ENTRY = "payment entry"
    SALES_ORDER = "sales order"
    RECEIPT = "cash receipt"
    REFUND = "refund"
    BILLING_ORDER = "billing order"
    INVOICE = "invoice"
    SHOP_INVOICE = "shop invoice"
    SHOP_SHIPMENT = "shop shipment"
    SHOP_NOTE = "shop note"
    MAIL = "mail"
    PORTAL_MESSAGE = "portal message"
    CANCELLATION = "cancellation"


class Document(Model):
    """One document in one outside system. `key` is our business key there; `adopted`: it was there already."""

    kind: DocumentKind
    system: str
    id: str
    number: str = ""
    key: str = ""
    amount: Money | None = None
    status: str = ""
    adopted: bool = False


class Stage(StrEnum):
    """Where a checkout stands; also the search attribute `Stage`."""

    RECEIVED = "received"
    CHECKING = "checking"
    AWAITING_PAYMENT = "awaiting payment"
    BOOKING = "booking"
    BILLING = "billing"
    WRITING_BACK = "writing back"
    UNDOING = "undoing"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    GIVEN_UP = "given up"


CLOSED_STAGES = frozenset({Stage.COMPLETED, Stage.CANCELLED, Stage.EXPIRED, Stage.GIVEN_UP})


class DecisionKind(StrEnum):
    RETRY = "retry"
    CORRECT = "correct"
    SKIP = "skip"
    GIVE_UP = "give-up"


class Case(Model):
    """A parked case: what was tried, for which order, what came back, whose move it is and what moves it.

    `assignee` is a person or a role. With `decide_by` it comes to `at_expiry` when nobody decides until then.
    """

    id: str
    order_key: str
    store: str
    number: str
    workflow_id: str
    step: str
    system: str
    family: str
    tried: str
    came_back: str
    request_id: str = ""
    do_next: str
    amount: Money | None = None
    may_skip: bool = False
    may_correct: bool = False
    may_give_up: bool = True
    assignee: str = "operators"
    opened_at: UtcDatetime
    decide_by: UtcDatetime | None = None
    at_expiry: Literal["escalate", "give-up"] = "escalate"
    escalated_at: UtcDatetime | None = None
    expired_at: UtcDatetime | None = None


class Decision(Model):
    """A person's decision on a case. `correction` is a JSON merge patch on the order (RFC 7396)."""

    case_id: str
    kind: DecisionKind
    by: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    correction: dict[str, Any] | None = None


class CancelRequest(Model):
    """`unattended`: only if no person has to finish it by hand."""

    by: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    unattended: bool = False


class Event(Model):
    """One line of an order's timeline, in plain words."""

    at: UtcDatetime
    text: str
    kind: Literal["did", "waits", "heard", "parked", "decided", "undid"] = "did"


class Undone(Model):
    """What a compensation did: `done` False means there was nothing to undo."""

    what: str
    done: bool
    document: Document | None = None


class CheckoutResult(Model):
    """How a checkout ended, naming every document that was made. `customer_key` is the customer's key in the ERP."""

    order_key: str
    outcome: Stage
    customer_key: str = ""
    documents: tuple[Document, ...] = ()
    undone: tuple[Undone, ...] = ()
    skipped: tuple[str, ...] = ()
    reason: str = ""
    replaced_by: str = Field(default="", description="Number of the order that an edit put in this one's place")
    handed_over: bool = False


class OrderView(Model):
    """The state of an order's run, as portals and operators see it."""

    order_key: str
    store: str
    number: str
    stage: Stage
    waiting_on: str = ""
    amount: Money
    payment_link: str = ""
    payment_state: str = ""
    documents: tuple[Document, ...] = ()
    timeline: tuple[Event, ...] = ()
    cases: tuple[Case, ...] = ()
    cancel_requested: bool = False
    replaced_by: str = ""
