"""The gate before every vendor: reads the body, applies the fault rules, keeps the change, then lets the reply out."""

import asyncio
import json
from typing import Any

from sandbox.kernel.world import Vendor, World

HTML_PAGE = b"<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


class Cut(Exception):
    """The connection is to be cut without an answer."""


class Gate:
    """ASGI application around one vendor. `transports` maps a client's address to its connection, to cut it."""

    def __init__(self, world: World, vendor: Vendor, transports: dict[Any, asyncio.Transport]) -> None:
        self._world = world
        self._vendor = vendor
        self._transports = transports

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        method, path = scope["method"], _full_path(scope)
        body = await _read(receive)
        key = self._vendor.request_key(method, path, body)
        name = self._vendor.name
        try:
            status, headers, content = await self._answer(scope, method, path, body)
        except Cut:
            self._world.record(name, method, path, None, key, body)
            transport = self._transports.get(tuple(scope["client"]))
            if transport is not None:
                transport.abort()
            return
        self._world.record(name, method, path, status, key, body)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, scope: Any, method: str, path: str, body: bytes) -> tuple[int, list[Any], bytes]:
        rule = self._world.faults[self._vendor.name].pick("request", method, path)
        kind = rule.kind if rule else None
        options = rule.options if rule else {}
        if kind in ("down", "cut-request"):
            raise Cut
        if kind == "slow":
            await asyncio.sleep(float(options.get("seconds", 5)))
        if kind == "status":
            extra = {"retry-after": str(options["retry_after"])} if "retry_after" in options else {}
            content = options.get("body", "")
            raw = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            return int(options.get("status", 503)), _headers({"content-type": "application/json"} | extra), raw
        if kind == "html":
            return int(options.get("status", 502)), _headers({"content-type": "text/html"}), HTML_PAGE
        if kind in ("lock", "limit", "expire-auth"):
            async with self._world.lock:
                with self._world.store.transaction():
                    status, extra, raw = self._vendor.fault(kind, options, method, path)
                self._world.committed()
            return status, _headers(extra), raw
        if kind == "partial":
            scope["sandbox.partial"] = options
        status, headers, content_bytes = await self._run(scope, body)
        if kind == "lose-reply":
            raise Cut
        if kind == "garble":
            content_bytes = b'{"<<<' + content_bytes[: len(content_bytes) // 2]
            headers = [(n, v) for n, v in headers if n.lower() != b"content-length"]
        return status, headers, content_bytes

    async def _run(self, scope: Any, body: bytes) -> tuple[int, list[Any], bytes]:
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
        async with self._world.lock:
            try:
                with self._world.store.transaction():
                    await self._vendor.asgi(scope, receive, send)
            except BaseException:
                self._world.rolled_back()
                raise
            self._world.committed()
        return status, headers, content


def _headers(values: dict[str, str]) -> list[Any]:
    return [(name.encode(), value.encode()) for name, value in values.items()]


def _full_path(scope: Any) -> str:
    query = scope.get("query_string", b"").decode("latin-1")
    raw = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("latin-1").split("?")[0] + (f"?{query}" if query else "")


async def _read(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return body
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body
