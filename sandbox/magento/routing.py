"""The calls this shop serves: handlers register with `@route`; `execute` runs one and writes its answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from sandbox.magento.contract import CONTRACT, Operation, render
from sandbox.magento.criteria import Criteria, read_criteria
from sandbox.magento.shop import Shop

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


def execute(shop: Shop, call: Call) -> Any:
    """Run one operation and write its answer in the vendor's shape; no answer is written as an empty list."""
    handler = HANDLERS[call.operation.method, call.operation.path]
    if call.operation.path in ANONYMOUS:  # a refused sign-in is counted, so it is not rolled back
        result = handler(shop, call)
    else:
        with shop.store.transaction():
            result = handler(shop, call)
    return [] if result is None else render(call.operation.response, result)
