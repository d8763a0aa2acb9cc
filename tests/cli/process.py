"""The command line as a process of its own, on ports of its own, in a folder that is gone afterwards."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What would make a stack use servers or an API that are not its own.
NOT_OURS = ("HOLDFAST_LEDGER_URL", "TEMPORAL_ADDRESS", "HOLDFAST_API_URL", "HOLDFAST_TOKEN")


@contextmanager
def data_folder() -> Iterator[Path]:
    """Not pytest's own: PostgreSQL's account cannot enter that one when tests run as root."""
    with tempfile.TemporaryDirectory(prefix="holdfast-cli-", ignore_cleanup_errors=True) as folder:
        data = Path(folder) / "data"
        data.mkdir()
        base = random.randrange(20_000, 30_000, 20)
        names = ("api", "temporal", "ui", "postgres", "sandbox")
        (data / "ports.json").write_text(json.dumps({name: base + i for i, name in enumerate(names)}))
        yield data


@contextmanager
def starter(*arguments: str, out: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """A running `starter.py`; standard output goes to `out`. At the end it is stopped, by its process."""
    environment = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    with out.open("wb") as stdout, out.with_suffix(".err").open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "starter.py", *arguments], cwd=ROOT, env=environment, stdout=stdout, stderr=stderr
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def said(out: Path) -> str:
    """All that a process has said, for the message of a failed test."""
    return f"{out.read_text('utf-8')}\n{out.with_suffix('.err').read_text('utf-8')}"


def descendants(pid: int) -> set[int]:
    """The process ids of all children, and theirs."""
    parents = {int(entry.name): _parent(entry) for entry in Path("/proc").iterdir() if entry.name.isdecimal()}
    found: set[int] = set()
    fresh = {pid}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh} - found
        found |= fresh
    return found


def alive(pids: set[int]) -> set[int]:
    """Those that still run; an ended one that nobody has asked about yet does not."""
    return {pid for pid in pids if _state(Path(f"/proc/{pid}")) not in ("", "Z", "X")}


def wait_until_gone(pids: set[int], within: float) -> set[int]:
    """Those that still run after `within` seconds."""
    until = time.monotonic() + within
    while (left := alive(pids)) and time.monotonic() < until:
        time.sleep(0.1)
    return left


def _stat(entry: Path) -> list[str]:
    """Fields after the name, which may hold blanks: state, parent, ..."""
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["", "0"]


def _state(entry: Path) -> str:
    return _stat(entry)[0]


def _parent(entry: Path) -> int:
    return int(_stat(entry)[1])
