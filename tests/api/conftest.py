"""Fixtures of the API's tests: the API on a real ledger and a real engine, and an order of its own for each test."""

import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.client import Client

from activities.ledger.store import Ledger
from api.engine import Engine
from api.examples import PREPAID
from tests.api.desk import Served, end_open_runs, served, settings_for
from tests.engine_process import (
    TemporalServer,
    engine_client,
    fresh_number,
    ledger,
    postgres_server,
    postgres_url,
    temporal_address,
    temporal_server,
)

__all__ = [
    "engine_client",
    "fresh_number",
    "ledger",
    "postgres_server",
    "postgres_url",
    "temporal_address",
    "temporal_server",
]


@pytest.fixture
async def api(
    postgres_url: str, ledger: Ledger, temporal_server: TemporalServer, engine_client: Client
) -> AsyncIterator[Served]:
    """The API without any worker: runs are accepted and wait."""

    async def connected() -> Client:
        return engine_client

    settings = settings_for(postgres_url, {}, answer_within_seconds=1.0, temporal_ui=temporal_server.ui)
    async with served(settings, ledger, Engine(connected)) as running:
        yield running
    await end_open_runs(engine_client)


@pytest.fixture
def order(fresh_number: str) -> dict[str, Any]:
    """A consumer's order over 124.83 EUR, under a number of its own."""
    return {**copy.deepcopy(PREPAID), "number": fresh_number}
