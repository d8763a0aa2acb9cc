"""One feed for each test, over an empty ledger."""

from collections.abc import AsyncIterator

import pytest

from activities.ledger.store import Ledger
from tests.activities.feeds.desk import Feed
from tests.ledger.conftest import ledger, migrated, postgres_server

__all__ = ["ledger", "migrated", "postgres_server"]


@pytest.fixture
async def feed(ledger: Ledger) -> AsyncIterator[Feed]:
    made = Feed(ledger)
    yield made
    if made._running is not None:
        await made.kill()
