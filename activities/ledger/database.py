"""The ledger's database: engine, migrations, and what its failures mean."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from commerce.failures import Family, SystemFailure

# PostgreSQL's code for a write to a server that only reads: for some seconds, this is how a fail-over looks.
_READ_ONLY = "25006"
# Any number that no other program takes: it makes two starting workers migrate one after the other.
_MIGRATION_LOCK = 7_203_114_001
_MIGRATIONS = Path(__file__).parent / "migrations"


def engine_for(url: str, *, pool_size: int = 10) -> AsyncEngine:
    """`url` as `postgresql://…`; the driver is ours to choose."""
    plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
    return create_async_engine(
        plain.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=pool_size,
        pool_pre_ping=True,
        hide_parameters=True,  # an error must not quote orders into logs and histories
        connect_args={
            "connect_timeout": 5,
            # A server that vanished without a word is noticed within half a minute instead of a quarter of an hour.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
        },
    )


async def migrate(engine: AsyncEngine) -> None:
    """Bring the database to this version's tables. Safe to run from several processes at once. Raises SystemFailure."""

    def run(connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        if _is_current(connection):
            return
        # Here, because importing it is a tenth of a process's start, and nearly every start finds its tables made.
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    async with transaction(engine) as connection:
        await connection.run_sync(run)


def newest_migration() -> str:
    """Its revision, which every migration's file name begins with."""
    return max(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def _is_current(connection: Connection) -> bool:
    if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar_one() is None:
        return False
    made = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return made == [newest_migration()]


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction whose connection failures say so in our words."""
    try:
        async with engine.begin() as connection:
            yield connection
    except (OperationalError, InterfaceError) as err:
        raise _away(f"PostgreSQL does not answer: {type(err.orig).__name__}") from err
    except PoolExhausted as err:
        raise _away("all connections are in use") from err
    except DBAPIError as err:
        if err.connection_invalidated or getattr(err.orig, "sqlstate", None) == _READ_ONLY:
            raise _away(f"PostgreSQL cannot write: {type(err.orig).__name__}") from err
        raise


def _away(what: str) -> SystemFailure:
    return SystemFailure(
        Family.TRANSIENT,
        "use the ledger",
        what,
        system="ledger",
        do_next="start PostgreSQL or check [ledger] in the configuration; work goes on by itself",
    )
