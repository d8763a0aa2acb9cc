"""Runs that cannot go on, as the workers noted them; operators hear of each once, and once when it is over."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.ledger import tables as t
from activities.ledger.database import transaction
from commerce.stuck import OF_ORDERS, Settled, StuckRun

Tell = Callable[[Sequence[StuckRun], str], Awaitable[None]]
_COLUMNS = [t.stuck_runs.c[name] for name in StuckRun.model_fields]


class StuckBook:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def keep(self, runs: Sequence[StuckRun]) -> None:
        """One that is noted already stays as it is, but of a feed it is kept why it cannot go on now."""
        if not runs:
            return
        rows = [run.model_dump(exclude={"over_at", "outcome"}) for run in runs]
        statement = insert(t.stuck_runs).values(rows)
        async with transaction(self._engine) as db:
            await db.execute(
                statement.on_conflict_do_update(
                    index_elements=["run_id", "kind"],
                    index_where=text("over_at IS NULL"),
                    set_={"reason": statement.excluded.reason, "remedy": statement.excluded.remedy},
                    where=statement.excluded.kind == "feed",
                )
            )

    async def open(self) -> list[StuckRun]:
        """Oldest first."""
        query = select(*_COLUMNS).where(t.stuck_runs.c.over_at.is_(None))
        async with transaction(self._engine) as db:
            rows = await db.execute(query.order_by(t.stuck_runs.c.since, t.stuck_runs.c.id))
            return [StuckRun.model_validate(dict(row)) for row in rows.mappings()]

    async def of_order(self, order_key: str) -> list[StuckRun]:
        return [run for run in await self.open() if run.process in OF_ORDERS and run.order_key == order_key]

    async def over(self, run: StuckRun, outcome: str) -> None:
        await self._over(run.run_id, run.kind, over_at=func.now(), outcome=outcome)

    async def feed_goes_on(self, reads: str) -> None:
        """What could not be read was read. Nothing happens where nothing was noted."""
        await self._over(reads, "feed", over_at=func.now(), outcome="it is read again")

    async def settle(self, run: StuckRun, settled: Settled) -> bool:
        """Keep what a person decided; the run is listed no more. False: it was over already."""
        did = "started again" if settled.how == "restart" else "dismissed"
        outcome = f"{did} by {settled.by}: {settled.reason}"
        kept = settled.model_dump(mode="json")
        return await self._over(run.run_id, run.kind, over_at=func.now(), outcome=outcome, settled=kept)

    async def _over(self, run_id: str, kind: str, **values: object) -> bool:
        at = t.stuck_runs.c.run_id == run_id, t.stuck_runs.c.kind == kind, t.stuck_runs.c.over_at.is_(None)
        async with transaction(self._engine) as db:
            done = await db.execute(update(t.stuck_runs).where(*at).values(**values))
            return bool(done.rowcount)

    async def dismissed(self, since: datetime) -> set[tuple[str, str]]:
        """Run and kind of what ended since then and is nobody's trouble, because a person said so."""
        table = t.stuck_runs.c
        query = select(table.run_id, table.kind).where(table.since > since, text("settled->>'how' = 'dismiss'"))
        async with transaction(self._engine) as db:
            return {(row.run_id, row.kind) for row in await db.execute(query)}

    async def settled_of(self, order_key: str) -> list[tuple[StuckRun, Settled]]:
        """What people decided about runs of an order, oldest first."""
        table = t.stuck_runs.c
        key = func.substr(table.workflow_id, func.strpos(table.workflow_id, ":") + 1)
        query = select(*_COLUMNS, table.settled).where(
            table.process.in_(OF_ORDERS), key == order_key, table.settled.is_not(None)
        )
        async with transaction(self._engine) as db:
            rows = (await db.execute(query.order_by(table.id))).mappings().all()
        return [
            (
                StuckRun.model_validate({name: row[name] for name in StuckRun.model_fields}),
                Settled.model_validate(row["settled"]),
            )
            for row in rows
        ]

    async def tell(self, begun: Tell, over: Tell) -> None:
        """Hand what nobody has been told of to `begun` and `over`, with a key, by one worker at a time.

        What was over before anybody heard of it is not told.
        """
        table = t.stuck_runs.c
        await self._tell(begun, "told_at", table.told_at.is_(None), table.over_at.is_(None))
        await self._tell(
            over, "over_told_at", table.over_told_at.is_(None), table.told_at.is_not(None), table.over_at.is_not(None)
        )

    async def _tell(self, tell: Tell, noted: str, *where: object) -> None:
        query = select(t.stuck_runs.c.id, *_COLUMNS).where(*where).order_by(t.stuck_runs.c.id)  # type: ignore[arg-type]
        async with transaction(self._engine) as db:
            rows = (await db.execute(query.with_for_update(skip_locked=True))).mappings().all()
            if not rows:
                return
            ids = [row["id"] for row in rows]
            runs = [StuckRun.model_validate({name: row[name] for name in StuckRun.model_fields}) for row in rows]
            await tell(runs, f"{ids[0]}-{ids[-1]}")
            await db.execute(update(t.stuck_runs).where(t.stuck_runs.c.id.in_(ids)).values({noted: func.now()}))
