"""Whether the queue of a system that is up moves. The engine is told to let its steps go; this sees that it does.

A rate that was set while the engine restarted, or by another hand, may be in force for longer than anybody wants it,
and a queue that nobody polls looks the same from outside: steps wait, and none is handed out.
"""

from dataclasses import dataclass
from datetime import timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

# The engine splits a queue into so many parts unless told otherwise, and each keeps its share of the rate.
_PARTS = 4


@dataclass(frozen=True)
class QueueLook:
    """The engine's own, approximate numbers, a few seconds old.

    `age`: seconds that the oldest step has waited. `dispatched`: steps per second over about the last half minute.
    `rate`: steps per second in force now. `pollers`: workers that asked for steps in the last minutes.
    """

    steps: int = 0
    age: float = 0.0
    dispatched: float = 0.0
    rate: float = 0.0
    pollers: int = 0

    @property
    def moves(self) -> bool:
        return self.steps == 0 or self.dispatched > 0

    def stands(self, patience: float) -> bool:
        """Whether nothing was handed out for `patience` seconds that should have been, at the pace in force."""
        at_least = 2 * _PARTS / self.rate if self.rate > 0 else 0.0
        return not self.moves and self.age >= max(patience, at_least)

    def words(self) -> str:
        some = "1 step waits" if self.steps == 1 else f"about {self.steps} steps wait"
        rate = "at rate 0" if self.rate <= 0 else "at a free rate"
        polled = {0: "no worker asks for them", 1: "1 worker asks for them"}.get(
            self.pollers, f"{self.pollers} workers ask for them"
        )
        return f"{some}, the oldest for {self.age:.0f} s, none is handed out; {polled}, {rate}"


async def look_at(client: Client, queue: str, *, within: timedelta) -> QueueLook:
    """Raises RPCError."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        report_stats=True,
        report_pollers=True,
    )
    found = await client.workflow_service.describe_task_queue(request, timeout=within)
    return QueueLook(
        steps=found.stats.approximate_backlog_count,
        age=found.stats.approximate_backlog_age.ToTimedelta().total_seconds(),
        dispatched=found.stats.tasks_dispatch_rate,
        rate=found.effective_rate_limit.requests_per_second,
        pollers=len(found.pollers),
    )
