"""Which change sources have something in the inbox: one look for all the feeds of a process."""

import asyncio
from collections.abc import Collection, Sequence

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.ledger import tables as t
from activities.ledger.database import transaction

_TABLE = t.notifications
_WAITING = and_(_TABLE.c.state == "waiting", _TABLE.c.due_at <= func.now())
_UNTOLD = and_(_TABLE.c.state == "quarantined", _TABLE.c.told_at.is_(None))
_QUERY = select(_TABLE.c.system, _TABLE.c.source, _TABLE.c.state).where(or_(_WAITING, _UNTOLD)).distinct()


class Inbox:
    """What a look found is believed for `fresh` seconds, so that ten feeds ask as often as one."""

    def __init__(self, engine: AsyncEngine, fresh: float = 0.2) -> None:
        self._engine = engine
        self._fresh = fresh
        self._turn = asyncio.Lock()
        self._until = 0.0
        self._waiting: frozenset[tuple[str, str]] = frozenset()
        self._untold: frozenset[str] = frozenset()

    async def waits(self, system: str, source: str) -> bool:
        """Whether a notification is due. Raises SystemFailure."""
        await self._look()
        return (system, source) in self._waiting

    async def is_untold(self, system: str) -> bool:
        """Whether something is in quarantine that nobody was told of. Raises SystemFailure."""
        await self._look()
        return system in self._untold

    async def waiting_ids(self, system: str, source: str) -> list[int]:
        """What waits by itself, and not because a person released it."""
        mine = and_(_TABLE.c.system == system, _TABLE.c.source == source)
        query = select(_TABLE.c.id).where(mine, _TABLE.c.state == "waiting", _TABLE.c.releases == [])
        async with transaction(self._engine) as db:
            return list((await db.execute(query)).scalars())

    async def settle_answered(self, ids: Sequence[int], references: Collection[str]) -> None:
        """Those of the notifications whose reference was read after they came are done with."""
        asked = and_(_TABLE.c.id.in_(ids), _TABLE.c.reference.in_(references), _TABLE.c.state == "waiting")
        async with transaction(self._engine) as db:
            await db.execute(update(_TABLE).where(asked).values(state="done", done_at=func.now()))

    def changed(self) -> None:
        """We put something in ourselves: the next question is answered by a new look."""
        self._until = 0.0

    async def _look(self) -> None:
        clock = asyncio.get_running_loop().time
        async with self._turn:
            if clock() < self._until:
                return
            self._until = clock() + self._fresh  # before the look: what changes during it counts as news
            try:
                async with transaction(self._engine) as db:
                    rows = (await db.execute(_QUERY)).all()
            except BaseException:
                self._until = 0.0
                raise
            self._waiting = frozenset((row.system, row.source) for row in rows if row.state == "waiting")
            self._untold = frozenset(row.system for row in rows if row.state == "quarantined")
