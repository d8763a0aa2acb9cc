"""Reconciliation: one run compares both sides of every pair for one period, from the systems themselves.

First every system names the orders of which a document was made or changed; then every system shows all documents of
those orders; then both sides are compared. What differs is read once more, because the systems are not read in the same
instant. The bulk stays in the ledger; only counts travel through this history.
"""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.control import Control, TellOperators
    from activities.reconcile import (
        Ask,
        Books,
        BooksRead,
        Compare,
        Course,
        Failed,
        FindKeys,
        KeysFound,
        Outcome,
        ReadBooks,
        Reconciler,
    )
    from commerce.failures import Family
    from commerce.model import Model, UtcDatetime
    from commerce.reconciliation_report import Report
    from workflows.names import CONTROL_QUEUE, reconciliation_of, system_queue
    from workflows.profiles import control_step
    from workflows.unforeseen import NOT_COMPARED

# Steps of orders have the middle of five priorities: their calls go before ours in every queue.
_LAST = Priority(priority_key=5)
_OWN = ""  # the endpoint name of our own memory
_FINAL = [Family.REJECTED.value, Family.NEEDS_PERSON.value, Family.BUG.value, "PayloadsTooLarge"]


class ReconciliationInput(Model):
    """`since` and `until` name the period; without them it is the last `days` before now, as the clock asks."""

    since: UtcDatetime | None = None
    until: UtcDatetime | None = None
    days: float = 2
    store: str = ""
    pair: str = ""
    by: str = "the schedule"
    patience_hours: float = 24


class ReconciliationView(Model):
    """How far it is."""

    phase: str
    orders: int = 0
    read: int = 0
    to_read: int = 0
    waits_for: tuple[str, ...] = ()
    report: Report | None = None


