"""Speaks the carrier's parcel service: parcels by number, events after an id."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx2

from activities.carrier.settings import CarrierSettings
from activities.http import USER_AGENT, read_json, retry_after, send
from commerce.failures import Family, SystemFailure
from commerce.model import Model, UtcDatetime

_NOT_NOW = frozenset({408, 423, 425, 429})


class Parcel(Model):
    number: str
    carrier: str = ""
    status: str
    updated_at: UtcDatetime
    expected_at: UtcDatetime | None = None
    delivered_at: UtcDatetime | None = None


class Event(Model):
    id: int
    number: str
    status: str
    at: UtcDatetime


class CarrierClient:
    """`system` is the connected system's name in the configuration; it appears in failures and traces."""

    def __init__(
        self, settings: CarrierSettings, *, system: str, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self.settings = settings
        self._system = system
        self._http = httpx2.AsyncClient(
            transport=transport,
            base_url=settings.url.rstrip("/"),
            timeout=settings.timeout_seconds,
            headers={
                "User-Agent": USER_AGENT,
                "Accept": "application/json",
                "Authorization": f"Bearer {settings.token.get_secret_value()}",
            },
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def probe(self) -> None:
        """Is the service there, and does it know us? Raises SystemFailure when not."""
        await self.events(2**53, limit=1, tried="ask the carrier whether it is there")

    async def parcels(self, numbers: Sequence[str], *, tried: str, order_key: str = "") -> list[Parcel]:
        """The parcels that the carrier knows, in no order. Raises SystemFailure."""
        found: list[Parcel] = []
        for at in range(0, len(numbers), self.settings.page_size):
            asked = ",".join(numbers[at : at + self.settings.page_size])
            body = await self._get(self.settings.parcels_path, {"numbers": asked}, tried=tried, order_key=order_key)
            found += [
                Parcel(
                    number=str(row["number"]),
                    carrier=str(row.get("carrier") or ""),
                    status=str(row["status"]),
                    updated_at=_moment(row["updated_at"]),
                    expected_at=_moment(row["expected_at"]) if row.get("expected_at") else None,
                    delivered_at=_moment(row["delivered_at"]) if row.get("delivered_at") else None,
                )
                for row in self._rows(body, "parcels", ("number", "status", "updated_at"), tried)
            ]
        return found

    async def events(self, after: int, *, limit: int, tried: str) -> tuple[list[Event], bool]:
        """Events after an id, oldest first, and whether there are more. Raises SystemFailure."""
        body = await self._get(self.settings.events_path, {"after": str(after), "limit": str(limit)}, tried=tried)
        rows = self._rows(body, "events", ("id", "number", "status", "at"), tried)
        events = [
            Event(id=int(row["id"]), number=str(row["number"]), status=str(row["status"]), at=_moment(row["at"]))
            for row in rows
        ]
        return events, bool(body.get("more"))

    async def _get(self, path: str, query: Mapping[str, str], *, tried: str, order_key: str = "") -> dict[str, Any]:
        response = await send(
            self._http,
            self._http.build_request("GET", path, params=dict(query)),
            span_name=f"GET {path}",
            system=self._system,
            writes=False,
            tried=tried,
            order_key=order_key,
        )
        if response.is_success:
            try:
                body = read_json(response)
            except ValueError:
                body = None
            if isinstance(body, dict):
                return body
            raise self._failure(Family.TRANSIENT, tried, response, "a body that is not the carrier's")
        if response.status_code in _NOT_NOW or response.status_code >= 500:
            raise self._failure(Family.TRANSIENT, tried, response, f"it answered {response.status_code}")
        raise self._failure(Family.NEEDS_PERSON, tried, response, f"it answered {response.status_code}")

    def _rows(self, body: Mapping[str, Any], name: str, needed: Sequence[str], tried: str) -> list[dict[str, Any]]:
        rows = body.get(name)
        if isinstance(rows, list) and all(
            isinstance(row, dict) and all(field in row for field in needed) for row in rows
        ):
            return rows
        raise SystemFailure(
            Family.NEEDS_PERSON,
            tried,
            f"the answer has no list {name!r} with {', '.join(needed)}",
            system=self._system,
            do_next=f"check {name}_path of [systems.{self._system}], then decide 'retry'",
        )

    def _failure(self, family: Family, tried: str, response: httpx2.Response, came_back: str) -> SystemFailure:
        passing = family is Family.TRANSIENT
        return SystemFailure(
            family,
            tried,
            came_back,
            system=self._system,
            code=str(response.status_code),
            retry_after=retry_after(response),
            do_next="nothing: it is asked again by itself"
            if passing
            else f"check url and token of [systems.{self._system}], then decide 'retry'",
        )


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(str(value))
