"""A stand whose shop allows a number of calls in 24 hours. No test comes near it; they say how much of it is used."""

from collections.abc import AsyncIterator

import pytest

from tests.flow.stand import Stand, standing
from tests.flow.world import World
from tests.outage.conftest import WATCHED

CALLS = 1_000_000


@pytest.fixture(scope="package")
async def stand() -> AsyncIterator[Stand]:
    async with standing(WATCHED | {"HOLDFAST__SYSTEMS__MAGENTO__DAILY_CALLS": str(CALLS)}) as made:
        yield made


@pytest.fixture(scope="package")
async def world(stand: Stand) -> AsyncIterator[World]:
    async with stand.workers():
        yield World(stand)
