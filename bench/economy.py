"""(c) What one order costs the engine: history events and billable actions of a prepaid order."""

import asyncio
import statistics
import time
from collections import Counter
from typing import Any

import httpx2
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from commerce.documents import CLOSED_STAGES, OrderView
from workflows.checkout_payment_invoice import CheckoutPaymentInvoice
from workflows.names import checkout_id

# One billable action each on Temporal Cloud, by the history event that shows it (retries are not in the history).
_ACTIONS = {
    "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED": "start",
    "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED": "activity",
    "EVENT_TYPE_TIMER_STARTED": "timer",
    "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED": "signal",
    "EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED": "update",
    "EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES": "search attributes",
}


async def economy(client: Client, control: httpx2.AsyncClient, keys: list[str]) -> dict[str, Any]:
    """From placed to handed over; `keys` are orders whose links are out and not paid yet."""
    events: list[int] = []
    actions: Counter[str] = Counter()
    for key in keys:
        (await control.post("/systems/juston/act", json={"do": "pay", "key": key})).raise_for_status()
        handle = client.get_workflow_handle_for(CheckoutPaymentInvoice.run, checkout_id(key))
        deadline = time.monotonic() + 120
        while True:
            view: OrderView = await handle.query(CheckoutPaymentInvoice.view)
            if view.stage in CLOSED_STAGES:
                break
            if time.monotonic() > deadline:
                raise RuntimeError(f"{key} is still {view.stage.value} after 120 s")
            await asyncio.sleep(0.5)
        history = await handle.fetch_history()
        events.append(len(history.events))
        actions.update(
            _ACTIONS[name] for event in history.events if (name := EventType.Name(event.event_type)) in _ACTIONS
        )
    return {
        "orders": len(keys),
        "events_per_order": round(statistics.mean(events), 1),
        "actions_per_order": round(sum(actions.values()) / len(keys), 1),
        "actions": {name: round(count / len(keys), 1) for name, count in sorted(actions.items())},
    }
