"""The ledger's database: engine, migrations, and what its failures mean."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from commerce.failures import Family, SystemFailure

# Any number that no other program takes: it makes two starting workers migrate one after the other.
_MIGRATION_LOCK = 7_203_114_001


def engine_for(url: str, *, pool_size: int = 10) -> AsyncEngine:
    """`url` as `postgresql://…`; the driver is ours to choose."""
    plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
    return create_async_engine(
        plain.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=pool_size,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 5},
    )


async def migrate(engine: AsyncEngine) -> None:
    """Bring the database to this version's tables. Safe to run from several processes at once."""

    def run(connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    async with engine.begin() as connection:
        await connection.run_sync(run)


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction whose connection failures say so in our words."""
    try:
        async with engine.begin() as connection:
            yield connection
    except (OperationalError, InterfaceError) as err:
        raise away(err) from err
    except DBAPIError as err:
        if err.connection_invalidated:
            raise away(err) from err
        raise


def away(err: DBAPIError) -> SystemFailure:
    return SystemFailure(
        Family.TRANSIENT,
        "use the ledger",
        f"PostgreSQL does not answer: {type(err.orig).__name__}",
        system="ledger",
        do_next="start PostgreSQL or check [ledger] in the configuration; work goes on by itself",
    )
