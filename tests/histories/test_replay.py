"""Runs that are under way survive a new release: every recorded history replays with the code as it is now."""

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.histories.record import FOLDER, PATHS, file_of
from worker import WORKFLOWS
from workflows.converter import data_converter
from workflows.whole_tasks import WholeTasks

RECORDED = sorted(FOLDER.glob("*.json"))
LARGEST_BYTES = 300_000


def _history(file: Path) -> WorkflowHistory:
    data = json.loads(file.read_text("utf-8"))
    return WorkflowHistory.from_json(data.pop("workflowId"), data)


def _replayer() -> Replayer:
    return Replayer(workflows=WORKFLOWS, data_converter=data_converter, workflow_runner=WholeTasks())


def test_every_path_is_recorded_and_small() -> None:
    assert {file.stem for file in RECORDED} == {path.__name__ for path in PATHS}
    assert max(file.stat().st_size for file in RECORDED) < LARGEST_BYTES


@pytest.mark.parametrize("file", RECORDED, ids=[file.stem for file in RECORDED])
async def test_a_recorded_history_replays(file: Path) -> None:
    await _replayer().replay_workflow(_history(file))


async def test_a_process_that_takes_another_way_is_noticed() -> None:
    """The replay itself must be able to fail: a history of which one step was another one."""
    data = json.loads(file_of("paid_by_link_in_the_shop").read_text("utf-8"))
    other = json.loads(json.dumps(data).replace('"erp.book_all"', '"erp.book_it"'))
    assert other != data
    with pytest.raises(NondeterminismError):
        await _replayer().replay_workflow(WorkflowHistory.from_json(other.pop("workflowId"), other))
