"""(c) What one order costs the engine: history events and billable actions of a prepaid order, and what each is for."""

import asyncio
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from bench.vendors import Vendors
from workflows.checkout_payment_invoice import CheckoutPaymentInvoice
from workflows.names import checkout_id

CLOSED_WITHIN = 300.0  # seconds
# One billable action each on Temporal Cloud, by the history event that shows it. Heartbeats and queries leave none; a
# step's retries are told by its `attempt`.
_ACTIONS = {
    "WORKFLOW_EXECUTION_STARTED": "start",
    "ACTIVITY_TASK_SCHEDULED": "activity",
    "TIMER_STARTED": "timer",
    "WORKFLOW_EXECUTION_SIGNALED": "signal",
    "WORKFLOW_EXECUTION_UPDATE_ACCEPTED": "update",
    "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES": "search attributes",
    "MARKER_RECORDED": "local activity",  # at most one of ours in a workflow task: those of one task count once
    "START_CHILD_WORKFLOW_EXECUTION_INITIATED": "child",
}


def kind(event: HistoryEvent) -> str:
    return EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")


def actions(events: Sequence[HistoryEvent]) -> Counter[str]:
    """Billable actions by kind; every try of a step after the first is a `retry`."""
    found = Counter(_ACTIONS[kind(event)] for event in events if kind(event) in _ACTIONS)
    tries = [event.activity_task_started_event_attributes.attempt for event in events]
    retries = sum(attempt - 1 for attempt in tries if attempt > 1)
    return found + Counter({"retry": retries})


def what_for(events: Sequence[HistoryEvent]) -> list[str]:
    """Each billable action of a run in its order, with what it is for."""
    lines = []
    for event in events:
        name = _ACTIONS.get(kind(event))
        if name is not None:
            lines.append(f"{name}: {_purpose(event)}".removesuffix(": "))
    return lines


def _purpose(event: HistoryEvent) -> str:
    summary = event.user_metadata.summary.data.decode()
    if event.HasField("activity_task_scheduled_event_attributes"):
        return event.activity_task_scheduled_event_attributes.activity_type.name
    if event.HasField("workflow_execution_signaled_event_attributes"):
        signal = event.workflow_execution_signaled_event_attributes
        return f"{signal.signal_name} {signal.input.payloads[0].data.decode()}"
    if event.HasField("workflow_execution_update_accepted_event_attributes"):
        return event.workflow_execution_update_accepted_event_attributes.accepted_request.input.name
    if event.HasField("upsert_workflow_search_attributes_event_attributes"):
        fields = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
        return ", ".join(f"{name} {value.data.decode()}" for name, value in sorted(fields.items()))
    return summary.strip('"')


async def economy(client: Client, vendors: Vendors, keys: list[str]) -> dict[str, Any]:
    """From placed to handed over; `keys` are orders whose links are out and not paid yet."""
    events: list[int] = []
    sizes: list[int] = []
    by_type: Counter[str] = Counter()
    by_action: Counter[str] = Counter()
    example: list[str] = []
    for key in keys:
        await vendors.pay(key)
        handle = client.get_workflow_handle_for(CheckoutPaymentInvoice.run, checkout_id(key))
        async with asyncio.timeout(CLOSED_WITHIN):
            await handle.result()
        history = await handle.fetch_history()
        events.append(len(history.events))
        sizes.append(sum(event.ByteSize() for event in history.events))
        by_type.update(kind(event) for event in history.events)
        by_action.update(actions(history.events))
        example = what_for(history.events)
    return {
        "orders": len(keys),
        "events_per_order": round(statistics.mean(events), 1),
        "actions_per_order": round(sum(by_action.values()) / len(keys), 1),
        "history_bytes_per_order": round(statistics.mean(sizes)),
        "actions": {name: round(count / len(keys), 1) for name, count in sorted(by_action.items())},
        "events": {name.lower(): round(count / len(keys), 1) for name, count in by_type.most_common()},
        "actions_of_one_order": example,
    }
