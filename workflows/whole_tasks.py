"""A run moves on by its tasks alone, never by a question that somebody asks about it.

A question that reaches a worker without the run in its memory comes with the run's whole history. Where a timer has
fired or a signal has come since the run's last task, and the next task has not begun, the SDK's core (temporalio 1.35)
carries that out as well, with the clock of the last task: a run that looks at `workflow.now()` takes a way that no
replay takes, and its steps go out with the next task. The run then fails at its next replay, for ever. Here the
question fails instead, and the worker forgets the run: its next task builds it up from the history.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowQueryFailedError
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

R = TypeVar("R")
log = logging.getLogger("holdfast.worker")
NOT_NOW = "news of this run waits for its next task; ask again"
TRIES, PAUSE = 3, 0.3  # seconds
_MOVES_NOTHING = frozenset({"query_workflow", "remove_from_cache"})


class WholeTasks(SandboxedWorkflowRunner):
    """For every worker that runs workflows."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = super().create_instance(det)
        activate = instance.activate
        clock, length = -1, 0

        def activate_by_task(act: WorkflowActivation) -> WorkflowActivationCompletion:
            nonlocal clock, length
            if all(job.WhichOneof("variant") in _MOVES_NOTHING for job in act.jobs):
                return activate(act)
            now = act.timestamp.ToNanoseconds()
            # Every task has a time of its own. What comes later within one task adds no event to the history.
            stands = now == clock and act.history_length > length
            clock, length = now, act.history_length
            if not stands:
                return activate(act)
            log.info("run %s of %s was asked before its next task", det.info.run_id, det.info.workflow_id)
            refused = WorkflowActivationCompletion(run_id=act.run_id)
            refused.failed.failure.message = NOT_NOW
            return refused

        instance.activate = activate_by_task  # type: ignore[method-assign]
        return instance


async def asked(ask: Callable[[], Awaitable[R]]) -> R:
    """What a run answers. Asked again where its next task was waiting. Raises what `ask` raises."""
    for _ in range(TRIES - 1):
        try:
            return await ask()
        except WorkflowQueryFailedError as err:
            if not is_not_now(err):
                raise
        await asyncio.sleep(PAUSE)
    return await ask()


def is_not_now(err: WorkflowQueryFailedError) -> bool:
    """Whether the run was not asked, because its next task was waiting."""
    return NOT_NOW in str(err)
