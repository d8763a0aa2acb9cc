"""Fills `Reconciler`: what portals placed, and the comparing of what was read from the systems."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

from activities.ledger.reconciliations import ReconciliationBook
from activities.reconcile import (
    ORDERS_AT_ONCE,
    Ask,
    BooksRead,
    Compare,
    Course,
    Failed,
    FindKeys,
    KeysFound,
    Outcome,
    Period,
    ReadBooks,
    Reconciler,
)
from activities.steps import patient_step
from commerce.documents import CLOSED_STAGES, Decision, DecisionKind, Stage
from commerce.money import Money
from commerce.order import Order
from commerce.reconciliation import PAIRS, Difference, compare
from commerce.reconciliation_report import Report, Totals, ages, verdict
from commerce.repair import BESIDE, Facts, GoodsFacts, advise, reason_of
from commerce.statements import PORTAL, Statement, StatementKind, StatementState
from commerce.totals import captured, gross_total, is_on_account

_STAGE = SearchAttributeKey.for_keyword("Stage")
RunOf = Callable[[str], Awaitable[tuple[str, datetime] | None]]
BEAT_EVERY = 200  # orders
ON_ITS_WAY = timedelta(hours=1)  # a shipment that changed since then may still come to the shop by itself


class ReconcilerActivities(Reconciler):
    """`run_of` gives stage and start of an order's run while it is open."""

    def __init__(
        self,
        book: ReconciliationBook,
        endpoints: Sequence[str],
        run_of: RunOf,
        *,
        overlap: timedelta,
        keep: timedelta,
    ) -> None:
        self._book = book
        self._endpoints = tuple(endpoints)
        self._run_of = run_of
        self._overlap = overlap
        self._keep = keep

    @activity.defn(name="reconcile.begin")
    @patient_step
    async def begin(self, ask: Ask) -> Course:
        await self._book.begin(ask, keep=self._keep)
        # Systems stamp in whole seconds, rounded down.
        since = (ask.since - self._overlap).replace(microsecond=0)
        return Course(endpoints=self._endpoints, period=Period(since=since, until=ask.until))

    @activity.defn(name="reconcile.find_keys")
    @patient_step
    async def find_own_keys(self, task: FindKeys) -> KeysFound:
        keys = await self._book.portal_orders(task.period.since, task.period.until, task.cursor, 1000)
        wanted = [key for key in keys if task.store in ("", key.partition(":")[0])]
        number = await self._book.add_orders(task.ask_id, wanted)
        return KeysFound(number=number, cursor=keys[-1] if len(keys) == 1000 else "")

    @activity.defn(name="reconcile.read")
    @patient_step
    async def read_own(self, task: ReadBooks) -> BooksRead:
        keys = await self._book.orders_after(task.ask_id, task.after, 5 * ORDERS_AT_ONCE, again=task.again)
        rows = [row for row in await self._book.kept(keys) if not row["shop_id"]]
        found = [statement for row in rows for statement in _portal_statements(row)]
        await self._book.keep_statements(task.ask_id, PORTAL, keys, found)
        more = len(keys) == 5 * ORDERS_AT_ONCE
        return BooksRead(orders=len(rows), documents=len(found), after=keys[-1] if more else "")

    @activity.defn(name="reconcile.compare")
    @patient_step
    async def compare(self, task: Compare) -> Outcome:
        ask = task.ask
        pairs = [pair for pair in PAIRS if ask.pair in ("", pair.name)]
        totals, found, orders = Totals(), list[Difference](), 0
        async for key, statements in self._book.every_order(ask.id):
            orders += any(one.keyed for one in statements)
            for compared in compare(key, statements, pairs):
                totals.add(compared)
                found += compared.differences
            if orders % BEAT_EVERY == 0:
                activity.heartbeat(orders)
        known = await self._explained(found)
        unexplained = [one for one in known if not one.explained]
        if not task.last:
            await self._book.look_again(ask.id, [one.order_key for one in known])
            return Outcome(unexplained=len(known))
        now = datetime.now(UTC)
        for one in known:
            totals.count(one)
        counted = _counted(known)
        rows = totals.rows(pairs)
        report = Report(
            id=ask.id,
            since=ask.since,
            until=ask.until,
            store=ask.store,
            pair=ask.pair,
            orders=orders,
            pairs=rows,
            differences=len(unexplained),
            explained=counted,
            ages=ages(unexplained, now),
            oldest=min((one.since for one in unexplained), default=None),
            verdict=verdict(orders - len({one.order_key for one in known}), rows, unexplained, counted, now),
            at=now,
        )
        was_in_step = await self._book.was_in_step(ask.id)
        await self._book.finish(report, sorted(known, key=lambda one: (bool(one.explained), one.since, one.order_key)))
        return Outcome(
            unexplained=len(unexplained), report=report, was_in_step=was_in_step, summary=summary_of(unexplained)
        )

    @activity.defn(name="reconcile.fail")
    @patient_step
    async def fail(self, failed: Failed) -> None:
        await self._book.fail(failed.ask, failed.reason)

    async def _explained(self, found: Sequence[Difference]) -> list[Difference]:
        keys = list(dict.fromkeys(one.order_key for one in found))
        facts: dict[str, Facts] = {}
        for i in range(0, len(keys), ORDERS_AT_ONCE):
            activity.heartbeat(i)
            facts |= await self._facts(keys[i : i + ORDERS_AT_ONCE])
            for key, goods in (await self._goods_facts(keys[i : i + ORDERS_AT_ONCE])).items():
                facts[key] = facts[key].model_copy(update={"goods": goods})
        return [advise(one, facts[one.order_key]) for one in found]

    async def _goods_facts(self, keys: Sequence[str]) -> dict[str, GoodsFacts]:
        fresh_since = datetime.now(UTC) - ON_ITS_WAY
        views = await self._book.goods_of(keys)
        cases: dict[str, list[str]] = {}
        for case in await self._book.cases_of(keys):
            if case["closed_at"] is None and case["step"] not in BESIDE:
                cases.setdefault(case["order_key"], []).append(case["id"])
        found: dict[str, GoodsFacts] = {}
        for key in keys:
            view = views.get(key)
            found[key] = GoodsFacts(
                handed_over=key in views,
                written=frozenset(one.number for one in view.shipments if one.written_back) if view else frozenset(),
                waits=frozenset(one.number for one in view.shipments if one.waits) if view else frozenset(),
                skipped=view.skipped if view is not None else (),
                cases=tuple(cases.get(key, ())),
                fresh_since=fresh_since,
            )
        return found

    async def _facts(self, keys: Sequence[str]) -> dict[str, Facts]:
        rows = {row["key"]: row for row in await self._book.kept(keys)}
        quarantined = await self._book.quarantined(keys)
        cases: dict[str, list[str]] = {}
        corrected: dict[str, str] = {}
        for case in await self._book.cases_of(keys):
            if case["closed_at"] is None:
                cases.setdefault(case["order_key"], []).append(case["id"])
            elif case["decision"]:
                decision = Decision.model_validate(case["decision"])
                if decision.kind is DecisionKind.CORRECT:
                    corrected[case["order_key"]] = f"{decision.by}: {decision.reason}"
        found: dict[str, Facts] = {}
        for key in keys:
            row = rows.get(key)
            run = None if row is not None and row["stage"] else await self._run_of(key)
            result = (row["result"] or {}) if row is not None else {}
            undone = tuple(str(one["what"]) for one in result.get("undone", ()) if one["document"] is None)
            found[key] = Facts(
                stage=run[0] if run else str(row["stage"]) if row is not None else "",
                open_since=run[1] if run else None,
                cases=tuple(cases.get(key, ())),
                skipped=(*result.get("skipped", ()), *undone),
                corrected=corrected.get(key, ""),
                quarantine=quarantined[key][0] if key in quarantined else None,
                quarantined=quarantined[key][1] if key in quarantined else "",
            )
        return found


