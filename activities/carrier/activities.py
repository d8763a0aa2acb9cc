"""A carrier's news: what a run asks for one order's parcels, what a feed hears of all, and what is pushed."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Protocol

from temporalio import activity

from activities.carrier.client import CarrierClient, Parcel
from activities.carrier.settings import CarrierPosition, CarrierSettings
from activities.changes import Change, Forged, Heard, Page, Unreadable
from activities.fulfillment import Carriers, LookAtParcels, ParcelNews, Parcels
from activities.steps import step
from commerce.failures import Family, SystemFailure

SIGNATURE = "x-carrier-signature"


class ParcelOrders(Protocol):
    async def orders_of_parcels(self, numbers: tuple[str, ...]) -> dict[str, str]:
        """Order key by tracking number, for those that are ours."""
        ...


class CarrierActivities(Carriers):
    def __init__(self, client: CarrierClient, *, system: str) -> None:
        self._client = client
        self._settings = client.settings
        self._system = system

    @activity.defn(name="carrier.look_at_parcels")
    @step
    async def look_at_parcels(self, task: LookAtParcels) -> Parcels:
        """Raises NEEDS_PERSON for a parcel that will not arrive, and for a word that the settings do not have."""
        tried = f"look at {len(task.tracking)} parcels of order {task.order_key}"
        parcels = await self._client.parcels(task.tracking, tried=tried, order_key=task.order_key)
        return Parcels(news=tuple(self._news(parcel, tried) for parcel in parcels))

    def _news(self, parcel: Parcel, tried: str) -> ParcelNews:
        known = (*self._settings.on_the_way, *self._settings.delivered)
        if parcel.status in self._settings.ask_a_person or parcel.status not in known:
            unknown = parcel.status not in (*known, *self._settings.ask_a_person)
            raise SystemFailure(
                Family.NEEDS_PERSON,
                tried,
                f"parcel {parcel.number} is {parcel.status!r}" + (", a word that is not configured" if unknown else ""),
                system=self._system,
                do_next=f"add it to on_the_way or delivered of [systems.{self._system}] and decide 'retry'"
                if unknown
                else "settle it with the carrier and the buyer, then decide 'skip'; 'retry' looks again",
            )
        delivered = parcel.status in self._settings.delivered
        return ParcelNews(
            tracking=parcel.number,
            carrier=parcel.carrier,
            state=parcel.status,
            delivered=delivered,
            at=parcel.delivered_at or parcel.updated_at if delivered else parcel.updated_at,
            expected_on=parcel.expected_at,
        )


class CarrierParcels:
    """Source `{system}:parcels`: every event after the last one read. Parcels that are not ours are passed over."""

    def __init__(self, client: CarrierClient, orders: ParcelOrders, *, system: str) -> None:
        self.name = f"{system}:parcels"
        self.system = system
        self._client = client
        self._orders = orders

    async def read(self, cursor: str | None) -> Page:
        at = CarrierPosition.model_validate_json(cursor) if cursor else CarrierPosition()
        tried = f"read the news of {self.system}"
        events, more = await self._client.events(at.after, limit=self._client.settings.page_size, tried=tried)
        ours = await self._orders.orders_of_parcels(tuple({event.number for event in events}))
        changes = tuple(
            Change(order_key=ours[event.number], what="parcel", digest=f"{event.number}:{event.id}", at=event.at)
            for event in events
            if event.number in ours
        )
        reached = max((event.id for event in events), default=at.after)
        return Page(changes=changes, cursor=CarrierPosition(after=reached).model_dump_json(), more=more)

    async def fetch(self, reference: str) -> Change | None:
        """The order of one parcel; None when it is not ours."""
        order_key = (await self._orders.orders_of_parcels((reference,))).get(reference)
        if order_key is None:
            return None
        parcels = await self._client.parcels((reference,), tried=f"look at parcel {reference}", order_key=order_key)
        state = f"{parcels[0].status}:{parcels[0].updated_at.isoformat()}" if parcels else "unknown"
        return Change(order_key=order_key, what="parcel", digest=f"{reference}:{state}")


class CarrierListener:
    """Pushed news: JSON `{id, number, status, at}`, signed over the raw body. A hint: the parcel is read again."""

    def __init__(self, settings: CarrierSettings, *, system: str) -> None:
        if settings.webhook_secret is None:
            raise ValueError("webhook_secret is missing: news without a shared secret proves nothing")
        self._secret = settings.webhook_secret.get_secret_value().encode()
        self._source = f"{system}:parcels"

    def hear(self, headers: Mapping[str, str], body: bytes) -> Heard:
        given = next((value for name, value in headers.items() if name.lower() == SIGNATURE), "")
        expected = "sha256=" + hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
            raise Forged("X-Carrier-Signature is missing or wrong")
        try:
            data = json.loads(body)
        except ValueError as err:
            raise Unreadable(f"the body is not JSON: {err}") from err
        if not isinstance(data, dict) or not isinstance(data.get("number"), str) or not data.get("id"):
            raise Unreadable("id and number are missing")
        return Heard(id=str(data["id"]), reference=data["number"], source=self._source)