@workflow.defn(name="Reconciliation")
class Reconciliation:
    @workflow.init
    def __init__(self, given: ReconciliationInput) -> None:
        until = given.until or workflow.now()
        self._ask = Ask(
            id=reconciliation_of(workflow.info().workflow_id),
            since=given.since or until - timedelta(days=given.days),
            until=until,
            store=given.store,
            pair=given.pair,
            by=given.by,
            scheduled=given.until is None,
        )
        self._patience = timedelta(hours=given.patience_hours)
        self._view = ReconciliationView(phase="beginning")
        self._reading: set[str] = set()

    @workflow.query
    def view(self) -> ReconciliationView:
        return self._view.model_copy(update={"waits_for": tuple(sorted(self._reading))})

    @workflow.run
    async def run(self, given: ReconciliationInput) -> Report:
        course: Course = await workflow.execute_activity_method(
            Reconciler.begin, self._ask, **control_step("begin to compare")
        )
        try:
            await self._everywhere(course, "finding what changed", self._find_keys)
            await self._everywhere(course, "reading the documents", self._read)
            outcome = await self._compare(last=False)
            if outcome.unexplained:
                await self._everywhere(course, "reading again what differs", self._read_again)
            outcome = await self._compare(last=True)
        except ActivityError as err:
            await self._fail(err)
        if outcome.report is None:
            raise ApplicationError("the last look makes the report", type=Family.BUG.value, non_retryable=True)
        self._now("done", report=outcome.report)
        await self._tell(outcome, outcome.report)
        return outcome.report

    # ---- steps -------------------------------------------------------------------------------------------------------

    async def _everywhere(
        self, course: Course, phase: str, step: Callable[[Course, str], Coroutine[Any, Any, None]]
    ) -> None:
        """At all endpoints side by side; the first that cannot go on ends it, because half a comparison is none."""
        self._now(phase, read=0, to_read=self._view.orders * (len(course.endpoints) + 1))
        running = [asyncio.create_task(step(course, endpoint)) for endpoint in (*course.endpoints, _OWN)]
        try:
            await asyncio.gather(*running)
        finally:
            for task in running:
                task.cancel()

    async def _find_keys(self, course: Course, endpoint: str) -> None:
        cursor = ""
        while True:
            task = FindKeys(
                ask_id=self._ask.id, endpoint=endpoint, store=self._ask.store, period=course.period, cursor=cursor
            )
            method = Books.find_keys if endpoint else Reconciler.find_own_keys
            found: KeysFound = await self._do(endpoint, method, task, "find what changed")
            self._now(self._view.phase, orders=self._view.orders + found.number)
            cursor = found.cursor
            if not cursor:
                return

    async def _read(self, course: Course, endpoint: str, *, again: bool = False) -> None:
        after = ""
        while True:
            task = ReadBooks(ask_id=self._ask.id, endpoint=endpoint, after=after, again=again)
            method = Books.read if endpoint else Reconciler.read_own
            done: BooksRead = await self._do(endpoint, method, task, "read documents")
            self._now(self._view.phase, read=self._view.read + done.orders)
            after = done.after
            if not after:
                return

    async def _read_again(self, course: Course, endpoint: str) -> None:
        await self._read(course, endpoint, again=True)

    async def _do(self, endpoint: str, method: Any, task: Any, what: str) -> Any:
        self._reading.add(endpoint or "ledger")
        try:
            return await workflow.execute_activity_method(
                method,
                task,
                task_queue=system_queue(endpoint) if endpoint else CONTROL_QUEUE,
                start_to_close_timeout=timedelta(minutes=10),
                heartbeat_timeout=timedelta(seconds=60),
                schedule_to_close_timeout=self._patience,
                retry_policy=RetryPolicy(
                    initial_interval=timedelta(seconds=1),
                    backoff_coefficient=2.0,
                    maximum_interval=timedelta(minutes=1),
                    non_retryable_error_types=_FINAL,
                ),
                priority=_LAST,
                summary=f"{what}: {endpoint or 'ledger'}",
            )
        finally:
            self._reading.discard(endpoint or "ledger")

    async def _compare(self, *, last: bool) -> Outcome:
        self._now("comparing")
        found: Outcome = await workflow.execute_activity_method(
            Reconciler.compare,
            Compare(ask=self._ask, last=last),
            task_queue=CONTROL_QUEUE,
            start_to_close_timeout=timedelta(hours=1),
            heartbeat_timeout=timedelta(minutes=5),
            schedule_to_close_timeout=self._patience,
            retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=1)),
            priority=_LAST,
            summary="compare",
        )
        return found

    async def _fail(self, err: ActivityError) -> None:
        """Raises: a comparison that could not read everything says nothing."""
        reason = str(err.cause or err)
        await workflow.execute_activity_method(
            Reconciler.fail, Failed(ask=self._ask, reason=reason), **control_step("note why it failed")
        )
        if self._ask.scheduled:
            await self._tell_operators("Reconciliation could not be made", reason)
        raise ApplicationError(reason, type=NOT_COMPARED, non_retryable=True) from err

    async def _tell(self, outcome: Outcome, report: Report) -> None:
        """Operators hear of differences, and once when all is in step again."""
        if not self._ask.scheduled or (report.in_step and outcome.was_in_step):
            return
        if report.in_step:
            await self._tell_operators("Reconciliation: back in step", report.verdict)
        else:
            plural = "s" if report.differences != 1 else ""
            subject = f"Reconciliation: {report.differences} difference{plural}"
            await self._tell_operators(subject, f"{report.verdict}\n\n{outcome.summary}")

    async def _tell_operators(self, subject: str, text: str) -> None:
        period = f"{self._ask.since:%Y-%m-%d %H:%M} to {self._ask.until:%Y-%m-%d %H:%M} UTC"
        message = TellOperators(
            key=f"reconciliation:{self._ask.id}",
            subject=subject,
            text=f"{text}\n\nPeriod: {period}. The console's Reconciliation page has the whole report.",
            order_key="",
        )
        await workflow.execute_activity_method(Control.tell_operators, message, **control_step("tell operators"))

    def _now(self, phase: str, **changed: Any) -> None:
        self._view = self._view.model_copy(update={"phase": phase, **changed})
        workflow.set_current_details(f"**{phase}**, {self._view.orders} orders")