def summary_of(differences: Sequence[Difference], most: int = 20) -> str:
    """A line for each difference, for a mail."""
    lines = [
        f"- {one.order_key}: {one.kind} ({one.pair}{f', {one.side}' if one.side else ''}), {one.amount}\n"
        f"  {one.remedy}\n  {one.command}"
        for one in differences[:most]
    ]
    more = len(differences) - most
    return "\n".join([*lines, *([f"- and {more} more"] if more > 0 else [])])


def engine_run_of(client: Client) -> RunOf:
    """Stage and start of an order's run, asked of the engine."""

    async def run_of(key: str) -> tuple[str, datetime] | None:
        try:
            described = await client.get_workflow_handle(f"checkout:{key}").describe()
        except RPCError as err:
            if err.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        if described.status is not WorkflowExecutionStatus.RUNNING:
            return None
        return described.typed_search_attributes.get(_STAGE) or "", described.start_time

    return run_of


def _counted(differences: Sequence[Difference]) -> dict[str, int]:
    """Orders by why they differ for now."""
    orders: dict[str, set[str]] = {}
    for one in differences:
        if one.explained:
            orders.setdefault(reason_of(one.explained), set()).add(one.order_key)
    return {reason: len(keys) for reason, keys in orders.items()}


def _portal_statements(row: Mapping[str, Any]) -> list[Statement]:
    """What a portal placed, as it was accepted: it has no books of its own that could be asked."""
    order = Order.model_validate(row["content"])
    ended = row["stage"] in {stage.value for stage in CLOSED_STAGES} - {Stage.COMPLETED.value}
    gross = gross_total(order)
    if row["view"]:  # a correction that a person decided counts from then on
        now = Money.model_validate(row["view"]["amount"])
        gross += now - order.total
    at = {"created_at": row["received_at"], "modified_at": row["closed_at"] or row["received_at"]}
    found = [
        Statement(
            kind=StatementKind.SHOP_ORDER,
            system=PORTAL,
            key=order.key,
            id=order.key,
            number=order.number,
            amount=gross,
            state=StatementState.CANCELED if ended else StatementState.LIVE,
            status=row["stage"] or "open",
            on_account=is_on_account(order),
            **at,
        )
    ]
    for payment in captured(order):
        if payment.amount:
            found.append(
                Statement(
                    kind=StatementKind.PAYMENT,
                    system=PORTAL,
                    key=order.key,
                    id=payment.transaction_id,
                    item=payment.transaction_id,
                    amount=payment.amount,
                    state=StatementState.LIVE,
                    status="captured",
                    **at,
                )
            )
    return found
