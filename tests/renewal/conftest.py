"""A stand whose Temporal asks every run to begin a new history after a few dozen events."""

from collections.abc import AsyncIterator

import pytest

from tests.flow.stand import Stand, standing
from tests.outage.conftest import WATCHED


@pytest.fixture(scope="package")
async def stand() -> AsyncIterator[Stand]:
    async with standing(WATCHED, dynamic=("limit.historyCount.suggestContinueAsNew=60",)) as made:
        yield made
