"""Fixtures for all tests, and how random inputs are drawn.

`make test` draws the same inputs every time, so that one commit has one verdict. `make explore` draws new ones, and
more of them; what it finds becomes a fixed example beside the rule that it broke.
"""

import gc
import os

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.sandbox_process import sandbox

__all__ = ["sandbox"]

# Two cores for everything, and memory to spare: neither Temporal (written in Go) nor a worker within a test's process
# collects its garbage as often as it would by itself.
os.environ.setdefault("GOGC", "400")
gc.set_threshold(50_000, 20, 100)

# Their tests share one set of servers, which takes longer to start than most of them to run.
TOGETHER = ("tests/pages", "tests/reconcile", "tests/windows")
# The longest first: what is begun last decides when all are done.
LONGEST = (
    "tests/flow/test_killed_between_steps.py",
    "tests/pages",
    "tests/chaos/test_chaos.py",
    "tests/flow/test_disturbed_calls.py",
    "tests/outage",
    "tests/cli/test_demo_process.py",
    "tests/renewal",
    "tests/cli/test_up_process.py",
    "tests/reconcile",
    "tests/flow",
    "tests/workflows",
    "tests/once",
    "tests/telemetry",
    "tests/windows",
    "tests/allowance",
    "tests/api",
)


class OneStand(LoadScopeScheduling):  # type: ignore[misc]  # the package has no types
    """A file's tests stay in one process (`--dist loadfile`); those that share their servers, too."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneStand:
    return OneStand(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((i for i, path in enumerate(LONGEST) if item.nodeid.startswith(path)), len(LONGEST))

    items.sort(key=place)


# A slow machine is no verdict on a rule: no deadline for one example, and no limit on how long drawing one takes.
settings.register_profile("fixed", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "explore", settings.get_profile("fixed"), derandomize=False, max_examples=1000, print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))
