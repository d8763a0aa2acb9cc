"""A sandbox of its own for these tests: they fill its books by the hundred."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox_process import Sandbox, running_sandbox


@pytest.fixture(scope="module")
def vendors() -> Iterator[Sandbox]:
    with tempfile.TemporaryDirectory(prefix="holdfast-once-") as data, running_sandbox(Path(data)) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "vendors" in request.fixturenames:
        running: Sandbox = request.getfixturevalue("vendors")
        for name in ("magento", "salesforce", "juston"):
            running.no_faults(name)
