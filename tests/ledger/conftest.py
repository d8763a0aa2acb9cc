"""One migrated ledger for the tests of our memory, emptied for each of them."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from activities.ledger.database import engine_for, migrate
from activities.ledger.store import Ledger
from activities.ledger.tables import metadata
from tests.engine_process import PostgresServer, postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]


@pytest.fixture(scope="session")
async def migrated(postgres_server: PostgresServer) -> AsyncIterator[Ledger]:
    engine = engine_for(await postgres_server.database(), pool_size=4)
    await migrate(engine)
    yield Ledger(engine)
    await engine.dispose()


@pytest.fixture
async def ledger(migrated: Ledger) -> Ledger:
    async with migrated.engine.begin() as db:
        await db.execute(text(f"TRUNCATE {', '.join(metadata.tables)}"))
    return migrated
