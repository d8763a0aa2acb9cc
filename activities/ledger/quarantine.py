"""What could not be read or passed on: kept until a person releases or drops it, with who, when and why."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import and_, case, cast, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.ledger import tables as t
from activities.ledger.database import transaction
from activities.ledger.store import Notification, notification_of
from commerce.model import Model, UtcDatetime


class Release(Model):
    """A person's word on something quarantined. `drop`: it is not read again, because it was settled by hand."""

    by: str
    reason: str
    drop: bool = False
    at: UtcDatetime


class Raw(Model):
    """A notification as it came in."""

    system: str
    headers: dict[str, str]
    body: bytes


class QuarantineBook:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def put(self, system: str, source: str, reference: str, body: bytes, reason: str) -> None:
        """Quarantine what a source showed. One row for each reference, with its newest reason; told again when that
        is another one. What a person dropped stays dropped until it changes.
        """
        row = {
            "system": system,
            "sender_id": f"quarantine:{source}:{reference}",
            "source": source,
            "reference": reference,
            "headers": {},
            "body": body,
            "state": "quarantined",
            "reason": reason,
        }
        table = t.notifications
        statement = insert(table).values(row)
        known = and_(table.c.state == "quarantined", table.c.reason == reason)
        dropped = and_(table.c.state == "dropped", table.c.body == body)
        async with transaction(self._engine) as db:
            await db.execute(
                statement.on_conflict_do_update(
                    index_elements=["system", "sender_id"],
                    set_={
                        "body": body,
                        "state": "quarantined",
                        "reason": reason,
                        "done_at": None,
                        "told_at": case((known, table.c.told_at), else_=None),
                    },
                    where=~dropped,
                )
            )

    async def find(self, notification_id: int) -> Notification | None:
        query = select(t.notifications).where(t.notifications.c.id == notification_id)
        async with transaction(self._engine) as db:
            row = (await db.execute(query)).mappings().one_or_none()
        return notification_of(row) if row is not None else None

    async def raw(self, notification_id: int) -> Raw:
        table = t.notifications
        query = select(table.c.system, table.c.headers, table.c.body).where(table.c.id == notification_id)
        async with transaction(self._engine) as db:
            row = (await db.execute(query)).mappings().one()
        return Raw(system=row["system"], headers=row["headers"], body=bytes(row["body"]))

    async def release(
        self, notification_id: int, release: Release, *, source: str | None = None, reference: str | None = None
    ) -> bool:
        """Let it be read again (or drop it). `source`, `reference`: what its listener made of it now. False: it is not
        in quarantine any more.
        """
        values: dict[str, object] = {
            "state": "dropped" if release.drop else "waiting",
            "tries": 0,
            "due_at": func.now(),
            "told_at": None,
        }
        if source is not None:
            values |= {"source": source, "reference": reference}
        if release.drop:
            values["done_at"] = func.now()
        return await self._note(notification_id, release, values)

    async def still_unreadable(self, notification_id: int, release: Release, reason: str) -> bool:
        """It was released and could not be read again: it stays, with the new reason."""
        return await self._note(notification_id, release, {"reason": reason})

    async def _note(self, notification_id: int, release: Release, values: dict[str, object]) -> bool:
        table = t.notifications
        noted = table.c.releases.op("||")(cast([release.model_dump(mode="json")], t.JSONB))
        async with transaction(self._engine) as db:
            changed = await db.execute(
                update(table)
                .where(table.c.id == notification_id, table.c.state == "quarantined")
                .values(values | {"releases": noted})
                .returning(table.c.id)
            )
            return changed.scalar_one_or_none() is not None

    async def untold(self, system: str, *, limit: int = 100) -> list[Notification]:
        """What is in quarantine and nobody was told of, oldest first."""
        table = t.notifications
        query = (
            select(table)
            .where(table.c.system == system, table.c.state == "quarantined", table.c.told_at.is_(None))
            .order_by(table.c.id)
            .limit(limit)
        )
        async with transaction(self._engine) as db:
            return [notification_of(row) for row in (await db.execute(query)).mappings()]

    async def told(self, notifications: Sequence[Notification]) -> None:
        """People were told of exactly these reasons; one that changed meanwhile is still to be told."""
        table = t.notifications
        same = or_(*(and_(table.c.id == one.id, table.c.reason == one.reason) for one in notifications))
        async with transaction(self._engine) as db:
            await db.execute(update(table).where(same).values(told_at=datetime.now(UTC)))
