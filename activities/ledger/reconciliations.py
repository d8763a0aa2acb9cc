"""Reconciliations in the ledger: the orders they look at, what was read of them, and what was found."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.fulfillment import FulfillmentView
from activities.ledger import tables as t
from activities.ledger.database import transaction
from activities.reconcile import Ask
from commerce.model import Model, UtcDatetime
from commerce.reconciliation import Difference
from commerce.reconciliation_report import Report
from commerce.statements import Statement

State = Literal["running", "done", "failed"]
_PER_READ = 200  # orders whose statements are in memory at once


class KnownReconciliation(Model):
    id: str
    ask: Ask
    state: State
    reason: str = ""
    report: Report | None = None
    began_at: UtcDatetime
    ended_at: UtcDatetime | None = None


class FoundDifference(Model):
    """`number` grows; ask for more after the last one."""

    number: int
    difference: Difference


class ReconciliationBook:
    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    # ---- under way ---------------------------------------------------------------------------------------------------

    async def begin(self, ask: Ask, *, keep: timedelta) -> None:
        """A new start. What an earlier comparison of this id left, and what is older than `keep`, is dropped."""
        table = t.reconciliations
        old = (table.c.id == ask.id) | (table.c.began_at < func.now() - keep)
        row = {"id": ask.id, "ask": ask.model_dump(mode="json"), "scheduled": ask.scheduled, "state": "running"}
        async with transaction(self.engine) as db:
            await db.execute(delete(table).where(old))
            await db.execute(insert(table).values(row))

    async def add_orders(self, id: str, keys: Sequence[str]) -> int:
        """Returns how many were new."""
        if not keys:
            return 0
        table = t.reconciled_orders
        rows = [{"reconciliation": id, "order_key": key, "again": False} for key in dict.fromkeys(keys)]
        async with transaction(self.engine) as db:
            statement = insert(table).values(rows).on_conflict_do_nothing().returning(table.c.order_key)
            return len((await db.execute(statement)).all())

    async def orders_after(self, id: str, after: str, limit: int, *, again: bool) -> list[str]:
        table = t.reconciled_orders
        query = select(table.c.order_key).where(table.c.reconciliation == id, table.c.order_key > after)
        if again:
            query = query.where(table.c.again)
        async with transaction(self.engine) as db:
            return list((await db.execute(query.order_by(table.c.order_key).limit(limit))).scalars())

    async def keep_statements(self, id: str, endpoint: str, keys: Sequence[str], found: Sequence[Statement]) -> None:
        """In place of what was kept of these orders before."""
        table = t.statements
        named = {*keys, *(one.key for one in found)}  # also of an order whose store cannot be told
        rows = [
            {"reconciliation": id, "endpoint": endpoint, "order_key": one.key, "body": one.model_dump(mode="json")}
            for one in found
        ]
        strangers = [key for key in {one.key for one in found} if key not in keys]
        async with transaction(self.engine) as db:
            await db.execute(
                delete(table).where(
                    table.c.reconciliation == id, table.c.endpoint == endpoint, table.c.order_key.in_(named)
                )
            )
            if rows:
                await db.execute(insert(table), rows)
            if strangers:
                known = [{"reconciliation": id, "order_key": key, "again": False} for key in strangers]
                await db.execute(insert(t.reconciled_orders).values(known).on_conflict_do_nothing())

    async def every_order(self, id: str) -> AsyncIterator[tuple[str, list[Statement]]]:
        """Every order with its statements, some hundred in memory at a time."""
        after = ""
        while True:
            keys = await self.orders_after(id, after, _PER_READ, again=False)
            if not keys:
                return
            of: dict[str, list[Statement]] = {key: [] for key in keys}
            query = select(t.statements.c.order_key, t.statements.c.body).where(
                t.statements.c.reconciliation == id, t.statements.c.order_key.in_(keys)
            )
            async with transaction(self.engine) as db:
                for row in await db.execute(query.order_by(t.statements.c.id)):
                    of[row.order_key].append(Statement.model_validate(row.body))
            for key in keys:
                yield key, of[key]
            after = keys[-1]

    async def look_again(self, id: str, keys: Sequence[str]) -> None:
        table = t.reconciled_orders
        async with transaction(self.engine) as db:
            await db.execute(
                update(table).where(table.c.reconciliation == id).values(again=table.c.order_key.in_(list(keys)))
            )

    # ---- the end -----------------------------------------------------------------------------------------------------

    async def finish(self, report: Report, found: Sequence[Difference]) -> None:
        """Keep the report and the differences; what was read from the systems is no longer needed."""
        rows = [
            {
                "reconciliation": report.id,
                "order_key": one.order_key,
                "explained": bool(one.explained),
                "body": one.model_dump(mode="json"),
            }
            for one in found
        ]
        async with transaction(self.engine) as db:
            for table in (t.differences, t.statements, t.reconciled_orders):
                await db.execute(delete(table).where(table.c.reconciliation == report.id))
            if rows:
                await db.execute(insert(t.differences), rows)
            await db.execute(
                update(t.reconciliations)
                .where(t.reconciliations.c.id == report.id)
                .values(
                    state="done",
                    report=report.model_dump(mode="json"),
                    unexplained=report.differences,
                    ended_at=func.now(),
                )
            )

    async def fail(self, ask: Ask, reason: str) -> None:
        async with transaction(self.engine) as db:
            for table in (t.statements, t.reconciled_orders):
                await db.execute(delete(table).where(table.c.reconciliation == ask.id))
            await db.execute(
                update(t.reconciliations)
                .where(t.reconciliations.c.id == ask.id)
                .values(state="failed", reason=reason, ended_at=func.now())
            )

    # ---- reading -----------------------------------------------------------------------------------------------------

    async def one(self, id: str) -> KnownReconciliation | None:
        async with transaction(self.engine) as db:
            row = (await db.execute(select(t.reconciliations).where(t.reconciliations.c.id == id))).mappings().first()
        return _known(row) if row is not None else None

    async def latest(self, *, limit: int = 20) -> list[KnownReconciliation]:
        """Newest first."""
        query = select(t.reconciliations).order_by(t.reconciliations.c.began_at.desc()).limit(limit)
        async with transaction(self.engine) as db:
            return [_known(row) for row in (await db.execute(query)).mappings()]

    async def was_in_step(self, id: str) -> bool:
        """What the scheduled comparison before this one found; true when there was none."""
        table = t.reconciliations
        query = (
            select(table.c.unexplained)
            .where(table.c.scheduled, table.c.state == "done", table.c.id != id)
            .order_by(table.c.began_at.desc())
            .limit(1)
        )
        async with transaction(self.engine) as db:
            return not (await db.execute(query)).scalar_one_or_none()

    async def differences(
        self, id: str, *, after: int = 0, limit: int = 500, explained: bool | None = None
    ) -> list[FoundDifference]:
        table = t.differences
        query = select(table.c.id, table.c.body).where(table.c.reconciliation == id, table.c.id > after)
        if explained is not None:
            query = query.where(table.c.explained.is_(explained))
        async with transaction(self.engine) as db:
            rows = await db.execute(query.order_by(table.c.id).limit(limit))
            return [FoundDifference(number=row.id, difference=Difference.model_validate(row.body)) for row in rows]

    # ---- what our memory knows of orders -----------------------------------------------------------------------------

    async def portal_orders(self, since: datetime, until: datetime, after: str, limit: int) -> list[str]:
        """Keys of orders that portals placed and that came in or ended in the period, in order."""
        table = t.orders
        came = (table.c.received_at >= since) & (table.c.received_at < until)
        ended = (table.c.closed_at >= since) & (table.c.closed_at < until)
        query = select(table.c.key).where(table.c.shop_id == "", table.c.key > after, came | ended)
        async with transaction(self.engine) as db:
            return list((await db.execute(query.order_by(table.c.key).limit(limit))).scalars())

    async def kept(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        """Rows of these orders."""
        async with transaction(self.engine) as db:
            rows = await db.execute(select(t.orders).where(t.orders.c.key.in_(list(keys))))
            return [dict(row) for row in rows.mappings()]

    async def cases_of(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        """Cases of these orders, oldest first: `id`, `order_key`, `step`, `decision`, `closed_at`."""
        table = t.cases
        columns = (table.c.id, table.c.order_key, table.c.decision, table.c.closed_at)
        query = select(*columns, table.c.body["step"].astext.label("step"))
        async with transaction(self.engine) as db:
            rows = await db.execute(query.where(table.c.order_key.in_(list(keys))).order_by(table.c.opened_at))
            return [dict(row) for row in rows.mappings()]

    async def goods_of(self, keys: Sequence[str]) -> dict[str, FulfillmentView | None]:
        """The goods of those that their checkout handed over, as their runs left them; None: not kept yet."""
        query = (
            select(t.handovers.c.order_key, t.fulfillments.c.view)
            .join(t.fulfillments, t.fulfillments.c.order_key == t.handovers.c.order_key, isouter=True)
            .where(t.handovers.c.order_key.in_(list(keys)))
        )
        async with transaction(self.engine) as db:
            return {
                row.order_key: FulfillmentView.model_validate(row.view) if row.view else None
                for row in await db.execute(query)
            }

    async def quarantined(self, keys: Sequence[str]) -> dict[str, tuple[int, str]]:
        """Number and reason of what was quarantined last, by order key."""
        table = t.notifications
        query = select(table.c.id, table.c.reference, table.c.reason).where(
            table.c.state == "quarantined", table.c.reference.in_(list(keys))
        )
        async with transaction(self.engine) as db:
            rows = await db.execute(query.order_by(table.c.id))
            return {row.reference: (row.id, row.reason) for row in rows}


def _known(row: Any) -> KnownReconciliation:
    return KnownReconciliation(
        id=row["id"],
        ask=Ask.model_validate(row["ask"]),
        state=row["state"],
        reason=row["reason"],
        report=Report.model_validate(row["report"]) if row["report"] else None,
        began_at=row["began_at"],
        ended_at=row["ended_at"],
    )
