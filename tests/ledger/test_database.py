"""The tables are what the migrations make, whoever starts first; and PostgreSQL may go away and come back."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from activities.ledger.database import engine_for, migrate, newest_migration, transaction
from activities.ledger.store import Ledger
from activities.ledger.tables import metadata
from commerce.failures import Family, SystemFailure
from tests.engine_process import PostgresServer, start_postgres
from tests.sandbox_process import ROOT

MIGRATE = """
import asyncio, sys
from activities.ledger.database import engine_for, migrate
async def main() -> None:
    engine = engine_for(sys.argv[1])
    await migrate(engine)
    await engine.dispose()
asyncio.run(main())
"""


async def test_the_migrations_make_exactly_the_tables(ledger: Ledger) -> None:
    def compared(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))

    async with ledger.engine.connect() as connection:
        assert await connection.run_sync(compared) == []


async def test_processes_that_start_together_migrate_one_after_the_other(postgres_url: str) -> None:
    starting = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", MIGRATE, postgres_url, cwd=ROOT, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]
    said = await asyncio.gather(*(process.communicate() for process in starting))
    assert [process.returncode for process in starting] == [0, 0, 0], said
    engine = engine_for(postgres_url)
    await Ledger(engine).keep_cursor("s", "c")
    async with engine.connect() as db:
        assert (await db.execute(text("SELECT count(*) FROM alembic_version"))).scalar_one() == 1
    await engine.dispose()


def test_the_newest_migration_is_known_by_its_file_name() -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "activities" / "ledger" / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == newest_migration()


async def test_tables_of_an_earlier_version_are_brought_to_this_one(postgres_url: str) -> None:
    engine = engine_for(postgres_url)
    await migrate(engine)
    async with engine.begin() as db:
        await db.execute(text("DROP TABLE shop_lines, stuck_runs"))
        await db.execute(text("UPDATE alembic_version SET version_num = '0009'"))
    await migrate(engine)
    async with engine.connect() as db:
        assert (await db.execute(text("SELECT count(*) FROM stuck_runs"))).scalar_one() == 0
        assert (await db.execute(text("SELECT version_num FROM alembic_version"))).scalar_one() == newest_migration()
    await engine.dispose()


async def test_migrating_again_keeps_what_is_there(ledger: Ledger) -> None:
    await ledger.keep_cursor("s", "c")
    await migrate(ledger.engine)
    assert await ledger.cursor("s") == "c"


async def test_an_error_does_not_quote_what_was_to_be_written(ledger: Ledger) -> None:
    with pytest.raises(Exception, match="foreign key") as caught:
        async with transaction(ledger.engine) as db:
            await db.execute(
                text("INSERT INTO handovers (order_key, result) VALUES (:key, '{}')"), {"key": "zoe@x.example"}
            )
    assert "parameters hidden" in str(caught.value)


async def test_more_work_than_connections_is_a_wait_and_not_a_mistake(postgres_url: str) -> None:
    engine = engine_for(postgres_url, pool_size=1)
    engine.pool._timeout = 0.2  # type: ignore[attr-defined]
    engine.pool._max_overflow = 0  # type: ignore[attr-defined]
    async with transaction(engine) as db:
        await db.execute(text("SELECT 1"))
        with pytest.raises(SystemFailure, match="all connections are in use") as caught:
            async with transaction(engine):
                pass
    assert caught.value.family is Family.TRANSIENT
    await engine.dispose()


# ---- PostgreSQL goes away --------------------------------------------------------------------------------------------


@pytest.fixture
async def own_server() -> AsyncIterator[PostgresServer]:
    with tempfile.TemporaryDirectory(prefix="holdfast-postgres-") as folder:
        server = await start_postgres(Path(folder))
        yield server
        await server.child.stop()


async def test_an_outage_of_postgresql_is_waited_out(own_server: PostgresServer) -> None:
    engine = engine_for(await own_server.database())
    ledger = Ledger(engine)
    await migrate(engine)
    await ledger.keep_cursor("s", "before")
    await own_server.child.stop()
    for _ in range(2):  # first the broken pooled connection, then a new one
        with pytest.raises(SystemFailure, match="PostgreSQL does not answer") as caught:
            await ledger.keep_cursor("s", "lost")
        assert caught.value.family is Family.TRANSIENT
        assert "[ledger]" in caught.value.do_next
    with pytest.raises(SystemFailure):
        await migrate(engine)
    await own_server.child.start()
    assert await ledger.cursor("s") == "before"
    await ledger.keep_cursor("s", "after")
    assert await ledger.cursor("s") == "after"
    await engine.dispose()


async def test_a_server_that_only_reads_during_a_fail_over_is_waited_for(postgres_url: str) -> None:
    engine = engine_for(postgres_url)
    await migrate(engine)
    async with engine.begin() as db:
        name = (await db.execute(text("SELECT current_database()"))).scalar_one()
        await db.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
    await engine.dispose()  # the setting holds for new connections
    with pytest.raises(SystemFailure, match="PostgreSQL cannot write") as caught:
        await Ledger(engine).keep_cursor("s", "c")
    assert caught.value.family is Family.TRANSIENT
    await engine.dispose()


async def test_a_wrong_password_is_told_and_not_shown(postgres_server: PostgresServer, postgres_url: str) -> None:
    wrong = postgres_url.replace(postgres_server.password, "hunter2")
    engine = engine_for(wrong)
    with pytest.raises(SystemFailure) as caught:
        await migrate(engine)
    assert caught.value.family is Family.TRANSIENT
    assert "hunter2" not in str(caught.value)
    await engine.dispose()
