"""What the clock starts: the nightly reconciliation. Made, changed or removed as the configuration says."""

from datetime import time, timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from workflows.names import RECONCILIATION_SCHEDULE, WORKFLOW_QUEUE, reconciliation_id
from workflows.reconciliation import Reconciliation, ReconciliationInput

# A comparison that an outage of the engine prevented is made up for, but not after half a day: the next one is near.
_CATCH_UP = timedelta(hours=12)


async def set_reconciliation(client: Client, *, at: time | None, time_zone: str, days: float) -> None:
    """A comparison of the last `days`, every day `at` this time; None: none. Safe to repeat, from several workers."""
    handle = client.get_schedule_handle(RECONCILIATION_SCHEDULE)
    if at is None:
        try:
            await handle.delete()
        except RPCError as err:
            if err.status is not RPCStatusCode.NOT_FOUND:
                raise
        return
    wanted = _schedule(at, time_zone, days)
    try:
        await client.create_schedule(RECONCILIATION_SCHEDULE, wanted)
    except ScheduleAlreadyRunningError:

        def changed(there: ScheduleUpdateInput) -> ScheduleUpdate:
            # Somebody may have paused it in the engine; that stays.
            wanted.state = there.description.schedule.state
            return ScheduleUpdate(schedule=wanted)

        await handle.update(changed)


def _schedule(at: time, time_zone: str, days: float) -> Schedule:
    daily = ScheduleCalendarSpec(hour=[ScheduleRange(at.hour)], minute=[ScheduleRange(at.minute)])
    return Schedule(
        action=ScheduleActionStartWorkflow(
            Reconciliation.run,
            ReconciliationInput(days=days),
            id=reconciliation_id("scheduled"),
            task_queue=WORKFLOW_QUEUE,
            static_summary="Compares both sides of every pair",
        ),
        spec=ScheduleSpec(calendars=[daily], time_zone_name=time_zone),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=_CATCH_UP),
    )
