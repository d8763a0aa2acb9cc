"""What nobody foresaw stops a run and ends none.

The engine ends a run for good, with all that it knows, when one of its own failures (`FailureError`) leaves the run or
a signal. Here the run's task fails instead: the engine tries it again for ever, its search attribute
`TemporalReportedProblems` names the run, operators hear of it, and a release that mends the cause lets the run go on
where it stands. An update's failure goes to whoever asked for it, as ever.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception
from temporalio.worker import (
    ExecuteWorkflowInput,
    HandleSignalInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

R = TypeVar("R")
NOT_COMPARED = "NotCompared"
# Failures that a process means as its result, by their type.
MEANT = frozenset({NOT_COMPARED})


class Unforeseen(Exception):
    """Fails the run's task. It is none of the engine's own failures, because one of those would end the run."""

    def __init__(self, err: BaseException) -> None:
        super().__init__(f"nobody foresaw this; the run goes on with a release that mends it: {in_words(err)}")


class StaysOpen(Interceptor):
    """For every worker that runs workflows."""

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        return _StaysOpen


class _StaysOpen(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        return await _not_ended_by(self.next.execute_workflow(input))

    async def handle_signal(self, input: HandleSignalInput) -> None:
        await _not_ended_by(self.next.handle_signal(input))


async def _not_ended_by(work: Awaitable[R]) -> R:
    try:
        return await work
    except (FailureError, asyncio.CancelledError) as err:
        if is_meant(err):
            raise
        raise Unforeseen(err) from err


def is_meant(err: BaseException) -> bool:
    """Whether it is how a run may end: cancelled in the engine, or a failure that is its result."""
    if is_cancelled_exception(err):
        return workflow.cancellation_reason() is not None
    return isinstance(err, ApplicationError) and err.type in MEANT


async def stop_here(err: Exception) -> None:
    """Fail the run's task from work beside the run, whose end nobody waits for. Never returns."""

    def fail() -> bool:
        raise Unforeseen(err) from err

    await workflow.wait_condition(fail)


def in_words(err: BaseException) -> str:
    """A failure with what caused it, the outermost first."""
    words = []
    at: BaseException | None = err
    while at is not None:
        said = at.message if isinstance(at, FailureError) else str(at)
        words.append(f"{type(at).__name__}: {said}" if said else type(at).__name__)
        at = at.__cause__
    return "; because of ".join(words)
