"""What the judge of a chaos run reads: what was asked, the books, and what it may find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cli.demo.books import Books

Place = tuple[str, str]
ENTRY, PAYMENT, REFUND = ("juston", "entries"), ("juston", "payments"), ("juston", "refunds")
BILLING_ORDER, INVOICE, CREDIT = ("juston", "orders"), ("juston", "invoices"), ("juston", "credit_notes")
SALES_ORDER, CASH = ("salesforce", "orders"), ("salesforce", "payments")
SHOP_ORDER, SHOP_INVOICE, SHOP_PAYMENT = ("magento", "orders"), ("magento", "invoices"), ("magento", "payments")
NAMES: Mapping[Place, str] = {
    ENTRY: "payment entry",
    PAYMENT: "payment",
    REFUND: "refund",
    BILLING_ORDER: "billing order",
    INVOICE: "invoice",
    CREDIT: "credit note",
    SALES_ORDER: "sales order",
    CASH: "cash entry",
    SHOP_ORDER: "shop order",
    SHOP_INVOICE: "shop invoice",
    SHOP_PAYMENT: "payment at the shop's gateway",
}
CHARGED_BACK = "Charged back"
CLOSED = frozenset({"canceled", "cancelled"})
FOREVER = frozenset({"ChangeFeed", "EndpointWatch"})  # runs that never end
GOODS = "OrderFulfillmentTracking"  # waits for the warehouse, which does nothing in a chaos run
OPERATORS = "operations@nordlicht.example"  # mails to them tell no buyer anything
OF_ORDERS = frozenset({"CheckoutPaymentInvoice", GOODS})  # judged with their order
Kind = Literal["lost", "doubled", "unexplained"]


@dataclass(frozen=True)
class Finding:
    """What is not as it was asked: `order` is its key, or empty."""

    kind: Kind
    order: str
    what: str


@dataclass(frozen=True)
class Wanted:
    """What was asked of one order, in minor units of its currency. Exactly one of `completed` and `undone` is meant.

    `gross`: booked and invoiced. `due`: asked for by link. `captured`: amount by transaction id at the shop's gateway.
    `pays`: the buyer pays what is due, in so many payments (0: nobody pays, None: it is left open). `taken_back`: the
    money was collected, booked, and taken away again after the order had been completed.
    """

    key: str
    currency: str
    total: int
    gross: int
    completed: bool
    due: int = 0
    pays: int | None = 1
    captured: tuple[tuple[str, int], ...] = ()
    on_account: bool = False
    in_shop: bool = False
    taken_back: bool = False
    stage: str = ""
    oddities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """One run of the engine."""

    id: str
    kind: str
    status: str


@dataclass(frozen=True)
class Kept:
    """One notification in our own memory; `sender_id` names it, `reason` says why it is in quarantine."""

    sender_id: str
    state: str
    reason: str


@dataclass(frozen=True)
class Evidence:
    """All that the judge reads."""

    wanted: Sequence[Wanted]
    books: Books
    mails: Sequence[Mapping[str, Any]] = ()
    runs: Sequence[Run] = ()
    kept: Sequence[Kept] = ()
    unreadable: Sequence[str] = ()  # SHA-256 of notifications that were acknowledged and cannot be read
    oddities: Sequence[str] = ()  # what the people of the run saw against the plan
