"""The baseline repeats what a recorded run asked of the engine, and the counts are the history's own."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from bench.economy import actions, kind, what_for
from bench.outage import busiest_second, erp_steps
from bench.script import Script, script_of
from tests.histories.record import FOLDER


def history(name: str) -> Sequence[HistoryEvent]:
    return WorkflowHistory.from_json(name, (FOLDER / f"{name}.json").read_text("utf-8")).events


@pytest.fixture(scope="module")
def paid() -> Sequence[HistoryEvent]:
    return history("paid_by_link_in_the_shop")


@pytest.fixture(scope="module")
def script(paid: Sequence[HistoryEvent]) -> Script:
    return script_of("2000000001", paid)


def test_every_command_of_the_recorded_run_is_repeated_once(paid: Sequence[HistoryEvent], script: Script) -> None:
    wanted = {
        "activity": "ACTIVITY_TASK_SCHEDULED",
        "local activity": "MARKER_RECORDED",
        "timer": "TIMER_STARTED",
        "end timer": "TIMER_CANCELED",
        "search attributes": "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
    }
    kinds = [kind(event) for event in paid]
    assert {name: script.count(name) for name in wanted} == {name: kinds.count(event) for name, event in wanted.items()}
    assert script.count("activity") > 5


def test_a_turn_waits_for_no_activity_that_was_not_asked_for_before_it(script: Script) -> None:
    asked: set[int] = set()
    for turn in script.turns:
        assert asked.issuperset(turn.after)
        asked |= {command.number for command in turn.commands if command.kind == "activity"}
    assert script.turns[0].after == ()
    assert len(script.turns[-1].after) >= len(asked) - 1


def test_signals_are_waited_for_in_the_turn_that_saw_them(paid: Sequence[HistoryEvent], script: Script) -> None:
    waited = [turn.signals for turn in script.turns]
    assert waited == sorted(waited)
    assert 0 < script.signals <= [kind(event) for event in paid].count("WORKFLOW_EXECUTION_SIGNALED")


def test_a_repeated_input_names_the_new_order_and_nothing_else_changes(script: Script) -> None:
    first = next(command for turn in script.turns for command in turn.commands if command.kind == "activity")
    assert first.input("de", "us").data == first.input("de", "de").data.replace(b"de", b"us") != b""
    assert first.input("de", "us").metadata["encoding"] == b"json/plain"


def test_a_run_with_a_child_or_a_failed_step_is_refused_as_a_sample() -> None:
    for odd in (EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED, EventType.EVENT_TYPE_TIMER_FIRED):
        with pytest.raises(ValueError, match="cannot repeat"):
            script_of("1", [HistoryEvent(event_id=1, event_type=odd)])


def test_every_billable_action_is_counted_and_explained(paid: Sequence[HistoryEvent]) -> None:
    counted = actions(paid)
    assert counted["start"] == 1
    assert counted["activity"] == [kind(event) for event in paid].count("ACTIVITY_TASK_SCHEDULED")
    assert sum(counted.values()) - counted["retry"] == len(what_for(paid))
    assert any("payments.ensure_entry" in line for line in what_for(paid))


def test_every_further_try_of_a_step_is_a_billable_action() -> None:
    event = HistoryEvent(event_type=EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED)
    event.activity_task_started_event_attributes.attempt = 4
    assert actions([event]) == {"retry": 3}


def test_the_steps_at_the_erp_are_told_from_all_others(paid: Sequence[HistoryEvent]) -> None:
    done, tries = erp_steps(paid)
    names = [e.activity_task_scheduled_event_attributes.activity_type.name for e in paid]
    assert len(done) == sum(name.startswith("erp.") for name in names)
    assert tries >= 1


def test_the_busiest_second_counts_what_falls_into_any_one_second() -> None:
    at = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms) for ms in (0, 900, 999, 1000, 1850, 5000)]
    assert busiest_second(at) == 4
    assert busiest_second([]) == 0
