"""Speaks JustOn's hosted payment service: asks for an entry with its payment link.

The one adapter between our words and the wire: names, path and auth header come from the settings, so that JustOn's
field description can be dropped in without a change of code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote as percent

import httpx2

from activities.http import USER_AGENT, read_json, send
from activities.juston.responses import failure_of
from activities.juston.settings import JustOnSettings
from activities.salesforce.wire import dumps
from commerce.failures import Family, SystemFailure


@dataclass(frozen=True)
class LinkAnswer:
    """`duplicate`: nothing was made, an entry under this key is there; then ids and link are set only if told."""

    entry_id: str
    link_id: str
    link: str
    duplicate: bool = False


class HostedClient:
    """`system` is the connected system's name in the configuration; it appears in failures and traces."""

    def __init__(
        self, settings: JustOnSettings, *, system: str, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._system = system
        self._base = settings.hosted_url + settings.hosted_path.format(tenant=percent(settings.tenant, safe=""))
        token = settings.api_token.get_secret_value()
        self._http = httpx2.AsyncClient(
            transport=transport,
            timeout=httpx2.Timeout(settings.hosted_timeout_seconds, connect=min(5.0, settings.hosted_timeout_seconds)),
            headers={
                "User-Agent": USER_AGENT,
                "Accept": "application/json",
                settings.auth_header: settings.auth_format.format(token=token),
            },
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def probe(self) -> None:
        """Is the service there, and does it know us? Reads a resource that only takes writes: nothing can be made.

        No cheap authenticated call is documented, so any answer but a fault and a refused login counts as up.
        """
        path = self._settings.wire.entry_link
        tried = "ask the payment service whether it is there"
        response = await self._send("GET", path, None, writes=False, tried=tried, order_key="")
        status = response.status_code
        if status in (401, 403):
            failure = failure_of(
                response,
                _object(response),
                self._settings.wire,
                system=self._system,
                tried=tried,
                id_header=self._settings.request_id_header,
            )
            if failure is not None:
                raise failure
        if status >= 500:
            raise SystemFailure(
                Family.TRANSIENT,
                tried,
                f"{status} from {response.url.host}",
                system=self._system,
                code=str(status),
                request_id=response.headers.get(self._settings.request_id_header, ""),
                do_next="nothing: it is asked again by itself",
            )

    async def entry_link(self, body: Mapping[str, Any], *, tried: str, order_key: str = "") -> LinkAnswer:
        """Make an entry and its link. `body` has wire names (`mapping.link_request`). Raises SystemFailure.

        Never repeat it blindly: after OUTCOME_UNKNOWN look the entry up by its assignment key first.
        """
        names = self._settings.wire
        response = await self._send("POST", names.entry_link, body, writes=True, tried=tried, order_key=order_key)
        answer = _object(response)
        failure = failure_of(
            response,
            answer,
            names,
            system=self._system,
            tried=tried,
            id_header=self._settings.request_id_header,
        )
        told = answer or {}
        if failure is not None:
            if failure.family is not Family.ALREADY_DONE:
                raise failure
            return LinkAnswer(
                _text(told, names.entry_id), _text(told, names.link_id), _text(told, names.existing_link), True
            )
        made = LinkAnswer(_text(told, names.entry_id), _text(told, names.link_id), _text(told, names.link))
        if not made.link or not made.entry_id:
            raise SystemFailure(
                Family.OUTCOME_UNKNOWN,
                tried,
                f"{response.status_code} without {names.link} or {names.entry_id}",
                system=self._system,
                code=str(response.status_code),
                request_id=response.headers.get(self._settings.request_id_header, ""),
                do_next="nothing: the entry is looked up by its assignment key before anything else",
            )
        return made

    async def _send(
        self, method: str, resource: str, body: Mapping[str, Any] | None, *, writes: bool, tried: str, order_key: str
    ) -> httpx2.Response:
        request = self._http.build_request(method, f"{self._base}/{resource}")
        if body is not None:
            request = self._http.build_request(
                method,
                f"{self._base}/{resource}",
                content=dumps(body).encode(),
                headers={"Content-Type": "application/json; charset=UTF-8"},
            )
        return await send(
            self._http,
            request,
            span_name=f"{method} /tenant/{{tenant}}/{resource}",
            system=self._system,
            writes=writes,
            tried=tried,
            order_key=order_key,
        )


def _object(response: httpx2.Response) -> dict[str, Any] | None:
    try:
        body = read_json(response)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name) if name else None
    return value if isinstance(value, str) else ""
