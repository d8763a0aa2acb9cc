"""A parcel carrier: what was handed to it, where each parcel is, and its news, pulled by `/v1/events` or pushed.

It hears of a parcel when the ERP's warehouse ships it (or a box gets its number later). Acts: `deliver` and `move`
for the parcels of an order or one number; `configure` for the automatic clock.
"""

import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.kernel.store import Doc
from sandbox.kernel.world import ActError, Notification, Vendor, World
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages.scm_amounts import ORDER
from sandbox.salesforce.packages.scm_shipping_objects import BOX, SHIPPING

TOKEN = "carrier-sandbox-token-nordlicht"
WAY = ("announced", "in transit", "out for delivery", "delivered")
OFF_THE_WAY = ("failed attempt", "returned")
STATUSES = (*WAY, *OFF_THE_WAY)
ENDS = frozenset({"delivered", "returned"})
ANNOUNCE_JOB = "announce"
DAYS_ON_THE_WAY = 2
MOST = 500


class CarrierVendor(Vendor):
    """Parcels by number: `number, carrier, service, status, reference, updated_at, expected_at, delivered_at`."""

    name = "carrier"

    def __init__(self, world: World, org: Org) -> None:
        super().__init__(world)
        self._org = org
        self._parcels = self.store.table("carrier.parcels")
        self._events = self.store.table("carrier.events")
        self._switches = self.store.table("carrier.settings")
        self._app = Starlette(
            routes=[
                Route("/v1/parcels", self._list, methods=["GET"]),
                Route("/v1/events", self._news, methods=["GET"]),
            ]
        )
        org.after_save(SHIPPING, lambda org, new, old: self._hand_over(new["Id"], new))
        org.after_save(BOX, lambda org, new, old: self._hand_over(new["SCMC__Shipping__c"], None))

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)

    def credentials(self) -> dict[str, Any]:
        return {"token": TOKEN}

    def fault(self, kind: str, options: dict[str, Any], method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        headers = {"content-type": "application/json"}
        if kind == "limit":
            return 429, headers | {"retry-after": str(options.get("retry_after", 1))}, b'{"error": "too many requests"}'
        if kind == "expire-auth":
            return 401, headers, b'{"error": "unknown token"}'
        return 423, headers, b'{"error": "locked"}'

    def books(self) -> dict[str, Any]:
        return {
            "shipments": [
                {"id": row["number"], "number": row["number"], "key": row["reference"], "status": row["status"]}
                for row in self._parcels.values()
            ]
        }

    # ---- parcels -----------------------------------------------------------------------------------------------------

    def _hand_over(self, shipping_id: str, row: Doc | None) -> None:
        """Not at once: the label is printed in the warehouse's transaction, the carrier hears of it after that."""
        if row is None or row["SCMC__Status__c"] == "Shipped":
            self.world.schedule(self.name, ANNOUNCE_JOB, 0, {"shipping": shipping_id})

    def run_job(self, name: str, payload: dict[str, Any]) -> None:
        if name != ANNOUNCE_JOB:
            super().run_job(name, payload)
            return
        shipping = self._org.get(SHIPPING, payload["shipping"])
        if shipping is None or shipping["SCMC__Status__c"] != "Shipped":
            return
        boxes = [
            box["SCMC__Box_Tracking_Number__c"] for box in self._org.find(BOX, "SCMC__Shipping__c", shipping["Id"])
        ]
        numbers = [number for number in boxes if number] or [shipping["SCMC__Carrier_Tracking_Number__c"]]
        order = self._org.get(ORDER, shipping["SCMC__Sales_Order__c"]) or {}
        for number in numbers:
            if number and self._parcels.get(number) is None:
                self._parcels.put(
                    number,
                    {
                        "number": number,
                        "carrier": shipping["SCMC__Carrier__c"] or "",
                        "service": shipping["SCMC__Carrier_Service__c"] or "",
                        "reference": str(order.get("Name", "")),
                        "order": str(order.get("Magento_Order_Id__c") or ""),
                        "expected_at": (self.world.now() + timedelta(days=DAYS_ON_THE_WAY)).isoformat(),
                        "delivered_at": None,
                    },
                )
                self._set(number, "announced")

    def _set(self, number: str, status: str) -> None:
        now = self.world.now().isoformat()
        row = (self._parcels.get(number) or {}) | {"status": status, "updated_at": now}
        if status == "delivered":
            row["delivered_at"] = now
        self._parcels.put(number, row)
        event = {"id": self.store.number("carrier.events"), "number": number, "status": status, "at": now}
        self._events.put(f"{event['id']:012d}", event)
        target = self.world.notify_target(self.name)
        if target is not None:
            body = json.dumps(event).encode()
            signature = hmac.new(target["secret"].encode(), body, hashlib.sha256).hexdigest()
            headers = {"content-type": "application/json", "x-carrier-signature": f"sha256={signature}"}
            self.world.notify(Notification(self.name, target["url"], body, headers))

    # ---- people and the clock ----------------------------------------------------------------------------------------

    def act(self, do: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """`deliver {"order" | "number"}`, `move {"order" | "number", "status"}`, `configure {"step_minutes"}`."""
        if do == "configure":
            return self._configure(arguments)
        if do not in ("deliver", "move"):
            raise ActError(f"do: the carrier cannot {do!r}", allowed=["deliver", "move", "configure"])
        status = "delivered" if do == "deliver" else arguments.get("status")
        if status not in STATUSES:
            raise ActError(f"status: {status!r} is none of the carrier's", allowed=list(STATUSES))
        numbers = self._named(arguments)
        for number in numbers:
            self._set(number, status)
        return {"parcels": numbers, "status": status}

    def _configure(self, arguments: dict[str, Any]) -> dict[str, Any]:
        minutes = arguments.get("step_minutes")
        if not isinstance(minutes, int | float) or isinstance(minutes, bool) or minutes <= 0:
            raise ActError("step_minutes: give a number of minutes greater than zero")
        self._switches.put("clock", {"step_minutes": float(minutes)})
        return {"step_minutes": float(minutes)}

    def _named(self, arguments: dict[str, Any]) -> list[str]:
        number, order = arguments.get("number"), arguments.get("order")
        if number is not None and self._parcels.get(str(number)) is not None:
            return [str(number)]
        found = [row["number"] for row in self._parcels.values() if order and order in (row["order"], row["reference"])]
        if not found:
            raise ActError("order: the carrier has no parcel of it; give `order` (its key or number) or `number`")
        return found

    def tick(self) -> None:
        """Every parcel goes one step further each `step_minutes` (60) of the scaled clock."""
        minutes = (self._switches.get("clock") or {"step_minutes": 60.0})["step_minutes"]
        pause = timedelta(seconds=self.world.scaled(timedelta(minutes=minutes)))
        for row in list(self._parcels.values()):
            if row["status"] in ENDS or self.world.now() - datetime.fromisoformat(row["updated_at"]) < pause:
                continue
            at = WAY.index(row["status"]) if row["status"] in WAY else 1
            self._set(row["number"], WAY[at + 1])

    # ---- the wire ----------------------------------------------------------------------------------------------------

    def _refused(self, request: Request) -> Response | None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), TOKEN.encode()):
            return None
        return JSONResponse({"error": "unknown token"}, 401)

    async def _list(self, request: Request) -> Response:
        """`GET /v1/parcels?numbers=A,B`: at most 500 numbers; unknown ones are left out."""
        if (refused := self._refused(request)) is not None:
            return refused
        numbers = [number for number in request.query_params.get("numbers", "").split(",") if number]
        if not numbers or len(numbers) > MOST:
            return JSONResponse({"error": f"numbers: give 1 to {MOST}, with commas between"}, 400)
        rows = [self._parcels.get(number) for number in numbers]
        return JSONResponse({"parcels": [_shown(row) for row in rows if row is not None]})

    async def _news(self, request: Request) -> Response:
        """`GET /v1/events?after=ID&limit=N`: as they happened; `more` when there are further ones."""
        if (refused := self._refused(request)) is not None:
            return refused
        try:
            after = int(request.query_params.get("after", "0"))
            limit = int(request.query_params.get("limit", "100"))
        except ValueError:
            return JSONResponse({"error": "after, limit: give whole numbers"}, 400)
        if not 1 <= limit <= MOST:
            return JSONResponse({"error": f"limit: give 1 to {MOST}"}, 400)
        found = [event for event in self._events.values() if event["id"] > after]
        found.sort(key=lambda event: int(event["id"]))
        return JSONResponse({"events": found[:limit], "more": len(found) > limit})


def _shown(row: Doc) -> Doc:
    return {name: value for name, value in row.items() if name != "order"}
