"""What the parts of the stack use, by Linux's own accounts (/proc)."""

import os
from collections import defaultdict
from pathlib import Path

from engine.stack import Stack

PROC = Path("/proc")
_TICK = os.sysconf("SC_CLK_TCK")


def cpu_by_part(stack: Stack) -> dict[str, float]:
    """Seconds of processor time that each part and its children have used so far."""
    children = _children()
    return {
        part.name: sum(_cpu(pid) for pid in _with_descendants(part.process.pid, children))
        for part in stack.household.children
        if part.process is not None
    }


def memory(pid: int) -> dict[str, int]:
    """Bytes of memory a process holds now and held at most."""
    status = dict(line.split(":", 1) for line in (PROC / str(pid) / "status").read_text().splitlines())
    return {"now": _bytes(status["VmRSS"]), "peak": _bytes(status["VmHWM"])}


def _bytes(amount: str) -> int:
    number, unit = amount.split()
    if unit != "kB":
        raise RuntimeError(f"unexpected unit {unit} in /proc")
    return int(number) * 1024


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for path in PROC.glob("[0-9]*"):
        fields = _stat(int(path.name))
        if fields:
            found[int(fields[1])].append(int(path.name))
    return found


def _with_descendants(pid: int, children: dict[int, list[int]]) -> list[int]:
    return [pid, *(below for child in children[pid] for below in _with_descendants(child, children))]


def _cpu(pid: int) -> float:
    """User and system time, with that of children that have ended."""
    fields = _stat(pid)
    return sum(int(ticks) for ticks in fields[11:15]) / _TICK if fields else 0.0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; nothing when the process has ended meanwhile."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()
