"""How long each kind of step may take and how it is retried."""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.control import Plan
    from commerce.failures import Family
    from workflows.names import CONTROL_QUEUE, system_queue

# Ended by the family, not by a count: these never get better by themselves. PayloadsTooLarge is the engine's own.
_FINAL = [Family.REJECTED.value, Family.NEEDS_PERSON.value, Family.BUG.value, "PayloadsTooLarge"]


# One try: a few calls, each of which a slow vendor's proxy may hold for a minute.
_ONE_TRY = timedelta(minutes=3)
# So often a step fails before the run says that it waits for the system.
_SWIFT_TRIES = 3


def system_step(plan: Plan, system: str, summary: str) -> Any:
    """Activity options for one step at an outside system that waits until it succeeds.

    Transient failures are retried for weeks, an ERP's long outage included; after that the step parks.
    """
    return workflow.ActivityConfig(
        task_queue=system_queue(system),
        start_to_close_timeout=_ONE_TRY,
        heartbeat_timeout=timedelta(seconds=20),  # a worker that died is noticed by its silence, not after minutes
        schedule_to_close_timeout=timedelta(seconds=plan.give_up_after),
        retry_policy=RetryPolicy(
            initial_interval=timedelta(seconds=1),
            backoff_coefficient=2.0,
            maximum_interval=timedelta(seconds=plan.retry_longest),
            non_retryable_error_types=_FINAL,
        ),
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=summary,
    )


def swift_step(plan: Plan, system: str, summary: str, within: timedelta = _ONE_TRY) -> Any:
    """The same for the plain way: it ends as soon as it is clear that the step rests, so that the run can say so.

    That is when nobody takes it up (its queue is held back, or long), when it fails time and again, and when the
    system asks for more patience than `within`.
    """
    options = system_step(plan, system, summary)
    options["schedule_to_start_timeout"] = min(timedelta(seconds=plan.say_waiting_after), within)
    options["schedule_to_close_timeout"] = within
    options["retry_policy"].maximum_attempts = _SWIFT_TRIES
    return options


def quick_control_step(summary: str) -> Any:
    """The first try at our own memory, beside the workflow itself. When it does not end at once, `control_step` goes on
    from the queue: a memory that is away must not keep the run's own task waiting.
    """
    return workflow.LocalActivityConfig(
        start_to_close_timeout=timedelta(seconds=3),
        schedule_to_close_timeout=timedelta(seconds=3),
        retry_policy=RetryPolicy(maximum_attempts=1),
        summary=summary,
    )


def control_step(summary: str) -> Any:
    """Activity options for our own memory and messages: tried for as long as the run lives; nothing may be lost."""
    return workflow.ActivityConfig(
        task_queue=CONTROL_QUEUE,
        start_to_close_timeout=timedelta(seconds=30),
        schedule_to_close_timeout=timedelta(days=365),
        retry_policy=RetryPolicy(
            initial_interval=timedelta(milliseconds=500),
            backoff_coefficient=2.0,
            maximum_interval=timedelta(seconds=30),
        ),
        summary=summary,
    )
