"""Serve the vendors, each on its own port, from one process and one event loop.

A `Door` is one address. It can be shut like the port of a machine that is off: new connections are refused, open ones
are reset, and the number stays reserved so that nobody else gets it meanwhile.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from sandbox.kernel.gate import Gate
from sandbox.kernel.world import Vendor, World

BACKLOG = 512
GRACE_SECONDS = 3.0  # for requests under way when the sandbox stops


def reset(transport: asyncio.Transport) -> None:
    """Cut a connection the hard way: the other side sees a reset, not an orderly end."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class PortTaken(OSError):
    """The address cannot be listened on; the message names it and the remedy."""


class Door:
    """One address. Bound at once (raises PortTaken), served from `open` on; `port` 0 takes any free number."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        try:
            # Bound but not listening: it holds the number while the door is shut.
            self._keeper = _bound(host, port)
            self.port: int = self._keeper.getsockname()[1]
            self._listener: socket.socket | None = _listening(host, self.port)
        except OSError as err:
            raise PortTaken(f"cannot listen on {host}:{port}: {err.strerror or err}") from err
        self._transports: dict[Any, asyncio.Transport] = {}
        self._gone = asyncio.Event()
        self._factory: Callable[[], asyncio.Protocol] | None = None
        self._server: asyncio.Server | None = None

    @property
    def is_open(self) -> bool:
        return self._server is not None

    async def serve(self, factory: Callable[[], asyncio.Protocol]) -> None:
        """Take connections; `factory` makes their protocol."""
        self._factory = factory
        await self.open()

    async def open(self) -> None:
        """Take connections again."""
        if self._server is not None or self._factory is None:
            return
        sock, self._listener = self._listener or _listening(self.host, self.port), None
        factory = self._factory
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Remembering(factory(), self), sock=sock, backlog=BACKLOG
        )

    def shut(self) -> None:
        """Refuse new connections and reset the open ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for client in list(self._transports):
            self.cut(client)

    def came(self, client: Any, transport: asyncio.Transport) -> None:
        self._transports[client] = transport

    def went(self, client: Any) -> None:
        self._transports.pop(client, None)
        self._gone.set()

    def cut(self, client: Any) -> None:
        """Reset the connection of one client address (host, port), if it is still there."""
        transport = self._transports.get(tuple(client))
        if transport is not None:
            reset(transport)

    async def emptied(self) -> None:
        """Wait until no connection is open."""
        while self._transports:
            self._gone.clear()
            await self._gone.wait()

    def leave(self) -> None:
        """Take no more connections; those that are open may end in their own time."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def close(self) -> None:
        self.shut()
        self._factory = None
        for sock in (self._listener, self._keeper):
            if sock is not None:
                sock.close()


class Site:
    """Every address of one sandbox. `addresses` is what the ports file says: name to URL, or to host:port for SMTP."""

    def __init__(self, world: World, host: str = "127.0.0.1") -> None:
        self.world = world
        self.host = host
        self.addresses: dict[str, str] = {}
        self._doors: list[tuple[Door, Callable[[], asyncio.Protocol]]] = []
        self._states: list[ServerState] = []

    def add_app(self, name: str, app: Any, port: int = 0) -> Door:
        """Put an ASGI application at a port of its own. Raises PortTaken."""
        door = Door(self.host, port)
        self._add(name, door, app)
        return door

    def add_vendor(self, vendor: Vendor, port: int = 0, further: int = 0) -> None:
        """Put a vendor at its port and its further protocols at the ports from `further` on. Raises PortTaken."""
        door = Door(self.host, port)
        self._add(vendor.name, door, Gate(self.world, vendor, door.cut))
        self.world.urls[vendor.name] = self.addresses[vendor.name]
        doors = [door]
        self.world.doors[vendor.name] = doors
        for offset, (protocol, factory) in enumerate(vendor.protocols().items()):
            more = Door(self.host, further and further + offset)
            name = f"{vendor.name}-{protocol}"
            self.world.urls[name] = self.addresses[name] = f"{self._shown}:{more.port}"
            self._doors.append((more, factory))
            doors.append(more)

    def _add(self, name: str, door: Door, app: Any) -> None:
        self.addresses[name] = f"http://{self._shown}:{door.port}"
        self._doors.append((door, self._http(app)))

    @property
    def _shown(self) -> str:
        return "127.0.0.1" if self.host == "0.0.0.0" else self.host

    def _http(self, app: Any) -> Callable[[], asyncio.Protocol]:
        config = uvicorn.Config(
            app,
            http=H11Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # a forwarded address would hide the connection that a fault is to cut
            timeout_keep_alive=75,
        )
        config.load()
        state = ServerState()
        self._states.append(state)
        return lambda: H11Protocol(config, state, {})

    async def start(self) -> None:
        """Start the world's loops and open every door that no fault keeps shut."""
        self.world.start()
        for door, factory in self._doors:
            await door.serve(factory)
        await self.world.settle()

    async def stop(self) -> None:
        """Let requests under way end, for a few seconds, then close everything. The store stays open."""
        for door, _ in self._doors:
            door.leave()
        for state in self._states:
            for connection in list(state.connections):
                connection.shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                for door, _ in self._doors:
                    await door.emptied()
        await self.world.close()
        self.close()

    def close(self) -> None:
        for door, _ in self._doors:
            door.close()


@asynccontextmanager
async def running(world: World) -> AsyncIterator[dict[str, str]]:
    """All vendors of `world` on free ports of 127.0.0.1, with the world's loops; gives their addresses by name."""
    site = Site(world)
    for vendor in world.vendors.values():
        site.add_vendor(vendor)
    await site.start()
    try:
        yield site.addresses
    finally:
        await site.stop()


class _Remembering(asyncio.Protocol):
    """Hands everything on to another protocol and remembers the connection, so that a fault can cut it."""

    def __init__(self, inner: asyncio.Protocol, door: Door) -> None:
        self._inner = inner
        self._door = door
        self._client: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._client = tuple(transport.get_extra_info("peername")[:2])
        self._door.came(self._client, transport)
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.went(self._client)
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


def _bound(host: str, port: int) -> socket.socket:
    # The protocol is named because asyncio turns Nagle's algorithm off (40 ms for each reply) only where it is.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def _listening(host: str, port: int) -> socket.socket:
    sock = _bound(host, port)
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock
