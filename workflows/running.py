"""How a process runs its steps at the systems and asks our own memory, and how it says where it rests.

The plain way costs as little as it can: a step is said to wait only when it does, and our memory is asked beside the
workflow itself as long as it answers at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import SearchAttributePair
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, RetryState, is_cancelled_exception
from temporalio.exceptions import TimeoutError as StepTimeout

with workflow.unsafe.imports_passed_through():
    from activities.control import Plan
    from commerce.documents import Stage
    from commerce.failures import Family
    from workflows.names import NEEDS_PERSON, STAGE, WAITING_ON
    from workflows.profiles import control_step, quick_control_step, swift_step, system_step
    from workflows.unforeseen import stop_here

# So long a run believes what a feed has read; after that it looks itself.
FRESH = timedelta(minutes=1)
T = TypeVar("T")
R = TypeVar("R")


class Stopped(Exception):
    """The way forward ends here: cancelled, expired or given up. What was done is undone."""

    def __init__(self, stage: Stage, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage
        self.reason = reason


class StepRunning:
    """State and steps that every process shares. Subclasses set the plan."""

    def __init__(self, store: str, number: str) -> None:
        self._store = store
        self._number = number
        self._key = f"{store}:{number}"
        self._plan: Plan | None = None
        self._stop: Stopped | None = None
        self._undoing = False
        # Steps that ended without an answer, and when: what they asked for may still be carried out.
        self._unanswered: dict[Any, datetime] = {}
        self._waiting_on = ""
        # What the search attributes say; the start has set some.
        self._published: dict[str, Any] = {
            pair.key.name: pair.value for pair in workflow.info().typed_search_attributes
        }

    async def _attempt(self, step: str, system: str, method: Callable[[Any, T], Awaitable[R]], task: T) -> R:
        """Swiftly, as nearly always; else the run says that it waits for the system, and the step is tried for weeks.

        So the plain way needs no word about waiting that lasts a moment only.
        """
        plan, summary = self._need_plan(), f"{step}: {self._key}"
        try:
            return await self._call(method, task, swift_step(plan, system, summary))
        except ActivityError as err:
            if not may_still_come(err):
                raise
            pause = hint_of(err)
            self._unanswered[method] = workflow.now()
        self._stop_if_asked()
        self._rests(system)
        if pause:  # what the system asked for before the next call
            try:
                await workflow.wait_condition(self._stopping, timeout=pause, timeout_summary=f"{system} asked to wait")
            except TimeoutError:
                pass
            except asyncio.CancelledError:
                self._stop_by_engine()
            self._stop_if_asked()
        return await self._call(method, task, system_step(plan, system, summary))

    async def _call(self, method: Callable[[Any, T], Awaitable[R]], task: T, options: Any) -> R:
        running: asyncio.Task[R] = asyncio.ensure_future(workflow.start_activity_method(method, task, **options))
        if not self._undoing:
            try:
                await workflow.wait_condition(lambda: running.done() or self._stop is not None)
            except asyncio.CancelledError:
                self._stop_by_engine()
            if not running.done():
                # A call that waits for its next try ends at once; one that is under way is let finish, because half
                # a write is what the undo cannot see.
                running.cancel()
        return await running

    async def _together(self, *steps: Awaitable[None]) -> None:
        """Steps side by side. Each is let end, so that none leaves a case open; then the first error counts."""
        for end in await asyncio.gather(*steps, return_exceptions=True):
            if isinstance(end, BaseException):
                raise end

    async def _control(self, method: Callable[[Any, T], Awaitable[R]], task: T, summary: str) -> R:
        return await self._carried_out(workflow.start_activity_method(method, task, **control_step(summary)))

    async def _control_at_once(self, method: Callable[[Any, T], Awaitable[R]], task: T, summary: str) -> R:
        """Like `_control`, beside the workflow itself where our memory answers at once."""
        try:
            return await self._carried_out(
                workflow.start_local_activity_method(method, task, **quick_control_step(summary))
            )
        except FailureError as err:  # now as ActivityError, now bare: the SDK does both, and a replay may do the other
            if is_cancelled_exception(err):
                raise
        return await self._control(method, task, summary)

    async def _carried_out(self, work: "asyncio.Future[R]") -> R:
        """To its end. A cancellation in the engine that comes meanwhile counts from the next step on: our memory is not
        left with half of what happened, such as a case that is open while nobody waits for its decision.
        """
        while True:
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                if work.cancelled() or workflow.cancellation_reason() is None:
                    raise
                self._stop_by_engine()

    async def _to_the_end(self, work: Coroutine[Any, Any, R]) -> R:
        """The last steps of a run. A cancellation in the engine that comes meanwhile ends nothing."""
        last = asyncio.create_task(work)
        try:
            return await asyncio.shield(last)
        except asyncio.CancelledError:
            self._stop_by_engine()
            return await last

    def _begin_beside(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Beside the run's own way. What nobody foresaw in it is not lost with a task whose end nobody waits for."""

        async def to_its_end() -> None:
            try:
                await work
            except Stopped:
                raise
            except Exception as err:
                if is_cancelled_exception(err):
                    raise
                await stop_here(err)

        return asyncio.create_task(to_its_end())

    # ---- what everybody can read -------------------------------------------------------------------------------------

    def _rests(self, system: str) -> None:
        """A step waits for its system: it did not succeed swiftly."""
        self._publish(waiting_on=self._waiting_on or system)

    def _publish(self, *, waiting_on: str | None = None, needs_person: bool | None = None) -> None:
        """Write where the run rests into its search attributes, as far as they do not say it yet."""
        waits = self._waiting_on if waiting_on is None else waiting_on
        wanted: list[SearchAttributePair[Any]] = [SearchAttributePair(WAITING_ON, waits)]
        if self._stage_shown():
            wanted.append(SearchAttributePair(STAGE, self._stage_shown()))
        if needs_person is not None:
            wanted.append(SearchAttributePair(NEEDS_PERSON, needs_person))
        news = [pair for pair in wanted if (self._published.get(pair.key.name) or "") != (pair.value or "")]
        if news:
            self._published |= {pair.key.name: pair.value for pair in news}
            workflow.upsert_search_attributes([pair.key.value_set(pair.value) for pair in news])

    def _stage_shown(self) -> str:
        """The stage for the search attribute; empty for a process without stages."""
        return ""

    # ---- state -------------------------------------------------------------------------------------------------------

    def _stopping(self) -> bool:
        return self._stop is not None and not self._undoing

    def _stop_if_asked(self) -> None:
        if self._stop is not None and not self._undoing:
            raise self._stop

    def _stop_by_engine(self) -> None:
        """Somebody cancelled the run in the engine itself: the same as a cancellation through us."""
        if self._stop is None:
            self._stop = Stopped(Stage.CANCELLED, "cancelled through the engine")

    def _need_plan(self) -> Plan:
        if self._plan is None:
            raise ApplicationError("the run has no plan yet", type=Family.BUG.value)
        return self._plan


def may_still_come(err: ActivityError) -> bool:
    """The step ended because it was not swift enough: nothing says that the next try fails too."""
    return isinstance(err.cause, StepTimeout) or err.retry_state in (
        RetryState.MAXIMUM_ATTEMPTS_REACHED,
        RetryState.TIMEOUT,
    )


def hint_of(err: ActivityError) -> timedelta | None:
    """How long the system asked to be left alone."""
    return err.cause.next_retry_delay if isinstance(err.cause, ApplicationError) else None
