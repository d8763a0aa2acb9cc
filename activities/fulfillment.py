"""What an ERP, a storefront and a carrier must be able to do for goods on their way to the customer.

Beside `activities.roles`, by the same rules: single durable steps, each an ensure by the ERP's document number, raising
`commerce.failures.SystemFailure`. The workflow `order_fulfillment_tracking` knows these and nothing else.
"""

from decimal import Decimal

from temporalio import activity

from commerce.documents import Document, Undone
from commerce.fulfillment import Fulfillment, Portion, Shipment, Transfer
from commerce.model import Model, UtcDatetime
from commerce.order import Quantity

# ---- ERP -------------------------------------------------------------------------------------------------------------


class LookAtFulfillment(Model):
    order_key: str


class CancelLines(Model):
    """Cancel open quantities, by line id. `key` makes it one cancellation however often it is asked for."""

    key: str
    order_key: str
    quantities: dict[str, Quantity]
    reason: str


class RequestTransfer(Model):
    """Bring goods from one warehouse to another. Warehouses by the ERP's names; `key` is ours, kept at the ERP."""

    key: str
    order_key: str
    source: str
    destination: str
    portions: tuple[Portion, ...]
    needed_by: UtcDatetime | None = None
    reason: str


class ErpFulfillment:
    @activity.defn(name="erp.look_at_fulfillment")
    async def look_at_fulfillment(self, task: LookAtFulfillment) -> Fulfillment:
        """One whole reading. Raises NEEDS_PERSON for a status that is not in the mapping, or when there is no order."""
        raise NotImplementedError

    @activity.defn(name="erp.cancel_lines")
    async def cancel_lines(self, task: CancelLines) -> Undone:
        """Cancel quantities that have not left; NEEDS_PERSON for any that have, before anything is changed."""
        raise NotImplementedError

    @activity.defn(name="erp.request_transfer")
    async def request_transfer(self, task: RequestTransfer) -> Transfer:
        """Idempotent by `key`. NEEDS_PERSON when the source has not enough."""
        raise NotImplementedError


# ---- storefront ------------------------------------------------------------------------------------------------------


class ShopLine(Model):
    """The shop's own counters of one row."""

    line: str
    sku: str
    ordered: Decimal
    invoiced: Decimal = Decimal(0)
    shipped: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)
    cancelled: Decimal = Decimal(0)


class ShopProgress(Model):
    """The shop's order as it stands. `replaced_by` is the number of the order that an edit put in its place."""

    order_key: str
    state: str
    status: str
    cancelled: bool
    lines: tuple[ShopLine, ...]
    replaced_by: str = ""


class LookAtShop(Model):
    order_key: str
    store: str
    number: str
    shop_id: str


class WriteShipment(Model):
    """One dispatched shipment with its tracks. `shipment.number`, the ERP's, is its key in the shop."""

    order_key: str
    store: str
    number: str
    shop_id: str
    shipment: Shipment
    tell_customer: bool = False


class InvoiceShipped(Model):
    """Invoice what a shipment brought, for goods on account. `key`, its number in the billing system or the ERP's."""

    order_key: str
    store: str
    number: str
    shop_id: str
    key: str
    portions: tuple[Portion, ...]
    tell_customer: bool = False


class SayInShop(Model):
    """A comment on the shop's order, once: `key` is part of the text. `visible`: shown to the buyer."""

    order_key: str
    store: str
    number: str
    shop_id: str
    key: str
    text: str
    visible: bool = False


class ShopFulfillment:
    @activity.defn(name="storefront.look_at_order")
    async def look_at_order(self, task: LookAtShop) -> ShopProgress:
        raise NotImplementedError

    @activity.defn(name="storefront.ensure_shipment")
    async def ensure_shipment(self, task: WriteShipment) -> Document:
        """The shipment with lines, source and tracks. Idempotent by the ERP's number in its comment.

        A shipment that is there gets the tracks that it lacks; one with other quantities is NEEDS_PERSON. Never ships
        more than the shop's counters leave open.
        """
        raise NotImplementedError

    @activity.defn(name="storefront.invoice_shipped")
    async def invoice_shipped(self, task: InvoiceShipped) -> Document:
        """An invoice over these quantities. Idempotent by the key in its comment."""
        raise NotImplementedError

    @activity.defn(name="storefront.say")
    async def say(self, task: SayInShop) -> Document:
        raise NotImplementedError


# ---- carriers --------------------------------------------------------------------------------------------------------


class ParcelNews(Model):
    """What the carrier says of one parcel."""

    tracking: str
    carrier: str
    state: str
    delivered: bool
    at: UtcDatetime
    expected_on: UtcDatetime | None = None


class LookAtParcels(Model):
    order_key: str
    carrier: str
    tracking: tuple[str, ...]


class Carriers:
    @activity.defn(name="carrier.look_at_parcels")
    async def look_at_parcels(self, task: LookAtParcels) -> tuple[ParcelNews, ...]:
        """The latest news of each number; a number that the carrier does not know yet is left out."""
        raise NotImplementedError
