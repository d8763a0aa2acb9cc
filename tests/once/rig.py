"""Every write under trouble: what a path of the table is, and how a hundred orders go through it."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from tests.activities.juston.desk import as_engine
from tests.sandbox_process import Sandbox

# Writes under way at the same time: enough to be quick, few enough that a loaded machine answers in time.
ABREAST = 8
WITHIN = 60.0
Step = Callable[[Any], Awaitable[Any]]
# Documents by business key, each as text with its state and amount.
Found = dict[str, list[str]]


@dataclass(frozen=True)
class Trouble:
    """A fault of the sandbox. `carried_out`: the vendor did what was asked, and only the answer is lost."""

    kind: str
    orders: int
    carried_out: bool


TROUBLES = (
    Trouble("lose-reply", 100, True),
    Trouble("garble", 20, True),
    Trouble("cut-request", 20, False),
)


@dataclass(frozen=True)
class Path:
    """One write to one vendor. `repeats`: how often it is sent again after an answer that was lost.

    `name` begins with the activity's name. A write that finds its document does not send again. `bodiless`: a success
    comes without a body, so that nothing of it can be garbled.
    """

    name: str
    vendor: str
    method: str
    path: str
    repeats: int = 0
    bodiless: bool = False

    @property
    def activity(self) -> str:
        return self.name.split(":")[0]

    def covers(self, vendor: str, method: str, path: str) -> bool:
        return (self.vendor, self.method) == (vendor, method) and re.search(self.path, path) is not None

    def rule(self, kind: str, **options: Any) -> dict[str, Any]:
        return {"kind": kind, "match": {"method": self.method, "path": self.path}, **options}


def cases(*paths: Path) -> list[Any]:
    """Parameters `path` and `trouble`: every path in every trouble that it can meet."""
    return [
        pytest.param(path, trouble, id=f"{path.name}, {trouble.kind}")
        for path in paths
        for trouble in TROUBLES
        if not (path.bodiless and trouble.kind == "garble")
    ]


async def abreast(work: Callable[[Any], Awaitable[Any]], items: Sequence[Any]) -> list[Any]:
    """`work` on every item, a few at a time, results in the order of the items."""
    turns = asyncio.Semaphore(ABREAST)

    async def one(item: Any) -> Any:
        async with turns:
            return await work(item)

    return list(await asyncio.gather(*(one(item) for item in items)))


async def troubled(sandbox: Sandbox, path: Path, trouble: Trouble, step: Step, tasks: Sequence[Any]) -> list[Any]:
    """The results of a step whose every first write met the trouble, repeated as the engine repeats it.

    Fails when a first try was not struck, was taken for a success, or when a write was sent more often than it may be.
    """
    sandbox.faults(path.vendor, path.rule(trouble.kind, times=len(tasks)))
    firsts = await abreast(lambda task: _failing(step, task), tasks)
    assert set(firsts) == {"OutcomeUnknown"}
    results = await abreast(lambda task: as_engine(step, task, seconds=WITHIN), tasks)
    [rule] = sandbox.rules(path.vendor)
    repeats = path.repeats if trouble.carried_out else 1
    assert (rule["fired"], rule["seen"]) == (len(tasks), len(tasks) * (1 + repeats))
    sandbox.no_faults(path.vendor)
    return results


async def _failing(step: Step, task: Any) -> str | None:
    try:
        await step(task)
    except ApplicationError as err:
        return f"{err.type}, for good" if err.non_retryable else err.type
    return None


def differences(found: Found, expected: Found) -> dict[str, tuple[list[str], list[str]]]:
    """What the books have and what they should have, for the keys that differ: readable for a hundred of them."""
    return {
        key: (found.get(key, []), expected.get(key, []))
        for key in sorted(found.keys() | expected.keys())
        if sorted(found.get(key, [])) != sorted(expected.get(key, []))
    }
