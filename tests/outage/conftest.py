"""A stand whose systems are watched, at a pace fit for tests."""

from collections.abc import AsyncIterator

import pytest

from tests.flow.stand import Stand, standing
from tests.flow.world import World

WATCHED = {
    f"HOLDFAST__SYSTEMS__{name}__{setting}": value
    for name in ("MAGENTO", "FINANCIALFORCE", "JUSTON")
    for setting, value in {"WATCH": "true", "PROBE_EVERY_SECONDS": "0.3", "RECOVERY_STEP_SECONDS": "0.3"}.items()
}


@pytest.fixture(scope="package")
async def stand() -> AsyncIterator[Stand]:
    async with standing(WATCHED) as made:
        yield made


@pytest.fixture(scope="package")
async def world(stand: Stand) -> AsyncIterator[World]:
    async with stand.workers():
        yield World(stand)


@pytest.fixture(autouse=True)
async def _no_faults_left(stand: Stand) -> AsyncIterator[None]:
    yield
    for name in ("magento", "salesforce", "juston", "mail"):
        stand.sandbox.no_faults(name)
