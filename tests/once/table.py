"""Every write of Holdfast to an outside system: the table that tests/once goes through, path by path."""

from tests.once.rig import Path

BOOK_ORDER = Path("erp.book_order", "salesforce", "POST", r"/composite/graph$")
CANCEL_ORDER = Path("erp.cancel_order", "salesforce", "PATCH", r"/sobjects/SCMC__Sales_Order__c/\w+$", bodiless=True)
CANCEL_LINES = Path("erp.cancel_lines", "salesforce", "POST", r"/composite/graph$")
REQUEST_TRANSFER = Path("erp.request_transfer", "salesforce", "POST", r"/composite/graph$")
BOOK_RECEIPT = Path("erp.book_receipt", "salesforce", "POST", r"/composite$")
# Both in one step, as on the plain way.
BOOK_ALL_ORDER = Path("erp.book_all:order", "salesforce", "POST", r"/composite/graph$")
BOOK_ALL_RECEIPT = Path("erp.book_all:receipt", "salesforce", "POST", r"/composite$")
BOOK_REFUND = Path("erp.book_refund", "salesforce", "POST", r"/composite$")
# A link that was lost with its answer is of no use: the untouched entry is canceled, and a new one is made.
ENSURE_ENTRY = Path("payments.ensure_entry", "juston", "POST", r"/entry-link$", repeats=1)
CANCEL_ENTRY = Path("payments.cancel_entry", "salesforce", "POST", r"/JPAY1__EntryCancellation$")
BILLING_ORDER = Path("billing.ensure_order", "salesforce", "POST", r"/composite/graph$")
WITHDRAW = Path("billing.cancel:withdraw", "salesforce", "PATCH", r"/sobjects/Web_Order__c/\w+$", bodiless=True)
CANCEL_INVOICE = Path("billing.cancel:invoice", "salesforce", "POST", r"/ONB2__InvoiceCancellation$")
ANNOUNCE = Path("storefront.announce_payment", "magento", "POST", r"/orders/\d+/comments$")
SHOP_INVOICE = Path("storefront.ensure_invoice", "magento", "POST", r"/order/\d+/invoice$")
STAMP = Path("storefront.write_references:external number", "magento", "POST", r"/V1/orders$")
REFERENCES = Path("storefront.write_references:comment", "magento", "POST", r"/orders/\d+/comments$")
CANCEL_SHOP_ORDER = Path("storefront.cancel_order", "magento", "POST", r"/orders/\d+/cancel$")
SHIP = Path("storefront.ensure_shipment:shipment", "magento", "POST", r"/order/\d+/ship$")
TRACK = Path("storefront.ensure_shipment:track", "magento", "POST", r"/shipment/track$")
INVOICE_SHIPPED = Path("storefront.invoice_shipped", "magento", "POST", r"/order/\d+/invoice$")
NOTE = Path("storefront.note_goods", "magento", "POST", r"/orders/\d+/comments$")

PATHS = (
    BOOK_ORDER,
    CANCEL_ORDER,
    CANCEL_LINES,
    REQUEST_TRANSFER,
    BOOK_RECEIPT,
    BOOK_ALL_ORDER,
    BOOK_ALL_RECEIPT,
    BOOK_REFUND,
    ENSURE_ENTRY,
    CANCEL_ENTRY,
    BILLING_ORDER,
    WITHDRAW,
    CANCEL_INVOICE,
    ANNOUNCE,
    SHOP_INVOICE,
    STAMP,
    REFERENCES,
    CANCEL_SHOP_ORDER,
    SHIP,
    TRACK,
    INVOICE_SHIPPED,
    NOTE,
)
# Messages to people go out at least once, each under a key of its own: test_messages.py.
MESSAGES = frozenset({"notify.both", "notify.customer", "notify.portal", "notify.goods"})
# Steps that write nothing anywhere: test_every_write.py watches them.
READS = frozenset(
    {
        "erp.check_order",
        "erp.find_customer",
        "erp.find_items",
        "erp.look_at_fulfillment",
        "payments.look_at_entry",
        "billing.find_invoice",
    }
)
# Steps that only ever send GET, by their clients: of goods in the shop and at the carrier.
LOOKS = frozenset({"storefront.look_at_order", "carrier.look_at_parcels"})
