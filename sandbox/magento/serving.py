"""From a request to an answer: scope, route, authorization, body, operation; refusals in the vendor's shape."""

import json
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from sandbox.magento import bulk
from sandbox.magento.auth import Nonces, authorize, raw_path
from sandbox.magento.contract import CONTRACT, json_text, read_arguments, read_path
from sandbox.magento.criteria import nested, trim
from sandbox.magento.errors import MagentoError, route_mismatch
from sandbox.magento.routing import ANONYMOUS, HANDLERS, Call, execute, read_target
from sandbox.magento.shop import Shop

STOREFRONT_404 = "<!doctype html><html><head><title>404 Not Found</title></head><body>Whoops, our bad...</body></html>"
NOT_ACCEPTABLE = "Server cannot match any of the given Accept HTTP header media type(s) from the request"


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


async def serve(shop: Shop, nonces: Nonces, request: Request) -> Response:
    try:
        return await _serve(shop, nonces, request)
    except MagentoError as error:
        return reply(error.status, error.body(), error.headers)


async def _serve(shop: Shop, nonces: Nonces, request: Request) -> Response:
    target = read_target(shop, raw_path(request.scope))
    if target is None:
        return Response(STOREFRONT_404, 404, media_type="text/html")
    accept = request.headers.get("accept", "*/*")
    if not any(kind in accept for kind in ("application/json", "*/*", "application/*")):
        raise MagentoError(406, NOT_ACCEPTABLE)
    if target.mode:
        operation, variables = bulk.find_operation(request.method, target)
        authorize(shop, nonces, request, operation.path)
        body = read_json(await request.body(), request.headers.get("content-type", ""))
        partial = request.scope.get("sandbox.partial")
        return reply(202, bulk.accept(shop, operation, variables, target, body, partial))
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
