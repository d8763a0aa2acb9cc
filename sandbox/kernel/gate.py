"""The gate before every vendor: reads the body, applies the fault rules, keeps the change, then lets the reply out."""

import asyncio
import json
import logging
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from sandbox.kernel.faults import Rule
from sandbox.kernel.world import Vendor, World

log = logging.getLogger("sandbox")

HTML_PAGE = b"<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
DEFAULT_SECONDS = 5

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class Cut(Exception):
    """The connection is to be cut without an answer."""


class Gate:
    """ASGI application around one vendor. `cut(client)` resets the connection of a client's address."""

    def __init__(self, world: World, vendor: Vendor, cut: Callable[[Any], None]) -> None:
        self._world = world
        self._vendor = vendor
        self._cut = cut

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = await _read(receive)
        if body is None:  # the client left before its request was complete: nothing was asked
            return
        method, path = scope["method"], _full_path(scope)
        name = self._vendor.name
        key = self._vendor.request_key(method, path, body)
        generation = self._world.generation
        rule = self._world.faults[name].pick("request", method, path, body)
        try:
            status, headers, content = await self._answer(rule, scope, method, path, body)
        except Cut:
            if self._world.generation == generation:
                self._world.record(name, method, path, None, key, body)
            self._cut(scope["client"])
            await self._world.settle()
            await receive()  # returns once the connection is gone: the server has nobody to answer then
            return
        except Exception:
            log.exception("%s failed at %s %s; nothing was kept", name, method, path)
            status, headers, content = 500, _headers({"content-type": "text/plain"}), b"Internal Server Error"
        self._world.record(name, method, path, status, key, body)
        await send({"type": "http.response.start", "status": status, "headers": _complete(status, headers, content)})
        await send({"type": "http.response.body", "body": b"" if status in (204, 304) else content})

    async def _answer(self, rule: Rule | None, scope: Any, method: str, path: str, body: bytes) -> Answer:
        kind = rule.kind if rule else None
        options = rule.options if rule else {}
        if kind in ("down", "cut-request"):
            raise Cut
        if kind == "slow":
            generation = self._world.generation
            await asyncio.sleep(options.get("seconds", DEFAULT_SECONDS))
            if self._world.generation != generation or self._world.faults[self._vendor.name].down:
                raise Cut  # the machine went down over it, or the world it was asked of is gone
        if kind == "status":
            extra = {"retry-after": str(options["retry_after"])} if "retry_after" in options else {}
            text = options.get("body", "")
            raw = text.encode() if isinstance(text, str) else json.dumps(text).encode()
            return options.get("status", 503), _headers({"content-type": "application/json"} | extra), raw
        if kind == "html":
            return options.get("status", 502), _headers({"content-type": "text/html"}), HTML_PAGE
        if kind in ("lock", "limit", "expire-auth"):
            async with self._world.unit():
                status, extra, raw = self._vendor.fault(kind, options, method, path)
            return status, _headers(extra), raw
        if kind == "partial":
            scope["sandbox.partial"] = options
        status, headers, content = await self._run(scope, body)
        if kind == "lose-reply":
            raise Cut
        if kind == "garble":
            content = b'{"<<<' + content[: len(content) // 2]
        return status, headers, content

    async def _run(self, scope: Any, body: bytes) -> Answer:
        status, headers, content = 500, [], b""
        delivered = False

        async def receive() -> Any:
            nonlocal delivered
            if delivered:
                return {"type": "http.disconnect"}
            delivered = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status, headers, content
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message.get("headers", []))
            elif message["type"] == "http.response.body":
                content += message.get("body", b"")

        # One request at a time: a vendor's own transactions are serial enough, and the store needs no locking.
        async with self._world.unit():
            await self._vendor.asgi(scope, receive, send)
        return status, headers, content


def _headers(values: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in values.items()]


def _complete(status: int, headers: list[tuple[bytes, bytes]], content: bytes) -> list[tuple[bytes, bytes]]:
    """The headers with the date and with the length that the content has by now."""
    kept = [(name, value) for name, value in headers if name.lower() != b"content-length"]
    names = {name.lower() for name, _ in kept}
    if b"date" not in names:
        kept.append((b"date", formatdate(usegmt=True).encode()))
    if status not in (204, 304):
        kept.append((b"content-length", str(len(content)).encode()))
    return kept


def _full_path(scope: Any) -> str:
    query = scope.get("query_string", b"").decode("latin-1")
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("latin-1").split("?")[0] + (f"?{query}" if query else "")


async def _read(receive: Any) -> bytes | None:
    """The whole body, or None when the client left before it was complete."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)
