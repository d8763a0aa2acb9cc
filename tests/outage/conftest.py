"""A stand whose systems are watched, at a pace fit for tests."""

from collections.abc import AsyncIterator

import pytest

from tests.flow.stand import Stand, standing
from tests.flow.world import World

# Days for test_days.py: reminders come after one, escalation after two, and the store `at` is patient for so many.
DAY = 4.0  # seconds
PATIENT_DAYS = 5
SHORT_DAYS = {
    "HOLDFAST__STORE_DEFAULTS__REMIND_HOURS": str(DAY / 3600),
    "HOLDFAST__STORE_DEFAULTS__ESCALATE_HOURS": str(2 * DAY / 3600),
    "HOLDFAST__STORES__AT__GIVE_UP_DAYS": str(PATIENT_DAYS * DAY / 86_400),
    "HOLDFAST__STORES__AT__WEB_CUSTOMER": "de:web",
}
WATCHED = {
    f"HOLDFAST__SYSTEMS__{name}__{setting}": value
    for name in ("MAGENTO", "FINANCIALFORCE", "JUSTON")
    for setting, value in {
        "WATCH": "true",
        "PROBE_EVERY_SECONDS": "0.3",
        "RECOVERY_STEP_SECONDS": "0.3",
        "STANDSTILL_SECONDS": "2",
    }.items()
}


@pytest.fixture(scope="package")
async def stand() -> AsyncIterator[Stand]:
    async with standing(WATCHED | SHORT_DAYS) as made:
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
