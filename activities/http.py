"""One call to an outside system: a span around it, and what a connection that broke means for the caller.

Every vendor client sends through `send`, so that the line between "nothing happened" and "it may have happened" is
drawn in one place: a connection that was never made is the first, anything after the request began to leave is the
second for a write.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from activities.gate import gate
from commerce.failures import Family, SystemFailure

USER_AGENT = "holdfast"
# Nothing of the request has left: no connection was made.
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
UNSAID_REST = 10  # seconds, where a "too many" does not say for how long
# The request itself is not one that can be sent: configuration or our own mistake.
_NOT_SENDABLE = (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)


async def send(
    client: httpx2.AsyncClient,
    request: httpx2.Request,
    *,
    span_name: str,
    system: str,
    writes: bool,
    tried: str,
    order_key: str = "",
    auth: httpx2.Auth | None = None,
) -> httpx2.Response:
    """The system's answer, whatever its status, with the body read.

    `span_name` is method and path template ("POST /V1/order/{id}/invoice"), `writes` says that a repeat could make a
    second document. Raises SystemFailure when there is no whole answer: TRANSIENT when nothing was sent or nothing can
    have changed, OUTCOME_UNKNOWN when a write may have happened, BUG when the request cannot be sent at all.
    """
    tracer = trace.get_tracer(f"holdfast.{system}")
    attributes: dict[str, str] = {
        "http.request.method": request.method,
        "server.address": request.url.host,
        "holdfast.system": system,
    }
    if order_key:
        attributes["holdfast.order_key"] = order_key
    with tracer.start_as_current_span(
        span_name, kind=SpanKind.CLIENT, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        request.headers.update(carrier)
        gate.check(system, tried, writes=writes)
        gate.called(system)
        try:
            response = await client.send(request, auth=auth, follow_redirects=False)
        except httpx2.RequestError as err:
            gate.failed(system, f"{type(err).__name__} at {request.url.host}")
            failure = broken(err, request.url.host, system=system, writes=writes, tried=tried)
            span.set_attribute("error.type", type(err).__name__)
            span.set_status(Status(StatusCode.ERROR, failure.came_back))
            raise failure from err
        if response.status_code == 429:
            hint = retry_after(response)
            gate.asked_to_rest(system, f"HTTP 429 at {request.url.host}", UNSAID_REST if hint is None else hint)
        if response.status_code in (502, 503, 504):  # a proxy speaks for a system that is not there
            gate.failed(system, f"HTTP {response.status_code} at {request.url.host}")
        else:
            gate.answered(system)
        span.set_attribute("http.response.status_code", response.status_code)
        if response.status_code >= 400:
            span.set_status(Status(StatusCode.ERROR))
        return response


def broken(err: httpx2.RequestError, host: str, *, system: str, writes: bool, tried: str) -> SystemFailure:
    """What a call that ended without a whole answer means."""
    what = _what_broke(err)
    if isinstance(err, _NOT_SENDABLE):
        return SystemFailure(
            Family.BUG,
            tried,
            f"the request could not be sent: {what}",
            system=system,
            code=type(err).__name__,
            do_next=f"check the address configured for {system}, then decide 'retry'",
        )
    if isinstance(err, _NEVER_SENT):
        family, came_back = Family.TRANSIENT, f"no connection to {host}: {what}"
    elif writes:
        family, came_back = Family.OUTCOME_UNKNOWN, f"the answer of {host} was lost after sending: {what}"
    else:
        family, came_back = Family.TRANSIENT, f"no answer from {host}: {what}"
    return SystemFailure(
        family,
        tried,
        came_back,
        system=system,
        code=type(err).__name__,
        do_next=f"nothing: it goes on by itself when {system} answers",
    )


def retry_after(response: httpx2.Response) -> int | None:
    """The server's wait hint in whole seconds, from the header `Retry-After` (seconds or an HTTP date), if readable."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        until = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return max(0, int((until - datetime.now(UTC)).total_seconds()))


def read_json(response: httpx2.Response) -> Any:
    """The body as data, numbers with a fraction as Decimal. Raises ValueError for a body that is not JSON."""
    return json.loads(response.content.decode("utf-8"), parse_float=Decimal)


def _what_broke(err: httpx2.RequestError) -> str:
    name, text = type(err).__name__, str(err).strip()
    return f"{name} ({text})" if text else name
