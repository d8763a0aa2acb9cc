"""What waits for an endpoint: the orders that rest at it, their money, and what its queue holds."""

from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from activities.ledger.endpoints import EndpointBook
from activities.watch import Held
from commerce.money import Money

_MOST = 10_000  # orders that are counted one by one


async def held_by(client: Client, book: EndpointBook, endpoint: str, *, within: timedelta | None = None) -> Held:
    """Orders from the engine's search, their money from the ledger, steps from the queue's own statistics.

    Raises RPCError and SystemFailure.
    """
    query = f'WaitingOn = "{endpoint}" AND ExecutionStatus = "Running"'
    runs = client.list_workflows(query, limit=_MOST, rpc_timeout=within)
    keys = [run.id.partition(":")[2] async for run in runs]
    amounts, oldest = await book.money_of(keys) if keys else ([], None)
    money = tuple(Money(minor=minor, currency=currency) for currency, minor in amounts)
    steps, since = await queued(client, f"system:{endpoint}", within=within)
    return Held(orders=len(keys), money=money, oldest=oldest, steps=steps, step_since=since)


async def queued(client: Client, queue: str, *, within: timedelta | None = None) -> tuple[int, datetime | None]:
    """How many activities the engine keeps in the queue, about, and since when the oldest. Raises RPCError."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        report_stats=True,
    )
    stats = (await client.workflow_service.describe_task_queue(request, timeout=within)).stats
    if not stats.approximate_backlog_count:
        return 0, None
    age = stats.approximate_backlog_age.ToTimedelta()
    return stats.approximate_backlog_count, datetime.now(UTC) - age if age else None
