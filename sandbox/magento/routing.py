"""From a request to a handler and back: scope, route, authorization, body, answer. Handlers register with `@route`."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.requests import Request
from starlette.responses import Response

from sandbox.magento.auth import Nonces, authorize, raw_path
from sandbox.magento.contract import CONTRACT, Operation, json_text, read_arguments, read_path, render
from sandbox.magento.criteria import Criteria, nested, read_criteria, trim
from sandbox.magento.errors import MagentoError, route_mismatch
from sandbox.magento.shop import Shop

log = logging.getLogger("sandbox")

STOREFRONT_404 = "<!doctype html><html><head><title>404 Not Found</title></head><body>Whoops, our bad...</body></html>"
ANONYMOUS = frozenset({"/V1/integration/admin/token"})


@dataclass
class Call:
    """One request as a handler sees it. `store_id` is its scope: 0 for `all`, else a store view."""

    operation: Operation
    store_id: int
    path: dict[str, Any]
    args: dict[str, Any]
    query: dict[str, Any] = field(default_factory=dict)

    def criteria(self, shop: Shop) -> Criteria:
        return read_criteria(shop, self.query)


Handler = Callable[[Shop, Call], Any]
HANDLERS: dict[tuple[str, str], Handler] = {}


def route(method: str, path: str) -> Callable[[Handler], Handler]:
    """Serve one operation of contract.txt. What has no handler answers as a route that does not exist."""
    if not any(each.method == method and each.path == path for each in CONTRACT.operations):
        raise LookupError(f"contract.txt has no {method} {path}")

    def register(handler: Handler) -> Handler:
        HANDLERS[method, path] = handler
        return handler

    return register


@dataclass(frozen=True)
class Target:
    """What a URL means: scope, `""`, `async` or `bulk`, and the route's segments."""

    store_id: int
    mode: str
    segments: list[str]


def read_target(shop: Shop, path: str) -> Target | None:
    """None when the path is not under /rest. A first segment that is no store view code is part of the route."""
    segments = [unquote(part) for part in path.split("/") if part]
    if not segments or segments[0] != "rest":
        return None
    segments = segments[1:]
    store_id = 1
    if segments and segments[0] == "all":
        store_id, segments = 0, segments[1:]
    elif segments:
        view = shop.view_by_code(segments[0])
        if view is not None:
            store_id, segments = view["id"], segments[1:]
    mode = ""
    if segments and segments[0] == "async":
        mode, segments = "async", segments[1:]
        if segments and segments[0] == "bulk":
            mode, segments = "bulk", segments[1:]
    return Target(store_id, mode, segments)


def read_json(raw: bytes, content_type: str) -> Any:
    if not raw.strip():
        return {}
    if not content_type:
        raise MagentoError(400, "Content-Type header is empty.")
    if content_type.split(";")[0].strip().lower() != "application/json":
        raise MagentoError(400, "Server cannot understand Content-Type HTTP header media type %1", [content_type])
    try:
        return json.loads(raw, parse_float=Decimal)
    except ValueError:
        raise MagentoError(400, "Decoding error.") from None


def reply(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(json_text(body), status, headers, media_type="application/json; charset=utf-8")


def execute(shop: Shop, call: Call) -> Any:
    """Run one operation and write its answer in the vendor's shape; no answer is written as an empty list."""
    handler = HANDLERS[call.operation.method, call.operation.path]
    if call.operation.path in ANONYMOUS:  # a refused sign-in is counted, so it is not rolled back
        result = handler(shop, call)
    else:
        with shop.store.transaction():
            result = handler(shop, call)
    return [] if result is None else render(call.operation.response, result)


async def serve(shop: Shop, nonces: Nonces, request: Request, bulk: Callable[..., Any]) -> Response:
    try:
        return await _serve(shop, nonces, request, bulk)
    except MagentoError as error:
        return reply(error.status, error.body(), error.headers)


async def _serve(shop: Shop, nonces: Nonces, request: Request, bulk: Callable[..., Any]) -> Response:
    target = read_target(shop, raw_path(request.scope))
    if target is None:
        return Response(STOREFRONT_404, 404, media_type="text/html")
    accept = request.headers.get("accept", "*/*")
    if not any(kind in accept for kind in ("application/json", "*/*", "application/*")):
        raise MagentoError(
            406, "Server cannot match any of the given Accept HTTP header media type(s) from the request"
        )
    if target.mode:
        authorize(shop, nonces, request, "/V1/bulk")
        body = read_json(await request.body(), request.headers.get("content-type", ""))
        return reply(202, bulk(shop, request.method, target, body))
    matched = CONTRACT.match(request.method, target.segments)
    if matched is None or (matched[0].method, matched[0].path) not in HANDLERS:
        raise route_mismatch()
    operation, raw_variables = matched
    if operation.path not in ANONYMOUS:
        authorize(shop, nonces, request, operation.path)
    body = {}
    if operation.method in ("POST", "PUT"):
        body = read_json(await request.body(), request.headers.get("content-type", ""))
    pairs = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    query = nested(pairs)
    call = Call(operation, target.store_id, read_path(operation, raw_variables), read_arguments(operation, body), query)
    result = execute(shop, call)
    if isinstance(query.get("fields"), str) and query["fields"]:
        result = trim(result, query["fields"])
    return reply(200, result)
