"""Finds the runs that cannot go on, and tells operators: once when it begins, once when it is over.

A run whose task fails again and again stays open and says nothing by itself; the engine names it in the search
attribute `TemporalReportedProblems`. A run that was ended in the engine leaves its order to nobody.
Every worker looks; what is noted and told is in the ledger, so that it is noted and told once. A feed that cannot
read notes that by itself (`activities.feeds`), and is told from here.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.client import WorkflowExecution as Run
from temporalio.service import RPCError, RPCStatusCode

from activities.control import TellOperators
from activities.ledger.fulfillment import FulfillmentBook
from activities.ledger.store import Ledger
from activities.ledger.stuck import StuckBook
from commerce.failures import SystemFailure
from commerce.stuck import CHECKOUT, GOODS, OF_ORDERS, StuckRun, subject, text

log = logging.getLogger("holdfast.stuck")
PROBLEMS = "TemporalReportedProblems"
_FAILING = f"ExecutionStatus = 'Running' AND {PROBLEMS} IS NOT NULL"
_BADLY = (
    WorkflowExecutionStatus.FAILED,
    WorkflowExecutionStatus.TIMED_OUT,
    WorkflowExecutionStatus.TERMINATED,
    WorkflowExecutionStatus.CANCELED,
)
_ENDED = (
    f"WorkflowType IN ({', '.join(repr(one) for one in OF_ORDERS)}) "
    "AND ExecutionStatus IN ('Failed', 'TimedOut', 'Terminated', 'Canceled')"
)
_LOOK_BACK = timedelta(days=7)  # what ended while no worker ran is found, too
_MOST = 1000  # of each kind in one look; more come with the next
_LONGEST_REASON = 500  # characters


class StuckRuns:
    """`tell` reaches the operators."""

    def __init__(
        self, client: Client, ledger: Ledger, tell: Callable[[TellOperators], Awaitable[None]], *, every: float = 10.0
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._goods = FulfillmentBook(ledger.engine)
        self._book = StuckBook(ledger.engine)
        self._tell = tell
        self._every = every
        self._well: set[str] = set()  # runs that ended and were found to be missed by nobody

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except (RPCError, SystemFailure) as err:
                log.warning("runs are not looked at now: %s", err)
            except Exception:  # a look that ends for good would leave stuck runs unseen
                log.exception("runs are not looked at now")
            await asyncio.sleep(self._every)

    async def look(self) -> None:
        """Raises RPCError and SystemFailure."""
        noted = await self._book.open()
        for run in noted:
            outcome = await self._outcome(run)
            if outcome:
                await self._book.over(run, outcome)
        dismissed = await self._book.dismissed(datetime.now(UTC) - 2 * _LOOK_BACK)
        known = {(run.run_id, run.kind) for run in noted} | dismissed
        async for found in self._failing(known):
            await self._book.keep([found])
        async for found in self._ended(known):
            await self._book.keep([found])
        await self._book.tell(self._told, self._told_over)

    # ---- finding -----------------------------------------------------------------------------------------------------

    async def _failing(self, known: Collection[tuple[str, str]]) -> AsyncIterator[StuckRun]:
        async for run in self._client.list_workflows(_FAILING, limit=_MOST):
            if (run.run_id, "failing") not in known and _reports_problems(await self._described(run.id, run.run_id)):
                reason, since = await self._why(run)
                yield _stuck(run, "failing", reason, since or datetime.now(UTC))

    async def _ended(self, known: Collection[tuple[str, str]]) -> AsyncIterator[StuckRun]:
        since = datetime.now(UTC) - _LOOK_BACK
        query = f"{_ENDED} AND CloseTime > '{since:%Y-%m-%dT%H:%M:%SZ}'"
        async for run in self._client.list_workflows(query, limit=_MOST):
            if (run.run_id, "ended") in known or run.run_id in self._well:
                continue
            if await self._is_missed(run.id, run.run_id, run.workflow_type):
                reason, _ = await self._why(run)
                yield _stuck(run, "ended", reason, run.close_time or datetime.now(UTC))
            else:
                self._well.add(run.run_id)

    async def _is_missed(self, workflow_id: str, run_id: str, process: str) -> bool:
        """Whether nothing took its place while its order is open."""
        latest = await self._described(workflow_id)
        if latest is not None and latest.run_id != run_id:
            return False  # if that one ended badly, it is found by itself
        key = workflow_id.partition(":")[2]
        if process == CHECKOUT:
            order = await self._ledger.order(key)
            return order is None or not order.stage
        if process == GOODS:
            view = await self._goods.view(key)
            return view is None or not view.ended
        return latest is not None

    async def _outcome(self, run: StuckRun) -> str:
        """How a stuck run came to be over; empty while it is stuck. A feed says itself that it reads again."""
        if run.kind == "feed":
            return await self._how_ended(run.workflow_id)
        if run.kind == "ended":
            if await self._is_missed(run.workflow_id, run.run_id, run.process):
                return ""
            latest = await self._described(run.workflow_id)
            newer = latest is not None and latest.run_id != run.run_id
            return "a newer run has taken it up" if newer else "nobody misses it any more"
        described = await self._described(run.workflow_id, run.run_id)
        if described is None:
            return "the engine keeps it no more"
        if _reports_problems(described):
            return ""
        if described.status in _BADLY:
            return f"it was ended in the engine ({described.status.name.lower()})"
        return "it goes on again"

    async def _how_ended(self, workflow_id: str) -> str:
        described = await self._described(workflow_id)
        if described is None or described.status in (None, WorkflowExecutionStatus.RUNNING):
            return ""
        return f"it was ended in the engine ({described.status.name.lower()})"

    async def _described(self, workflow_id: str, run_id: str | None = None) -> WorkflowExecutionDescription | None:
        try:
            return await self._client.get_workflow_handle(workflow_id, run_id=run_id).describe()
        except RPCError as err:
            if err.status is RPCStatusCode.NOT_FOUND:
                return None
            raise

    async def _why(self, run: Run) -> tuple[str, datetime | None]:
        """What its history says last about it, and when that was."""
        asked = GetWorkflowExecutionHistoryReverseRequest(
            namespace=self._client.namespace,
            execution=WorkflowExecution(workflow_id=run.id, run_id=run.run_id),
            maximum_page_size=20,
        )
        answer = await self._client.workflow_service.get_workflow_execution_history_reverse(asked)
        for event in answer.history.events:
            said = _said(event)
            if said:
                first = said.splitlines()[0][:_LONGEST_REASON]  # what follows may quote the values of an order
                return first, event.event_time.ToDatetime(UTC)
        return "its task fails without a word", None

    # ---- telling -----------------------------------------------------------------------------------------------------

    async def _told(self, runs: Sequence[StuckRun], key: str) -> None:
        await self._tell(_notice(runs, f"stuck-runs:{key}", over=False))

    async def _told_over(self, runs: Sequence[StuckRun], key: str) -> None:
        await self._tell(_notice(runs, f"stuck-runs:{key}:over", over=True))


def _stuck(run: Run, kind: str, reason: str, since: datetime) -> StuckRun:
    return StuckRun.model_validate(
        {
            "workflow_id": run.id,
            "run_id": run.run_id,
            "process": run.workflow_type,
            "kind": kind,
            "reason": reason,
            "since": since,
        }
    )


def _notice(runs: Sequence[StuckRun], key: str, *, over: bool) -> TellOperators:
    order_key = runs[0].order_key if len(runs) == 1 else ""
    return TellOperators(key=key, subject=subject(runs, over=over), text=text(runs, over=over), order_key=order_key)


def _reports_problems(described: WorkflowExecutionDescription | None) -> bool:
    if described is None or described.status is not WorkflowExecutionStatus.RUNNING:
        return False
    return PROBLEMS in described.raw_info.search_attributes.indexed_fields


def _said(event: HistoryEvent) -> str:
    """Why a run's task failed, or how the run ended; empty for an event that says neither."""
    which = event.WhichOneof("attributes")
    if which == "workflow_task_failed_event_attributes":
        return _words(event.workflow_task_failed_event_attributes.failure)
    if which == "workflow_task_timed_out_event_attributes":
        return "its task takes longer than it may"
    if which == "workflow_execution_failed_event_attributes":
        return f"failed: {_words(event.workflow_execution_failed_event_attributes.failure)}"
    if which == "workflow_execution_terminated_event_attributes":
        return f"terminated: {event.workflow_execution_terminated_event_attributes.reason or 'without a reason'}"
    if which == "workflow_execution_timed_out_event_attributes":
        return "timed out"
    return "cancelled" if which == "workflow_execution_canceled_event_attributes" else ""


def _words(failure: Failure) -> str:
    said = failure.message
    while failure.HasField("cause") and failure.cause.message not in said:
        failure = failure.cause
        said += f"; because of {failure.message}"
    return said
