"""What really stands in the tables, read past our own store."""

from typing import Any

from sqlalchemy import Table, func, select, text

from activities.ledger.store import Ledger


async def count(ledger: Ledger, table: Table) -> int:
    async with ledger.engine.connect() as db:
        return (await db.execute(select(func.count()).select_from(table))).scalar_one()


async def rows(ledger: Ledger, table: Table) -> list[dict[str, Any]]:
    async with ledger.engine.connect() as db:
        return [dict(row) for row in (await db.execute(select(table))).mappings()]


async def run(ledger: Ledger, statement: str, **values: Any) -> None:
    async with ledger.engine.begin() as db:
        await db.execute(text(statement), values)
