"""Calls to the outside systems, counted over all workers, and the vendors' wishes to be called less."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.budget import Budget, Usage, usage
from activities.ledger import tables as t
from activities.ledger.database import transaction

_DAY = timedelta(hours=24)
# What a vendor said longer ago says nothing about now: its own count went on, or began anew.
_VENDOR_HOLDS = timedelta(hours=1)
_HOUR = func.date_trunc("hour", func.now())


class CallBook:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, counted: Mapping[str, int], said: Mapping[str, tuple[int, int]]) -> None:
        """Calls since the last time, and what the vendors said (used, allowed), by allowance."""
        async with transaction(self._engine) as db:
            for name, calls in sorted(counted.items()):  # in one order in every worker: no deadlocks
                made = insert(t.call_counts).values(allowance=name, hour=_HOUR, calls=calls)
                await db.execute(
                    made.on_conflict_do_update(
                        index_elements=["allowance", "hour"], set_={"calls": t.call_counts.c.calls + calls}
                    )
                )
            for name, (used, allowed) in sorted(said.items()):
                row = {"used": used, "allowed": allowed, "said_at": func.now()}
                told = insert(t.call_limits).values(allowance=name, **row)
                await db.execute(told.on_conflict_do_update(index_elements=["allowance"], set_=row))

    async def usages(self, budgets: Mapping[str, Budget]) -> dict[str, Usage]:
        """How each allowance stands."""
        counts, limits = t.call_counts, t.call_limits
        recent = (
            select(counts.c.allowance, func.sum(counts.c.calls))
            .where(counts.c.hour > func.now() - _DAY, counts.c.allowance.in_(budgets))
            .group_by(counts.c.allowance)
        )
        vendor = select(limits.c.allowance, limits.c.used, limits.c.allowed).where(
            limits.c.said_at > func.now() - _VENDOR_HOLDS, limits.c.allowance.in_(budgets)
        )
        async with transaction(self._engine) as db:
            counted = {row[0]: int(row[1]) for row in await db.execute(recent)}
            said = {row[0]: (int(row[1]), int(row[2])) for row in await db.execute(vendor)}
        return {name: usage(budget, counted.get(name, 0), said.get(name)) for name, budget in budgets.items()}

    async def slow_down(self, endpoint: str, reason: str, seconds: float) -> None:
        """A vendor asked for so long a rest. A longer one that was asked for before stays."""
        until = func.now() + timedelta(seconds=seconds)
        row = {"reason": reason, "until": until}
        asked = insert(t.slow_downs).values(endpoint=endpoint, **row)
        async with transaction(self._engine) as db:
            await db.execute(
                asked.on_conflict_do_update(
                    index_elements=["endpoint"], set_=row, where=t.slow_downs.c.until < asked.excluded.until
                )
            )

    async def resting(self) -> dict[str, tuple[float, str]]:
        """Endpoints that asked for a rest: seconds that are left of it, and why."""
        left = func.extract("epoch", t.slow_downs.c.until - func.now()).label("left")
        query = select(t.slow_downs.c.endpoint, left, t.slow_downs.c.reason).where(t.slow_downs.c.until > func.now())
        async with transaction(self._engine) as db:
            return {row.endpoint: (float(row.left), row.reason) for row in await db.execute(query)}

    async def forget(self) -> None:
        """Hours that count no more."""
        old = t.call_counts.c.hour < func.now() - 2 * _DAY
        async with transaction(self._engine) as db:
            await db.execute(t.call_counts.delete().where(old))

    # ---- one probe for endpoints that share one org ------------------------------------------------------------------

    async def may_probe(self, shared: str, every: float) -> bool:
        """Whether the last probe began so many seconds ago; then this one has begun."""
        begun = insert(t.probes).values(shared=shared)
        late = t.probes.c.begun_at <= func.now() - timedelta(seconds=every)
        mine = begun.on_conflict_do_update(index_elements=["shared"], set_={"begun_at": func.now()}, where=late)
        async with transaction(self._engine) as db:
            done = await db.execute(mine.returning(t.probes.c.shared))
            return done.scalar_one_or_none() is not None

    async def probed(self, shared: str, *, up: bool, reason: str) -> None:
        values = {"up": up, "reason": reason, "answered_at": func.now()}
        async with transaction(self._engine) as db:
            await db.execute(update(t.probes).where(t.probes.c.shared == shared).values(values))

    async def last_probe(self, shared: str) -> tuple[datetime, bool, str] | None:
        """When it was answered, whether well, and the reason."""
        columns = (t.probes.c.answered_at, t.probes.c.up, t.probes.c.reason)
        query = select(*columns).where(t.probes.c.shared == shared, t.probes.c.answered_at.is_not(None))
        async with transaction(self._engine) as db:
            row = (await db.execute(query)).one_or_none()
        return (row[0], bool(row[1]), row[2]) if row is not None else None
