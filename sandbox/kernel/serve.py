"""Serve the vendors, each on its own port, from one process and one event loop."""

import asyncio
import logging
import socket
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox.kernel.gate import Gate
from sandbox.kernel.world import Vendor, World

log = logging.getLogger("sandbox")


def _protocol(transports: dict[Any, asyncio.Transport]) -> type[H11Protocol]:
    """An HTTP protocol that remembers its connections, so that a fault can cut one."""

    class Remembering(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._peer = transport.get_extra_info("peername")
            transports[self._peer] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            transports.pop(self._peer, None)
            super().connection_lost(exc)

    return Remembering


def bind(host: str, port: int) -> socket.socket:
    """A listening socket on `port` (0: any free one); raises OSError when it is taken."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen(512)
    sock.setblocking(False)
    return sock


async def serve_app(app: Any, sock: socket.socket, transports: dict[Any, asyncio.Transport]) -> uvicorn.Server:
    """Start serving `app` on `sock`; the caller stops it with `should_exit` and waits for its task."""
    config = uvicorn.Config(
        app, http=_protocol(transports), log_level="warning", access_log=False, lifespan="off", timeout_keep_alive=75
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    return server


async def serve_vendor(world: World, vendor: Vendor, sock: socket.socket) -> uvicorn.Server:
    transports: dict[Any, asyncio.Transport] = {}
    return await serve_app(Gate(world, vendor, transports), sock, transports)
