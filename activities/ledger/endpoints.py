"""The health of the connected systems, as the endpoint watch left it; every worker and the API read it here."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.ledger import tables as t
from activities.ledger.database import transaction
from activities.watch import EndpointNote

CLOSED = ("down", "paused")
NO_WRITES = ("closed",)


class EndpointBook:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def note(self, note: EndpointNote) -> None:
        """Keep the state; the same note again changes nothing."""
        row = {
            "endpoint": note.endpoint,
            "state": note.state,
            "reason": note.reason,
            "note": note.model_dump(mode="json"),
            "since": note.since,
        }
        async with transaction(self._engine) as db:
            before = await db.execute(select(t.endpoints.c.note).where(t.endpoints.c.endpoint == note.endpoint))
            if before.scalar_one_or_none() == row["note"]:
                return
            statement = insert(t.endpoints).values(row)
            await db.execute(
                statement.on_conflict_do_update(index_elements=["endpoint"], set_={**row, "at": func.now()})
            )
            await db.execute(
                insert(t.endpoint_notes).values(endpoint=note.endpoint, state=note.state, note=row["note"])
            )

    async def all(self) -> list[EndpointNote]:
        async with transaction(self._engine) as db:
            rows = await db.execute(select(t.endpoints.c.note).order_by(t.endpoints.c.endpoint))
            return [EndpointNote.model_validate(note) for note in rows.scalars()]

    async def history(self, endpoint: str, *, limit: int = 100) -> list[EndpointNote]:
        """Newest first."""
        query = select(t.endpoint_notes.c.note).where(t.endpoint_notes.c.endpoint == endpoint)
        async with transaction(self._engine) as db:
            rows = await db.execute(query.order_by(t.endpoint_notes.c.id.desc()).limit(limit))
            return [EndpointNote.model_validate(note) for note in rows.scalars()]

    async def held_back(self) -> tuple[dict[str, str], dict[str, str]]:
        """Endpoints that no call may reach now, and those that no write may reach, each with the reason."""
        columns = (t.endpoints.c.endpoint, t.endpoints.c.state, t.endpoints.c.reason)
        query = select(*columns).where(t.endpoints.c.state.in_((*CLOSED, *NO_WRITES)))
        async with transaction(self._engine) as db:
            rows = (await db.execute(query)).all()
        return (
            {row.endpoint: row.reason for row in rows if row.state in CLOSED},
            {row.endpoint: row.reason for row in rows if row.state in NO_WRITES},
        )

    async def money_of(self, order_keys: Sequence[str]) -> tuple[list[tuple[str, int]], datetime | None]:
        """Currency and minor units of these orders together, and when the oldest of them came in."""
        query = (
            select(t.orders.c.currency, func.sum(t.orders.c.amount_minor), func.min(t.orders.c.received_at))
            .where(t.orders.c.key.in_(order_keys))
            .group_by(t.orders.c.currency)
            .order_by(t.orders.c.currency)
        )
        async with transaction(self._engine) as db:
            rows = (await db.execute(query)).all()
        return [(row[0], int(row[1])) for row in rows], min((row[2] for row in rows), default=None)
