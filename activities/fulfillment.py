"""What an ERP, a storefront and a carrier must be able to do for goods on their way to the customer.

Beside `activities.roles`, by the same rules: single durable steps, each an ensure by the ERP's document number, raising
`commerce.failures.SystemFailure`. The workflow `order_fulfillment_tracking` knows these and nothing else.
"""

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import Field
from temporalio import activity

from activities.control import Plan
from commerce.documents import Case, Document, Event, Undone
from commerce.fulfillment import Fulfillment, LineProgress, Portion, Shipment, State, Transfer
from commerce.model import Model, UtcDatetime
from commerce.order import Order, Quantity

# What people are told about goods.
GoodsTemplate = Literal["dispatched", "delayed", "delivered", "lines-cancelled"]

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


class AskTransfer(Model):
    """A person asks for goods of one order from another warehouse. `lines` is quantity by line id."""

    by: str = Field(min_length=1)
    source: str
    destination: str
    lines: dict[str, Quantity]
    needed_by: UtcDatetime | None = None
    reason: str


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
    """One dispatched shipment with its tracks. `shipment.number`, the ERP's, is its key in the shop.

    `before`: what left before it and is to be shown too, oldest first.
    """

    order_key: str
    store: str
    number: str
    shop_id: str
    shipment: Shipment
    before: tuple[Shipment, ...] = ()
    tell_customer: bool = False


class ShownShipment(Model):
    """How the shop shows a shipment. `document`: None where nothing of it can be shown yet.

    A bundle that the shop sends as a whole is shown when its last part has left. `also`: earlier shipments that brought
    parts of it, whose tracks it carries. `waits`: what has left by now and cannot be shown yet, by shipment's number;
    `missing`: what has to leave first.
    """

    document: Document | None
    also: tuple[str, ...] = ()
    waits: dict[str, tuple[Portion, ...]] = Field(default_factory=dict)
    missing: tuple[Portion, ...] = ()


class InvoiceShipped(Model):
    """Invoice, for an order on account, what a shipment brought: `key` is the ERP's number of it.

    `services`: what is never shipped (downloads, services); then `key` is the ERP's number of the order.
    """

    order_key: str
    store: str
    number: str
    shop_id: str
    key: str
    portions: tuple[Portion, ...]
    services: bool = False
    tell_customer: bool = False


class ShopFulfillment:
    @activity.defn(name="storefront.look_at_order")
    async def look_at_order(self, task: LookAtShop) -> ShopProgress:
        raise NotImplementedError

    @activity.defn(name="storefront.ensure_shipment")
    async def ensure_shipment(self, task: WriteShipment) -> ShownShipment:
        """The shipment with lines, source and tracks. Idempotent by the ERP's number in its comment.

        A shipment that is there gets the tracks that it lacks; one with other quantities is NEEDS_PERSON. Never ships
        more than the shop's counters leave open.
        """
        raise NotImplementedError

    @activity.defn(name="storefront.invoice_shipped")
    async def invoice_shipped(self, task: InvoiceShipped) -> Document:
        """An invoice over these quantities. Idempotent by the key in its comment."""
        raise NotImplementedError


class NoteGoods(Model):
    """A comment on the shop's order about its goods. `key` stands in its text: one comment however often asked for.

    A note that lacks one of the `tracks` is followed by another one under the same key.
    """

    key: str
    template: GoodsTemplate
    order: Order
    shipment: str = ""
    carrier: str = ""
    tracks: tuple["TrackView", ...] = ()
    portions: tuple[Portion, ...] = ()
    expected_on: date | None = None
    visible: bool = Field(default=False, description="Whether the buyer sees it in the account")
    mailed: bool = Field(default=False, description="Whether the shop mails it to the buyer")


class ShopNotes:
    @activity.defn(name="storefront.note_goods")
    async def note_goods(self, task: NoteGoods) -> Document:
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


class Parcels(Model):
    """The latest news of each number that was asked for; one that the carrier does not know yet is left out."""

    news: tuple[ParcelNews, ...]


class LookAtParcels(Model):
    order_key: str
    carrier: str
    tracking: tuple[str, ...]


class Carriers:
    @activity.defn(name="carrier.look_at_parcels")
    async def look_at_parcels(self, task: LookAtParcels) -> Parcels:
        raise NotImplementedError


# ---- our own memory --------------------------------------------------------------------------------------------------


class FulfillmentPlan(Model):
    """What the configuration says about the goods of one order. Read once, kept in the run's history.

    `carrier` is the system that tells of parcels, empty where none does: then a dispatched order ends after
    `delivery_days`. `links` are tracking pages by the carrier's name in lower case, with `{number}`; `""` is for
    all others.
    """

    carrier: str = ""
    links: dict[str, str] = Field(default_factory=dict)
    shop_mail: bool = False
    shop_notes: Literal["off", "internal", "visible", "mailed"] = "off"
    customer_mail: bool = True
    delivery_days: float = 14
    look_again_days: float = 7


class TakenUp(Model):
    """All that a run needs to begin: the plans, what the checkout left, and how an earlier run of the goods ended.

    `look_at_shop`: quantities were cancelled there, perhaps before there was a run to be told.
    """

    plan: Plan
    fulfillment: FulfillmentPlan
    order: Order
    erp_number: str
    invoice_number: str
    look_at_shop: bool = False
    ended_before: "FulfillmentView | None" = None


class TrackView(Model):
    number: str
    link: str = ""
    said: str = ""
    expected_at: UtcDatetime | None = None
    delivered_at: UtcDatetime | None = None


class ShipmentView(Model):
    """One shipment as customers see it."""

    number: str
    state: State
    carrier: str
    service: str
    tracks: tuple[TrackView, ...]
    portions: tuple[Portion, ...]
    dispatched_at: UtcDatetime | None
    written_back: bool
    waits: tuple[Portion, ...] = Field(
        default=(), description="Parts of bundles that the shop shows once the rest of the bundle has left too"
    )


class FulfillmentView(Model):
    """The goods of one order as portals and operators see them."""

    order_key: str
    store: str
    number: str
    state: State
    waiting_on: str
    in_shop: bool = Field(default=False, description="Whether the order lives in a storefront")
    lines: tuple[LineProgress, ...] = ()
    shipments: tuple[ShipmentView, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    documents: tuple[Document, ...] = ()
    timeline: tuple[Event, ...] = ()
    cases: tuple[Case, ...] = ()
    skipped: tuple[str, ...] = ()
    asked: tuple[str, ...] = Field(default=(), description="What was asked for and is not carried out yet, and why")
    ended: bool = False
    reason: str = ""


class FulfillmentControl:
    @activity.defn(name="fulfillment.take_up")
    async def take_up(self, order_key: str) -> TakenUp:
        """The order that a checkout handed over; notes that it is taken up."""
        raise NotImplementedError

    @activity.defn(name="fulfillment.keep")
    async def keep(self, view: FulfillmentView) -> None:
        """Keep the latest view; with it every list of what is late."""
        raise NotImplementedError


# ---- news ------------------------------------------------------------------------------------------------------------


class TellOfGoods(Model):
    """A mail to the buyer about the goods. `key` makes it one mail even when the step is repeated."""

    key: str
    template: GoodsTemplate
    order: Order
    tracks: tuple[TrackView, ...] = ()
    portions: tuple[Portion, ...] = ()
    expected_on: date | None = None


class GoodsNews:
    @activity.defn(name="notify.goods")
    async def goods(self, task: TellOfGoods) -> Document:
        raise NotImplementedError
