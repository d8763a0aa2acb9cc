"""What the parts of the stack use, by Linux's own accounts (/proc)."""

import os
import resource
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


class OtherWork:
    """How much of the processors went to programs outside the benchmark: times measured beside others say little."""

    def __init__(self) -> None:
        self._busy, self._ours = _busy(), _ours()

    def share(self) -> float:
        """Of what the processors did since this was made, 0 to 1. Ended children count as ours once they are reaped."""
        busy = _busy() - self._busy
        return max(0.0, 1 - (_ours() - self._ours) / busy) if busy else 0.0


def _busy() -> float:
    """Seconds that all processors worked so far."""
    user, nice, system, _idle, _waiting, *interrupts = (int(ticks) for ticks in _first_line("stat").split()[1:8])
    return (user + nice + system + sum(interrupts)) / _TICK


def _ours() -> float:
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _first_line(name: str) -> str:
    return (PROC / name).read_text().partition("\n")[0]


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
