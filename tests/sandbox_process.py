"""The sandbox as a process of its own, as a merchant runs it: `python -m sandbox`, driven through its control API."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

ROOT = Path(__file__).parents[1]
START_SECONDS = 30.0
STOP_SECONDS = 10.0


class Sandbox:
    """A running sandbox. Calls block: the sandbox is another process, so the test's own loop is not needed for them."""

    def __init__(self, addresses: dict[str, str], process: "subprocess.Popen[bytes]") -> None:
        self.addresses = addresses
        self.process = process
        self._control = httpx2.Client(base_url=addresses["control"], timeout=30)

    def url(self, name: str) -> str:
        """Address of `control`, `magento`, `salesforce`, `juston`, `mail`, ... or host:port of `mail-smtp`."""
        return self.addresses[name]

    def systems(self) -> dict[str, Any]:
        found: dict[str, Any] = self._ask("GET", "/systems")
        return found

    def credentials(self, name: str) -> dict[str, Any]:
        """What a client of this vendor needs to sign in."""
        found: dict[str, Any] = self.systems()[name]["credentials"]
        return found

    def reset(self, seed: str = "demo") -> None:
        """Wipe all vendors, load the data set, drop all fault rules."""
        self._ask("POST", "/reset", {"seed": seed})

    def faults(self, name: str, *rules: dict[str, Any]) -> None:
        """Replace the fault rules of one vendor."""
        self._ask("PUT", f"/systems/{name}/faults", list(rules))

    def no_faults(self, name: str) -> None:
        self._ask("DELETE", f"/systems/{name}/faults")

    def fired(self, name: str) -> list[int]:
        """How often each fault rule of this vendor has struck."""
        return [int(rule["fired"]) for rule in self.rules(name)]

    def rules(self, name: str) -> list[dict[str, Any]]:
        """The fault rules of this vendor: how many requests each has `seen`, and how often it `fired`."""
        found: list[dict[str, Any]] = self._ask("GET", f"/systems/{name}/faults")
        return found

    def act(self, name: str, do: str, /, **arguments: Any) -> dict[str, Any]:
        """Make the vendor's own people or jobs do something."""
        done: dict[str, Any] = self._ask("POST", f"/systems/{name}/act", {"do": do, **arguments})
        return done

    def books(self, name: str) -> dict[str, Any]:
        """The documents that exist, in the neutral shape; two with one key are two rows."""
        found: dict[str, Any] = self._ask("GET", f"/systems/{name}/books")
        return found

    def requests(self, name: str, since: int = 0, *, bodies: bool = False) -> list[dict[str, Any]]:
        """What was asked of this vendor after request `since`, oldest first."""
        asked = f"/systems/{name}/requests?since={since}" + ("&bodies=1" if bodies else "")
        found: list[dict[str, Any]] = self._ask("GET", asked)
        return found

    def notify(self, name: str, url: str, secret: str = "sandbox-notifications", **topics: str) -> None:
        """Where this vendor sends its notifications, and those of a topic with an address of its own."""
        self._ask("PUT", f"/systems/{name}/notify", {"url": url, "secret": secret, "topics": topics})

    def keep_quiet(self, name: str) -> None:
        """No more notifications of this vendor."""
        self._ask("DELETE", f"/systems/{name}/notify")

    def clock(self, *, auto: bool, speed: int = 60) -> None:
        """Whether the vendors' own jobs run by themselves, and how fast."""
        self._ask("PUT", "/clock", {"auto": auto, "speed": speed})

    def close(self) -> None:
        self._control.close()

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body, default=str).encode()
        response = self._control.request(method, path, content=content, headers={"content-type": "application/json"})
        assert response.status_code == 200, f"{method} {path}: {response.status_code} {response.text}"
        return json.loads(response.text, parse_float=Decimal)


@contextmanager
def running_sandbox(data: Path, *arguments: str) -> Iterator[Sandbox]:
    """A sandbox on free ports with its state in `data`; stopped, by its process, at the end."""
    ports_file, log_file = data / "ports.json", data / "sandbox.log"
    command = [sys.executable, "-m", "sandbox", "--data", str(data), "--base-port", "0"]
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [*command, "--ports-file", str(ports_file), *arguments], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            sandbox = Sandbox(_addresses(process, ports_file, log_file), process)
            try:
                yield sandbox
            finally:
                sandbox.close()
        finally:
            _stop(process)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One sandbox for the whole session, with the demo data; a test that changes much calls `reset()` first."""
    with tempfile.TemporaryDirectory(prefix="holdfast-sandbox-") as data, running_sandbox(Path(data)) as running:
        yield running


def _addresses(process: "subprocess.Popen[bytes]", ports_file: Path, log_file: Path) -> dict[str, str]:
    deadline = time.monotonic() + START_SECONDS
    while not ports_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            ended = f"ended with {process.returncode}" if process.returncode is not None else "is not ready"
            raise RuntimeError(f"the sandbox {ended}:\n{log_file.read_text(encoding='utf-8', errors='replace')}")
        time.sleep(0.02)
    addresses: dict[str, str] = json.loads(ports_file.read_text(encoding="utf-8"))
    return addresses


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
