"""The storefront's part in fulfillment: shipments with tracks, invoices of what shipped, the shop's own counters.

The shop knows no idempotency key: the ERP's shipment number in the shipment's comment is the key. What is there is
adopted when it holds the same goods, completed when tracks are missing, and a person's matter when it differs.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from temporalio import activity

from activities.fulfillment import (
    InvoiceShipped,
    LookAtShop,
    ShopFulfillment,
    ShopLine,
    ShopProgress,
    ShownShipment,
    WriteShipment,
)
from activities.magento.activities import CANCELED_INVOICE
from activities.magento.bundles import Sent, sent_with
from activities.magento.client import Filter, MagentoClient
from activities.magento.comments import mentions
from activities.magento.fields import money, number, rows, text, whole
from activities.magento.mapping import COMMENT, known_currency
from activities.magento.orders import meant_order
from activities.magento.rows import NotTaken, bundles_of, held, item_of, may_ship, priced_rows, said
from activities.steps import step
from activities.turns import Memory, Turns
from commerce.documents import Document, DocumentKind
from commerce.failures import Family, SystemFailure
from commerce.fulfillment import Shipment
from commerce.text import require

_ITEMS = (
    "items[item_id,parent_item_id,product_id,product_type,sku,qty_ordered,qty_invoiced,qty_shipped,qty_refunded,"
    "qty_canceled,is_virtual]"
)
_ORDER = f"entity_id,increment_id,state,status,relation_child_real_id,{_ITEMS}"
_SHIPMENT = "entity_id,increment_id,order_id,comments[comment],items[order_item_id,qty],tracks[entity_id,track_number]"
_INVOICE = (
    "entity_id,increment_id,order_id,state,grand_total,order_currency_code,comments[comment],items[order_item_id,qty]"
)
# States in which the shop takes no invoice, from its own validators.
NOT_INVOICEABLE = frozenset({"payment_review", "holded", "canceled", "closed"})
AnyTask = LookAtShop | WriteShipment | InvoiceShipped
Row = Mapping[str, Any]
Tracks = Mapping[str, dict[str, str]]  # by tracking number, as the shop takes them


class MagentoShipping(ShopFulfillment):
    """One shop's shipments. `system` is its name in the configuration; `memory` notes writes that were begun."""

    def __init__(self, client: MagentoClient, *, system: str, memory: Memory) -> None:
        self._client = client
        self._settings = client.settings
        self._system = system
        self._turns = Turns(
            memory, system=system, settled_after=timedelta(seconds=self._settings.settled_after_seconds)
        )

    @activity.defn(name="storefront.look_at_order")
    @step
    async def look_at_order(self, task: LookAtShop) -> ShopProgress:
        """The shop's own counters, row by row, and the order that an edit put in this one's place."""
        tried = f"look at order {task.order_key} in the shop"
        order = await self._order(task, tried)
        return ShopProgress(
            order_key=task.order_key,
            state=text(order, "state"),
            status=text(order, "status"),
            cancelled=text(order, "state") == "canceled",
            lines=tuple(
                ShopLine(
                    line=text(item, "item_id"),
                    sku=text(item, "sku"),
                    ordered=number(item, "qty_ordered"),
                    invoiced=number(item, "qty_invoiced"),
                    shipped=number(item, "qty_shipped"),
                    refunded=number(item, "qty_refunded"),
                    cancelled=number(item, "qty_canceled"),
                )
                for item in rows(order, "items")
            ),
            replaced_by=text(order, "relation_child_real_id"),
        )

    @activity.defn(name="storefront.ensure_shipment")
    @step
    async def ensure_shipment(self, task: WriteShipment) -> ShownShipment:
        """The shipment under the ERP's number, with every track. Never more than the shop's counters leave open."""
        shipment = task.shipment
        tried = f"write shipment {shipment.number} for order {task.order_key}"
        looked_at = self._turns.now()
        order = await self._order(task, tried)
        sent = await self._sent(task, order, tried)
        if not sent.rows:
            return ShownShipment(document=None, waits=sent.waits, missing=sent.missing)
        brought_by = [shipment, *(one for one in task.before if one.number in sent.also)]
        tracks = {number: self._track(one, number) for one in brought_by for number in one.tracking_numbers()}
        found = await self._our_shipment(task, sent.rows, order, tried)
        adopted = found is not None
        if found is None:
            with self._asking(tried):
                may_ship(order, sent.rows)
            body = self._shipment_body(shipment, sent.rows, tracks, tried, tell=task.tell_customer)
            try:
                async with self._turns.take(
                    f"ship:{task.order_key}:{shipment.number}", looked_at=looked_at, tried=tried
                ):
                    await self._client.post(
                        "order/{id}/ship", body, tried=tried, order_key=task.order_key, id=task.shop_id
                    )
            except SystemFailure as err:
                if err.family is not Family.REJECTED:
                    raise
                # A first try whose answer was late may have committed meanwhile: then this one is refused.
                found = await self._our_shipment(task, sent.rows, order, tried)
                if found is None:
                    raise
                adopted = True
            else:
                found = await self._our_shipment(task, sent.rows, order, tried)
                if found is None:
                    raise self._not_shown(tried)
        document = await self._with_tracks(task, found, tracks, looked_at, tried, adopted=adopted)
        return ShownShipment(document=document, also=sent.also, waits=sent.waits, missing=sent.missing)

    @activity.defn(name="storefront.invoice_shipped")
    @step
    async def invoice_shipped(self, task: InvoiceShipped) -> Document:
        """One invoice over what a shipment brought, or what is never shipped. Idempotent by `key` in its comment."""
        what = "what is not shipped" if task.services else f"shipment {task.key}"
        tried = f"invoice {what} of order {task.order_key} in the shop"
        looked_at = self._turns.now()
        order = await self._order(task, tried)
        with self._asking(tried):
            wanted = priced_rows(order, task.portions)
        found = await self._our_invoice(task, wanted, order, tried)
        if found is not None:
            return self._invoice(found, task.key, adopted=True)
        state = text(order, "state")
        if state in NOT_INVOICEABLE:
            raise self._ask(tried, f"the order is {state} in the shop, where it takes no invoice")
        for item_id, quantity in wanted.items():
            item = item_of(order, item_id)
            room = number(item, "qty_ordered") - number(item, "qty_invoiced") - number(item, "qty_canceled")
            if quantity > room:
                raise self._ask(tried, f"{quantity} of {text(item, 'sku')} are to be invoiced, {room} are open there")
        prefix = self._settings.services_prefix if task.services else self._settings.shipment_prefix
        body = {
            "capture": False,
            "notify": task.tell_customer,
            "items": [{"order_item_id": int(item_id), "qty": quantity} for item_id, quantity in wanted.items()],
            "appendComment": False,
            "comment": {
                "comment": require(f"{prefix}{task.key}", COMMENT),
                "is_visible_on_front": 0,
            },
        }
        try:
            async with self._turns.take(f"invoice:{task.order_key}:{task.key}", looked_at=looked_at, tried=tried):
                await self._client.post(
                    "order/{id}/invoice", body, tried=tried, order_key=task.order_key, id=task.shop_id
                )
        except SystemFailure as err:
            if err.family is not Family.REJECTED:
                raise
            found = await self._our_invoice(task, wanted, order, tried)
            if found is None:
                raise
            return self._invoice(found, task.key, adopted=True)
        found = await self._our_invoice(task, wanted, order, tried)
        if found is None:
            raise self._not_shown(tried)
        return self._invoice(found, task.key, adopted=False)

    # ---- what is there -----------------------------------------------------------------------------------------------

    async def _order(self, task: AnyTask, tried: str) -> dict[str, Any]:
        return await meant_order(
            self._client,
            shop_id=task.shop_id,
            number=task.number,
            order_key=task.order_key,
            fields=_ORDER,
            tried=tried,
        )

    async def _documents(self, kind: str, fields: str, task: AnyTask, tried: str) -> list[dict[str, Any]]:
        """All of the order's shipments or invoices with their comments."""
        one = "shipment" if kind == "shipments" else "invoices"
        found = []
        async for document in self._client.keyset(
            kind, [[Filter("order_id", task.shop_id)]], tried=tried, fields=fields, order_key=task.order_key
        ):
            if not rows(document, "comments"):  # lists may leave out what the single document shows
                comments = await self._client.get(
                    f"{one}/{{id}}/comments", tried=tried, order_key=task.order_key, id=text(document, "entity_id")
                )
                document["comments"] = rows(comments, "items")
            found.append(document)
        return found

    async def _our_shipment(
        self, task: WriteShipment, wanted: Mapping[str, Decimal], order: Row, tried: str
    ) -> dict[str, Any] | None:
        listed = await self._documents("shipments", _SHIPMENT, task, tried)
        return self._ours(listed, task.shipment.number, wanted, order, "shipment", tried)

    async def _our_invoice(
        self, task: InvoiceShipped, wanted: Mapping[str, Decimal], order: Row, tried: str
    ) -> dict[str, Any] | None:
        listed = await self._documents("invoices", _INVOICE, task, tried)
        standing = [each for each in listed if whole(each.get("state")) != CANCELED_INVOICE]
        return self._ours(standing, task.key, wanted, order, "invoice", tried)

    def _ours(
        self,
        listed: Sequence[dict[str, Any]],
        key: str,
        wanted: Mapping[str, Decimal],
        order: Row,
        what: str,
        tried: str,
    ) -> dict[str, Any] | None:
        """The document with our number. Raises NEEDS_PERSON when there are two, or it holds other goods."""
        ours = [each for each in listed if any(mentions(text(c, "comment"), key) for c in rows(each, "comments"))]
        if len(ours) > 1:
            names = " and ".join(text(each, "increment_id") for each in ours)
            raise self._ask(tried, f"the shop's {what}s {names} carry the same number {key}")
        if not ours:
            return None
        holds = held(order, rows(ours[0], "items"), wanted)
        if holds != dict(wanted):
            name = text(ours[0], "increment_id")
            raise self._ask(
                tried,
                f"the shop's {what} {name} with our number holds {said(order, holds)}, ours {said(order, wanted)}",
                f"correct the shop's {what}, then decide 'retry' or 'skip'",
            )
        return ours[0]

    # ---- what is wanted ----------------------------------------------------------------------------------------------

    async def _sent(self, task: WriteShipment, order: Row, tried: str) -> Sent:
        """What the shop is shown of it. What left before and is no row of the shop was a person's matter then."""
        with self._asking(tried):
            priced = priced_rows(order, task.shipment.portions)
            rowed = ((one, [each for each in one.portions if item_of(order, each.line)]) for one in task.before)
            left = [(one.number, priced_rows(order, portions)) for one, portions in rowed if portions]
            every = {line for _, quantities in left for line in quantities} | set(priced)
            separately = await self._separately(task, bundles_of(order, every), tried)
            return sent_with(order, [*left, (task.shipment.number, priced)], separately)

    async def _separately(self, task: WriteShipment, bundles: Mapping[str, str], tried: str) -> frozenset[str]:
        """Those of the bundles that leave part by part. An order does not say so, its products do."""
        if not bundles or self._settings.bundles_ship != "as-set":
            return frozenset(bundles) if self._settings.bundles_ship == "separately" else frozenset()
        ids = sorted(set(bundles.values()))
        found = await self._client.search(
            "products",
            [[Filter("entity_id", ",".join(ids), "in")]],
            tried=tried,
            sort=(("entity_id", "ASC"),),
            fields="id,custom_attributes",
            order_key=task.order_key,
        )
        set_to = {
            text(product, "id"): text(entry, "value")
            for product in found.items
            for entry in rows(product, "custom_attributes")
            if text(entry, "attribute_code") == "shipment_type"
        }
        for head, product in bundles.items():
            if set_to.get(product) not in ("0", "1"):
                raise NotTaken(
                    f"the shop does not say how the bundle of row {head} ships (shipment_type of product {product})",
                    f"set bundles_ship in [systems.{self._system}] to separately or together, restart the workers "
                    "and decide 'retry'",
                )
        return frozenset(head for head, product in bundles.items() if set_to[product] == "1")

    @contextmanager
    def _asking(self, tried: str) -> Iterator[None]:
        """What the shop does not take waits for a person."""
        try:
            yield
        except NotTaken as err:
            raise self._ask(tried, str(err), err.do_next) from err

    def _shipment_body(
        self, shipment: Shipment, wanted: Mapping[str, Decimal], tracks: Tracks, tried: str, *, tell: bool
    ) -> dict[str, Any]:
        body: dict[str, Any] = {
            "items": [{"order_item_id": int(item_id), "qty": quantity} for item_id, quantity in wanted.items()],
            "notify": tell,
            "appendComment": False,
            "comment": {
                "comment": require(f"{self._settings.shipment_prefix}{shipment.number}", COMMENT),
                "is_visible_on_front": 0,
            },
            "tracks": [*tracks.values()],
        }
        source = self._source(shipment, tried)
        if source:
            body["arguments"] = {"extension_attributes": {"source_code": source}}
        return body

    def _source(self, shipment: Shipment, tried: str) -> str:
        """The shop's source for the ERP's warehouse; none where the shop has one source only."""
        sources = self._settings.sources
        if not sources:
            return ""
        if shipment.source not in sources:
            raise self._ask(
                tried,
                f"the shipment leaves warehouse {shipment.source!r}, which is none of {', '.join(sorted(sources))}",
                f"name it in [systems.{self._system}.sources] and decide 'retry'",
            )
        return sources[shipment.source]

    def _track(self, shipment: Shipment, tracking: str) -> dict[str, str]:
        title = " ".join(part for part in (shipment.carrier, shipment.service) if part)
        return {
            "track_number": tracking,
            "title": title or "Parcel",
            "carrier_code": self._settings.carrier_codes.get(shipment.carrier.lower(), "custom"),
        }

    async def _with_tracks(
        self,
        task: WriteShipment,
        found: dict[str, Any],
        tracks: Tracks,
        looked_at: datetime,
        tried: str,
        *,
        adopted: bool,
    ) -> Document:
        """Add the tracks that the shop's shipment lacks. The number is the key: one that is there is not added."""
        there = {text(track, "track_number") for track in rows(found, "tracks")}
        for tracking, track in tracks.items():
            if tracking in there:
                continue
            entity = track | {
                "order_id": int(task.shop_id),
                "parent_id": int(text(found, "entity_id")),
            }
            key = f"track:{task.order_key}:{task.shipment.number}:{tracking}"
            async with self._turns.take(key, looked_at=looked_at, tried=tried):
                await self._client.post("shipment/track", {"entity": entity}, tried=tried, order_key=task.order_key)
        return Document(
            kind=DocumentKind.SHOP_SHIPMENT,
            system=self._system,
            id=text(found, "entity_id"),
            number=text(found, "increment_id"),
            key=task.shipment.number,
            status="shipped",
            adopted=adopted,
        )

    def _invoice(self, found: Row, key: str, *, adopted: bool) -> Document:
        return Document(
            kind=DocumentKind.SHOP_INVOICE,
            system=self._system,
            id=text(found, "entity_id"),
            number=text(found, "increment_id"),
            key=key,
            amount=money(found, "grand_total", known_currency(found, "order_currency_code")),
            status="paid",
            adopted=adopted,
        )

    def _not_shown(self, tried: str) -> SystemFailure:
        return SystemFailure(
            Family.OUTCOME_UNKNOWN,
            tried,
            "the shop took it, but does not show it",
            system=self._system,
            do_next="nothing: it is looked up again before it is tried again",
        )

    def _ask(
        self, tried: str, came_back: str, do_next: str = "mend it in the shop, then decide 'retry'"
    ) -> SystemFailure:
        return SystemFailure(Family.NEEDS_PERSON, tried, came_back, system=self._system, do_next=do_next)
