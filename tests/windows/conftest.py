"""A stand whose ERP and shop take writes on one day of the week only, which is not today."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from commerce.windows import DAYS
from tests.flow.stand import Stand, standing
from tests.flow.world import World
from tests.outage.conftest import WATCHED

OPENS = (datetime.now(UTC) + timedelta(days=3)).replace(hour=0, minute=0, second=0, microsecond=0)
WINDOW = f'["{DAYS[OPENS.weekday()]} 00:00-24:00"]'
CLOSED = {f"HOLDFAST__SYSTEMS__{name}__WRITE_WINDOWS": WINDOW for name in ("MAGENTO", "FINANCIALFORCE")}


@pytest.fixture(scope="package")
async def stand() -> AsyncIterator[Stand]:
    async with standing(WATCHED | CLOSED) as made:
        yield made


@pytest.fixture(scope="package")
async def world(stand: Stand) -> AsyncIterator[World]:
    async with stand.workers():
        yield World(stand)
