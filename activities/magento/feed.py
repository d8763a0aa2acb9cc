"""What changed among the shop's orders, swept by `updated_at`, and one order read again after a notification.

A change becomes visible after its own time stamp (it is set inside a transaction), so that every sweep begins some
minutes before the last one ended; equal states carry equal digests. Inside a sweep pages follow each other by
(updated_at, entity_id): an order that changes meanwhile moves to the end instead of between two pages.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.changes import Change, Page, Reading
from activities.magento.client import Filter, MagentoClient, StoreView
from activities.magento.fields import Unmappable, moment, rows, stamp, text, whole
from activities.magento.mapping import order_fields, to_order
from commerce.failures import Family, SystemFailure
from commerce.model import Model, UtcDatetime

CANCELED = "canceled"


class Cursor(Model):
    """Where the sweeps stand. `reached`: latest change seen; `after`: last row of the page before, inside a sweep."""

    reached: UtcDatetime
    after: tuple[UtcDatetime, int] | None = None
    began: UtcDatetime | None = None


class MagentoOrders:
    """Source `{system}:orders`."""

    def __init__(self, client: MagentoClient, *, system: str) -> None:
        self.name = f"{system}:orders"
        self.system = system
        self._client = client
        self._settings = client.settings
        self._fields = order_fields(client.settings)

    async def read(self, cursor: str | None) -> Page:
        """One page of orders that changed, oldest change first. Raises SystemFailure."""
        at = Cursor.model_validate_json(cursor) if cursor else Cursor(reached=self._settings.orders_since)
        began = at.began or max(
            at.reached - timedelta(seconds=self._settings.overlap_seconds), self._settings.orders_since
        )
        tried = f"read changed orders of {self.system}"
        views = await self._client.store_views(tried=tried)
        found = await self._client.search(
            "orders",
            self._filters(at, began, views),
            tried=tried,
            sort=(("updated_at", "ASC"), ("entity_id", "ASC")),
            fields=self._fields,
        )
        reached, last = at.reached, at.after
        for entity in found.items:
            last = self._position(entity, tried)
            # A time stamp ahead of the clock would hide all later changes.
            reached = max(reached, min(last[0], datetime.now(UTC)))
        if found.more and last == at.after:
            raise self._odd(tried, "the search does not go on after the last row")
        ended = Cursor(reached=reached)
        at = Cursor(reached=reached, after=last, began=began) if found.more else ended
        changes = tuple(self._change(entity, views) for entity in found.items)
        return Page(changes=changes, cursor=at.model_dump_json(exclude_none=True), more=found.more)

    async def fetch(self, reference: str) -> Change | None:
        """The order behind an `entity_id`, or an order key, as it is now; None when it is gone or not one that is taken
        in.
        """
        tried = f"read order {reference} of {self.system}"
        entity = await self._find(reference, tried)
        if entity is None:
            return None
        views = await self._client.store_views(tried=tried)
        view = views.get(whole(entity.get("store_id")) or 0)
        wanted = (
            (text(entity, "state") in (*self._settings.order_states, CANCELED) or _canceled_rows(entity))
            and (not self._settings.stores or (view is not None and view.code in self._settings.stores))
            and (_moment_or_none(entity, "created_at") or self._settings.orders_since) >= self._settings.orders_since
        )
        return self._change(entity, views) if wanted else None

    async def _find(self, reference: str, tried: str) -> Mapping[str, Any] | None:
        code, colon, number = reference.partition(":")
        if not colon:
            if whole(reference) is None:
                return None
            return await self._client.find("orders/{id}", tried=tried, fields=self._fields, id=reference)
        views = await self._client.store_views(tried=tried)
        # A key as `_change` makes it: with the id of the store where that is no view of the shop.
        stores = [str(view.id) for view in views.values() if view.code == code] or [code]
        found = await self._client.search(
            "orders",
            [[Filter("increment_id", number)], [Filter("store_id", stores[0])]],
            tried=tried,
            sort=(("entity_id", "ASC"),),
            fields=self._fields,
            order_key=reference,
        )
        return found.items[0] if found.items else None

    def _filters(self, at: Cursor, began: datetime, views: Mapping[int, StoreView]) -> list[list[Filter]]:
        groups = [
            # Either is enough: an order of which a part was cancelled may be complete by that.
            [
                Filter("state", ",".join((*self._settings.order_states, CANCELED)), "in"),
                Filter("total_canceled", "0", "gt"),
            ],
            [Filter("created_at", stamp(self._settings.orders_since), "gteq")],
        ]
        if self._settings.stores:
            ids = [str(view.id) for view in views.values() if view.code in self._settings.stores]
            groups.append([Filter("store_id", ",".join(ids) or "-1", "in")])
        if at.after is None:
            return [*groups, [Filter("updated_at", stamp(began), "gteq")]]
        # (updated_at, entity_id) > (t, n), as an AND of ORs.
        moved, entity_id = at.after
        later = Filter("updated_at", stamp(moved), "gt")
        return [
            *groups,
            [Filter("updated_at", stamp(moved), "gteq")],
            [later, Filter("entity_id", str(entity_id), "gt")],
        ]

    def _change(self, entity: Mapping[str, Any], views: Mapping[int, StoreView]) -> Change:
        view = views.get(whole(entity.get("store_id")) or 0)
        key = f"{view.code if view else text(entity, 'store_id')}:{text(entity, 'increment_id')}"
        at = _moment_or_none(entity, "updated_at")
        if text(entity, "state") == CANCELED:
            replaced_by = text(entity, "relation_child_real_id")
            return Change(
                order_key=key,
                what="shop-order",
                # The number of the order in its place is news, also where the cancellation was told before.
                digest=_digest(key, CANCELED, *([replaced_by] if replaced_by else [])),
                at=at,
                shop_canceled=True,
                reading=Reading(at=at or datetime.now(UTC), replaced_by=replaced_by) if replaced_by else None,
            )
        canceled = _canceled_rows(entity)
        in_part = _digest(key, *canceled)
        if text(entity, "state") not in self._settings.order_states:
            return Change(order_key=key, what="shop-order", digest=in_part, at=at, shop_lines_canceled=True)
        try:
            if view is None:
                raise Unmappable(f"store_id {text(entity, 'store_id')} is no store view of the shop")
            order = to_order(entity, view, self._settings)
        except Unmappable as err:
            digest = _digest(key, str(err))
            return Change(order_key=key, what="shop-order", digest=digest, at=at, problem=str(err))
        digest = in_part if canceled else order.digest()
        return Change(
            order_key=key, what="shop-order", digest=digest, at=at, order=order, shop_lines_canceled=bool(canceled)
        )

    def _position(self, entity: Mapping[str, Any], tried: str) -> tuple[datetime, int]:
        entity_id = whole(entity.get("entity_id"))
        try:
            moved = moment(entity, "updated_at")
        except Unmappable as err:
            raise self._odd(tried, str(err)) from err
        if entity_id is None:
            raise self._odd(tried, "an order has no entity_id")
        return moved, entity_id

    def _odd(self, tried: str, what: str) -> SystemFailure:
        return SystemFailure(
            Family.NEEDS_PERSON,
            tried,
            f"an answer that the shop does not give: {what}",
            system=self.system,
            code="odd",
            do_next="check the shop's extensions that change the order search",
        )


def _canceled_rows(entity: Mapping[str, Any]) -> list[str]:
    """Each row of which a quantity was cancelled, with the quantity."""
    found = {text(row, "item_id"): text(row, "qty_canceled") for row in rows(entity, "items")}
    return [f"{item_id}={quantity}" for item_id, quantity in sorted(found.items()) if quantity.strip("0.")]


def _moment_or_none(entity: Mapping[str, Any], name: str) -> datetime | None:
    try:
        return moment(entity, name)
    except Unmappable:
        return None  # the mapping says so where it matters


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()
