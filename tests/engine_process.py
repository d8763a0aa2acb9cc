"""A real PostgreSQL and a real Temporal server for tests: one of each per session, a fresh database for each test.

Tests that share the Temporal server keep apart by order numbers of their own (`fresh_number`).
"""

import itertools
import os
import secrets
import signal
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.ledger.database import engine_for, migrate
from activities.ledger.store import Ledger
from engine import postgres, temporal
from engine.processes import Child, free_port
from workflows.converter import data_converter

# Lets a test skip a run's timers instead of waiting for them.
TIME_SKIPPING = ("frontend.WorkflowTimeSkippingEnabled=true", 'history.timerProcessorMaxTimeShift="1ms"')
_numbers = itertools.count(1)


@dataclass(frozen=True)
class PostgresServer:
    """A running server. `child` can be stopped and started again by a test of outages."""

    port: int
    password: str
    child: Child

    async def database(self) -> str:
        """The URL of a new, empty database."""
        return await postgres.ensure_database(self.port, self.password, f"test_{next(_numbers)}_{secrets.token_hex(3)}")


@dataclass(frozen=True)
class TemporalServer:
    address: str
    ui: str
    child: Child


async def start_postgres(folder: Path) -> PostgresServer:
    """A server with its data in `folder`; the caller stops its child."""
    data = folder / "kept" / "data"
    password = postgres.prepare(data)
    port = free_port()
    child = postgres.child(data, port, password, folder / "postgres.log")
    child.argv = [*child.argv, "-c", "fsync=off"]  # nothing here must outlive the machine
    await child.start()
    return PostgresServer(port, password, child)


async def start_temporal(folder: Path, dynamic: tuple[str, ...] = ()) -> TemporalServer:
    """A server with its data in `folder` and further `dynamic` settings; the caller stops its child."""
    port, ui_port = free_port(), free_port()
    child = temporal.child(folder / "data", port, ui_port, folder / "temporal.log", dynamic=(*TIME_SKIPPING, *dynamic))
    await child.start()
    return TemporalServer(f"127.0.0.1:{port}", f"http://127.0.0.1:{ui_port}", child)


@pytest.fixture(scope="session")
async def postgres_server() -> AsyncIterator[PostgresServer]:
    # Not pytest's own folder: the server's account cannot enter that one when tests run as root.
    with tempfile.TemporaryDirectory(prefix="holdfast-postgres-") as folder:
        server = await start_postgres(Path(folder))
        server.child.stop_signal = signal.SIGQUIT  # at once: nobody needs the data any more
        try:
            yield server
        finally:
            await server.child.stop()


@pytest.fixture
async def postgres_url(postgres_server: PostgresServer) -> str:
    """A new, empty database for this test."""
    return await postgres_server.database()


@pytest.fixture
async def ledger(postgres_url: str) -> AsyncIterator[Ledger]:
    """An empty ledger for this test; its database is at `postgres_url`."""
    engine = engine_for(postgres_url, pool_size=3)
    await migrate(engine)
    yield Ledger(engine)
    await engine.dispose()


@pytest.fixture(scope="session")
async def temporal_server() -> AsyncIterator[TemporalServer]:
    with tempfile.TemporaryDirectory(prefix="holdfast-temporal-") as folder:
        server = await start_temporal(Path(folder))
        server.child.stop_signal = signal.SIGKILL  # it takes seconds to end in order; nobody needs the data any more
        try:
            yield server
        finally:
            await server.child.stop()


@pytest.fixture(scope="session")
async def temporal_address(temporal_server: TemporalServer) -> str:
    """host:port of the session's Temporal server."""
    return temporal_server.address


@pytest.fixture(scope="session")
async def engine_client(temporal_address: str) -> Client:
    """A client with the project's converter."""
    return await Client.connect(temporal_address, data_converter=data_converter)


@pytest.fixture
def fresh_number() -> str:
    """An order number that no other test of any session uses."""
    return f"T{os.getpid()}-{next(_numbers)}-{secrets.token_hex(2)}"
