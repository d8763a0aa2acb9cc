"""What a storefront, an ERP, a payment, a billing and a notification system must be able to do.

Workflows know these roles and nothing else. A system's `activities.py` fills a role by subclassing it and decorating
each method with `@activity.defn(name=...)` under the role's own name, and with `activities.steps.step`; `worker.py`
decides which system fills which role. All methods are single durable steps: they look up by business key, create what
is missing, and raise `commerce.failures.SystemFailure` when they cannot.
"""

from typing import Literal

from temporalio import activity

from commerce.billing import BillingProgress as BillingProgress
from commerce.billing import InvoiceState as InvoiceState
from commerce.documents import Document, Undone
from commerce.model import Model, UtcDatetime
from commerce.money import Money
from commerce.order import Order, Payment
from commerce.payment import Collected, EntryState

# ---- storefront ------------------------------------------------------------------------------------------------------


class AnnouncePayment(Model):
    """Tell the shop that payment is pending, with the link for the buyer."""

    order_key: str
    store: str
    number: str
    shop_id: str
    link: str
    amount: Money


class WriteInvoice(Model):
    """Invoice the whole order in the shop. `invoice_number`, the billing system's, is its key there."""

    order_key: str
    store: str
    number: str
    shop_id: str
    invoice_number: str
    total: Money
    notify_customer: bool = False


class WriteReferences(Model):
    """Leave the ERP's and the billing system's numbers on the shop's order."""

    order_key: str
    store: str
    number: str
    shop_id: str
    erp_number: str
    invoice_number: str


class CancelShopOrder(Model):
    order_key: str
    store: str
    number: str
    shop_id: str
    reason: str


class Storefront:
    """One shop system. Orders that never lived in the shop (empty `shop_id`) are not sent here."""

    @activity.defn(name="storefront.announce_payment")
    async def announce_payment(self, task: AnnouncePayment) -> Document:
        """Idempotent by the link in the order's comments."""
        raise NotImplementedError

    @activity.defn(name="storefront.ensure_invoice")
    async def ensure_invoice(self, task: WriteInvoice) -> Document:
        """Idempotent by the invoice number in the shop invoice's comment."""
        raise NotImplementedError

    @activity.defn(name="storefront.write_references")
    async def write_references(self, task: WriteReferences) -> Document:
        """Idempotent by the numbers in the order's external id and comments."""
        raise NotImplementedError

    @activity.defn(name="storefront.cancel_order")
    async def cancel_order(self, task: CancelShopOrder) -> Undone:
        """Cancel what is open; fails as NEEDS_PERSON when the shop says it cannot be cancelled."""
        raise NotImplementedError


# ---- ERP -------------------------------------------------------------------------------------------------------------


class FindCustomer(Model):
    """`key` is the shop key of the account: `{store}:{company number}` or the store's web customer."""

    key: str
    order_key: str


class ErpCustomer(Model):
    id: str
    key: str
    name: str
    number: str = ""
    terms_days: int | None = None
    on_hold: bool = False


class FindItems(Model):
    skus: tuple[str, ...]
    order_key: str


class ErpItems(Model):
    """ERP item id by SKU; `missing` are the SKUs that the ERP does not know or has closed."""

    found: dict[str, str]
    missing: tuple[str, ...] = ()


class BookOrder(Model):
    order: Order
    customer: ErpCustomer
    items: ErpItems


class CheckOrder(Model):
    """What must be known before money is asked for: `customer_key` as in FindCustomer, `skus` as in FindItems."""

    customer_key: str
    skus: tuple[str, ...]
    order_key: str


class OrderCheck(Model):
    """What was found at once. What is None is asked for by its own step, which says why it cannot be had."""

    customer: ErpCustomer | None = None
    items: ErpItems | None = None


class BookReceipt(Model):
    """Money received for an order. `key` is unique for the payment: the order key and the payment's transaction id."""

    key: str
    order_key: str
    order_number: str
    store: str
    customer: ErpCustomer
    payment: Collected
    received_at: UtcDatetime


class BookRefund(Model):
    """Money paid back. `key` is the receipt's key with the suffix `:refund`."""

    key: str
    order_key: str
    order_number: str
    store: str
    customer: ErpCustomer
    payment: Collected
    paid_back_at: UtcDatetime


class BookAll(Model):
    """The sales order with the receipts of all its payments."""

    order: BookOrder
    receipts: tuple[BookReceipt, ...] = ()


class Booked(Model):
    """The documents that are in the books now, in the order of the task, up to the first that was refused.

    The refused one is asked for by its own step, which says why it cannot be made.
    """

    documents: tuple[Document, ...] = ()


class CancelErpOrder(Model):
    """`unanswered_at`: when the booking was given up without an answer, so that it may still be carried out."""

    order_key: str
    reason: str
    unanswered_at: UtcDatetime | None = None


class Erp:
    @activity.defn(name="erp.check_order")
    async def check_order(self, task: CheckOrder) -> OrderCheck:
        """Customer and items in one step. Raises only what is worth another try."""
        raise NotImplementedError

    @activity.defn(name="erp.find_customer")
    async def find_customer(self, task: FindCustomer) -> ErpCustomer:
        """Raises NEEDS_PERSON when there is no such customer, or more than one."""
        raise NotImplementedError

    @activity.defn(name="erp.find_items")
    async def find_items(self, task: FindItems) -> ErpItems:
        raise NotImplementedError

    @activity.defn(name="erp.book_order")
    async def book_order(self, task: BookOrder) -> Document:
        """The sales order with all its parts. Raises NEEDS_PERSON when one is there under the key that differs."""
        raise NotImplementedError

    @activity.defn(name="erp.book_receipt")
    async def book_receipt(self, task: BookReceipt) -> Document:
        """A posted cash receipt with the payment's transaction id."""
        raise NotImplementedError

    @activity.defn(name="erp.book_all")
    async def book_all(self, task: BookAll) -> Booked:
        """`book_order` and `book_receipt` for each receipt, in one step. Raises only what is worth another try."""
        raise NotImplementedError

    @activity.defn(name="erp.book_refund")
    async def book_refund(self, task: BookRefund) -> Document:
        """A posted refund that mirrors the receipt."""
        raise NotImplementedError

    @activity.defn(name="erp.cancel_order")
    async def cancel_order(self, task: CancelErpOrder) -> Undone:
        """Cancels the sales order where the ERP allows it; NEEDS_PERSON where not; not done when there is none."""
        raise NotImplementedError


# ---- payments --------------------------------------------------------------------------------------------------------


class EnsureEntry(Model):
    """Ask for money: one receivable with a payment link. `key` is the assignment key."""

    key: str
    order: Order
    amount: Money
    return_url: str = ""
    expires_at: UtcDatetime


class Entry(Model):
    entry_id: str
    key: str
    link: str
    link_id: str = ""
    adopted: bool = False


class LookAtEntry(Model):
    key: str
    order_key: str


class CancelEntry(Model):
    """Cancel a receivable. `money` says what happens to money already in it."""

    key: str
    order_key: str
    reason: str
    money: Literal["refund", "keep"] = "refund"


class EntryCancelled(Model):
    state: EntryState | None = None
    refunded: tuple[Collected, ...] = ()
    done: bool


class Payments:
    @activity.defn(name="payments.ensure_entry")
    async def ensure_entry(self, task: EnsureEntry) -> Entry:
        raise NotImplementedError

    @activity.defn(name="payments.look_at_entry")
    async def look_at_entry(self, task: LookAtEntry) -> EntryState:
        """The entry as it is now, with every collected payment. TRANSIENT while it is not visible yet."""
        raise NotImplementedError

    @activity.defn(name="payments.cancel_entry")
    async def cancel_entry(self, task: CancelEntry) -> EntryCancelled:
        """Not done when there is no entry. With `refund`, `refunded` names the money that goes back."""
        raise NotImplementedError


# ---- billing ---------------------------------------------------------------------------------------------------------


class EnsureBillingOrder(Model):
    """The record that the invoice run bills. `entry_key` is empty for an order without a payment entry."""

    order: Order
    customer: ErpCustomer
    entry_key: str = ""
    already_paid: tuple[Payment, ...] = ()


class FindInvoice(Model):
    order_key: str
    entry_key: str = ""


class CancelBilling(Model):
    """`unanswered_at`: when the writing was given up without an answer, so that it may still be carried out."""

    order_key: str
    reason: str
    unanswered_at: UtcDatetime | None = None


class Billing:
    @activity.defn(name="billing.ensure_order")
    async def ensure_order(self, task: EnsureBillingOrder) -> Document:
        raise NotImplementedError

    @activity.defn(name="billing.find_invoice")
    async def find_invoice(self, task: FindInvoice) -> BillingProgress:
        raise NotImplementedError

    @activity.defn(name="billing.cancel")
    async def cancel(self, task: CancelBilling) -> Undone:
        """Withdraw what is not billed, or cancel the final invoice where the system allows it, else NEEDS_PERSON."""
        raise NotImplementedError


# ---- notify ----------------------------------------------------------------------------------------------------------


class TellCustomer(Model):
    """A mail to the buyer. `template` names the text; `key` makes it one mail even when the step is repeated."""

    key: str
    template: Literal["payment-link", "invoice", "cancelled", "replaced", "payment-failed"]
    order: Order
    link: str = ""
    invoice_number: str = ""
    replaced_by: str = ""
    amount: Money


class TellPortal(Model):
    """A signed webhook to the store's portal."""

    key: str
    store: str
    event: str
    order_key: str
    number: str
    data: dict[str, str]


class TellBoth(Model):
    """A mail to the buyer and a message to the portal about one event; either may be left out."""

    customer: TellCustomer | None = None
    portal: TellPortal | None = None


class Told(Model):
    """What went out. What is None although it was asked for is sent by its own step, which says why it cannot be."""

    customer: Document | None = None
    portal: Document | None = None


class Notify:
    @activity.defn(name="notify.both")
    async def both(self, task: TellBoth) -> Told:
        """Both messages side by side. Neither waits for the other, and one that fails is not tried again here."""
        raise NotImplementedError

    @activity.defn(name="notify.customer")
    async def customer(self, task: TellCustomer) -> Document:
        raise NotImplementedError

    @activity.defn(name="notify.portal")
    async def portal(self, task: TellPortal) -> Document:
        """Not sent (status `no portal configured`) when the store has no portal address."""
        raise NotImplementedError
