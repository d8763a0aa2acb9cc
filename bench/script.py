"""What a finished run asked of the engine, read from its history: the commands that a bare workflow repeats.

Counts are taken from the history, never typed in, so that the baseline follows when the measured process changes.
"""

import base64
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent


class Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Command(Part):
    """`number` counts activities, and timers; `data` is an activity's input as the engine keeps it, in base64.

    `seconds` is how long a timer was set to run; `values` are search attributes as the engine keeps them.
    """

    kind: Literal["activity", "local activity", "timer", "end timer", "search attributes", "answer update"]
    number: int = 0
    name: str = ""
    queue: str = ""
    data: str = ""
    seconds: float = 0
    values: dict[str, str] = {}

    def input(self, was: str, now: str) -> Payload:
        """The recorded input for another order: its number stands where the recorded one stood."""
        recorded = Payload.FromString(base64.b64decode(self.data))
        return Payload(metadata=recorded.metadata, data=recorded.data.replace(was.encode(), now.encode()))


class Turn(Part):
    """Commands that were given together, once these activities were done and so many signals had come."""

    after: tuple[int, ...]
    signals: int
    commands: tuple[Command, ...]


class Script(Part):
    """`order` is the number of the order whose history this was; `calls` how often vendors were asked for one order."""

    order: str
    turns: tuple[Turn, ...]
    calls: float = 0

    @property
    def signals(self) -> int:
        return self.turns[-1].signals

    def count(self, kind: str) -> int:
        return sum(command.kind == kind for turn in self.turns for command in turn.commands)


def script_of(order: str, events: Sequence[HistoryEvent]) -> Script:
    """The commands of a closed run, in the turns in which its workflow gave them.

    Raises ValueError for what an undisturbed checkout does not do: child runs, failed steps, timers that ran out.
    """
    activities: dict[int, int] = {}  # scheduled event -> number
    timers: dict[int, int] = {}
    done: dict[int, int] = {}  # completed event -> number
    signals: list[int] = []
    started: dict[int, int] = {}  # completed workflow task -> what it had seen
    turns: dict[int, list[Command]] = {}
    task = 0
    for event in events:
        kind = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
        command: Command | None = None
        if kind == "WORKFLOW_TASK_COMPLETED":
            task = event.event_id
            started[task] = event.workflow_task_completed_event_attributes.started_event_id
        elif kind == "ACTIVITY_TASK_SCHEDULED":
            number = activities[event.event_id] = len(activities)
            command = _activity(number, event)
        elif kind == "ACTIVITY_TASK_COMPLETED":
            done[event.event_id] = activities[event.activity_task_completed_event_attributes.scheduled_event_id]
        elif kind == "TIMER_STARTED":
            number = timers[event.event_id] = len(timers)
            runs = event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
            command = Command(kind="timer", number=number, seconds=runs / timedelta(seconds=1))
        elif kind == "TIMER_CANCELED":
            number = timers[event.timer_canceled_event_attributes.started_event_id]
            command = Command(kind="end timer", number=number)
        elif kind == "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES":
            fields = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
            values = {name: value.data.decode() for name, value in fields.items()}
            command = Command(kind="search attributes", values=values)
        elif kind == "MARKER_RECORDED":
            command = Command(kind="local activity")
        elif kind == "WORKFLOW_EXECUTION_UPDATE_COMPLETED":
            command = Command(kind="answer update")
        elif kind == "WORKFLOW_EXECUTION_SIGNALED":
            signals.append(event.event_id)
        elif kind not in _SILENT:
            raise ValueError(f"a bare workflow cannot repeat {kind}")
        if command is not None:
            turns.setdefault(task, []).append(command)
    return Script(
        order=order,
        turns=tuple(
            Turn(
                after=tuple(number for at, number in done.items() if at < started[task]),
                signals=sum(at < started[task] for at in signals),
                commands=tuple(commands),
            )
            for task, commands in turns.items()
        ),
    )


# What the engine notes by itself, whatever the workflow is.
_SILENT = frozenset(
    "WORKFLOW_EXECUTION_STARTED WORKFLOW_TASK_SCHEDULED WORKFLOW_TASK_STARTED ACTIVITY_TASK_STARTED "
    "WORKFLOW_EXECUTION_UPDATE_ACCEPTED WORKFLOW_EXECUTION_COMPLETED".split()
)


def _activity(number: int, event: HistoryEvent) -> Command:
    asked = event.activity_task_scheduled_event_attributes
    return Command(
        kind="activity",
        number=number,
        name=asked.activity_type.name,
        queue=asked.task_queue.name,
        data=base64.b64encode(asked.input.payloads[0].SerializeToString()).decode(),
    )
