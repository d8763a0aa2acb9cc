"""Fixtures of the API's tests: the API without a worker, and with everything away."""

import gc
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client

from activities.ledger.database import engine_for, migrate
from activities.ledger.store import Ledger
from tests.api.desk import Served, an_order, end_open_runs, engine_of, no_engine, served, settings_for
from tests.engine_process import (
    PostgresServer,
    TemporalServer,
    engine_client,
    fresh_number,
    postgres_server,
    temporal_address,
    temporal_server,
)

__all__ = ["engine_client", "fresh_number", "postgres_server", "temporal_address", "temporal_server"]


@pytest.fixture(scope="module")
async def postgres_url(postgres_server: PostgresServer) -> str:
    """A database for each module: its tests keep apart by order numbers of their own."""
    return await postgres_server.database()


@pytest.fixture(scope="module")
async def ledger(postgres_url: str) -> AsyncIterator[Ledger]:
    pool = engine_for(postgres_url, pool_size=3)
    await migrate(pool)
    yield Ledger(pool)
    await pool.dispose()


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a worker a run never answers: do not wait for it as long as a portal does."""
    monkeypatch.setattr("api.answers.ASK_WITHIN", timedelta(seconds=0.3))


@pytest.fixture(scope="module")
async def api(
    postgres_url: str, ledger: Ledger, temporal_server: TemporalServer, engine_client: Client
) -> AsyncIterator[Served]:
    """The API without any worker: runs are accepted and wait."""
    settings = settings_for(postgres_url, answer_within_seconds=0.5, temporal_ui=temporal_server.ui)
    async with served(settings, ledger, engine_of(engine_client)) as running:
        yield running
    await end_open_runs(engine_client)
    # The engine's SDK leaves futures that log their failure when they are collected. Where that happens inside
    # `ast.parse`, CPython 3.11.7 fails (gh-106905): collect them here.
    gc.collect()


@pytest.fixture(scope="module")
async def without_postgres(engine_client: Client) -> AsyncIterator[Served]:
    """The API while PostgreSQL is away."""
    url = "postgresql://holdfast:x@127.0.0.1:9/holdfast"
    pool = engine_for(url)
    async with served(settings_for(url, answer_within_seconds=0.5), Ledger(pool), engine_of(engine_client)) as running:
        yield running
    await pool.dispose()


@pytest.fixture(scope="module")
async def without_engine(postgres_url: str, ledger: Ledger) -> AsyncIterator[Served]:
    """The API while Temporal is away."""
    async with served(settings_for(postgres_url, answer_within_seconds=0.5), ledger, no_engine()) as running:
        yield running


@pytest.fixture
def order(fresh_number: str) -> dict[str, Any]:
    """A consumer's order over 99.84 EUR, under a number of its own."""
    return an_order(fresh_number)
