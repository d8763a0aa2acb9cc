"""Notices to operators: which went where, and which still waits for its channel."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.ledger import tables as t
from activities.ledger.database import transaction
from commerce.model import Model, UtcDatetime

# A worker that died while it sent holds a notice back for so long; longer than any channel may take.
LEASE = timedelta(minutes=2)


class Notice(Model):
    """One notice on its way to one channel. `receivers` are addresses where the channel has several."""

    key: str
    channel: str
    subject: str
    text: str
    order_key: str = ""
    receivers: tuple[str, ...] = ()
    state: Literal["waiting", "sent", "given-up"] = "waiting"
    tries: int = 0
    reason: str = ""
    at: UtcDatetime | None = None
    sent_at: UtcDatetime | None = None


class NoticeBook:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def keep(self, notices: Sequence[Notice]) -> None:
        """All or none; a notice that is kept already stays as it is."""
        rows = [
            {**notice.model_dump(exclude={"at", "sent_at", "receivers"}), "receivers": list(notice.receivers)}
            for notice in notices
        ]
        if not rows:
            return
        async with transaction(self._engine) as db:
            await db.execute(insert(t.notices).values(rows).on_conflict_do_nothing())

    async def take(self, channel: str, *, limit: int = 20) -> list[Notice]:
        """Due ones of one channel, oldest first. They are this worker's until the lease ends."""
        table = t.notices
        due = (
            select(table.c.key, table.c.channel)
            .where(table.c.channel == channel, table.c.state == "waiting", table.c.due_at <= func.now())
            .order_by(table.c.at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        taking = (
            update(table)
            .where(tuple_(table.c.key, table.c.channel).in_(due))
            .values(tries=table.c.tries + 1, due_at=func.now() + LEASE)
            .returning(table)
        )
        async with transaction(self._engine) as db:
            taken = [_notice(row) for row in (await db.execute(taking)).mappings()]
        return sorted(taken, key=lambda notice: (str(notice.at), notice.key))

    async def sent(self, notice: Notice) -> None:
        await self._set(notice, state="sent", sent_at=func.now(), reason="")

    async def postpone(self, notice: Notice, reason: str, wait: timedelta) -> None:
        await self._set(notice, reason=reason, due_at=func.now() + wait)

    async def give_up(self, notice: Notice, reason: str) -> None:
        await self._set(notice, state="given-up", reason=reason)

    async def recent(self, *, limit: int = 100) -> list[Notice]:
        """Newest first."""
        query = select(t.notices).order_by(t.notices.c.at.desc()).limit(limit)
        async with transaction(self._engine) as db:
            return [_notice(row) for row in (await db.execute(query)).mappings()]

    async def _set(self, notice: Notice, **values: object) -> None:
        at = (t.notices.c.key == notice.key) & (t.notices.c.channel == notice.channel)
        async with transaction(self._engine) as db:
            await db.execute(update(t.notices).where(at).values(values))


def _notice(row: object) -> Notice:
    return Notice.model_validate({name: row[name] for name in Notice.model_fields})  # type: ignore[index]
