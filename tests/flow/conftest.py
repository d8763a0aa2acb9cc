"""A stand for each package of tests, workers for each module; no faults left behind by any test."""

from collections.abc import AsyncIterator

import pytest

from tests.flow.stand import Stand, standing
from tests.flow.world import World


@pytest.fixture(scope="package")
async def stand() -> AsyncIterator[Stand]:
    async with standing() as made:
        yield made


@pytest.fixture(scope="module")
async def world(stand: Stand) -> AsyncIterator[World]:
    async with stand.workers():
        yield World(stand)


@pytest.fixture(autouse=True)
async def _no_faults_left(stand: Stand) -> AsyncIterator[None]:
    yield
    for name in ("magento", "salesforce", "juston", "mail"):
        stand.sandbox.no_faults(name)
