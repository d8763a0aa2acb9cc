"""The stage of a chaos run: the whole stack with two workers, at a quick pace, and the hand that kills its parts."""

import asyncio
import contextlib
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from engine.processes import Child
from engine.stack import Stack
from tests.chaos.orders import BRIEF
from tests.flow.stand import PACE
from tests.stack_process import ROOT, running_stack

BACK_WITHIN = 90.0  # seconds that a killed part may take until it serves again
BRIEF_SECONDS = 12
LOOK_EVERY = 0.1

_WATCHED = {
    f"SYSTEMS__{name}__{setting}": value
    for name in ("MAGENTO", "FINANCIALFORCE", "JUSTON")
    for setting, value in {"WATCH": "true", "PROBE_EVERY_SECONDS": "1", "RECOVERY_STEP_SECONDS": "0.5"}.items()
}
_QUICK = {
    **PACE,
    **_WATCHED,
    "SYSTEMS__MAGENTO__FOLLOW_EVERY_SECONDS": "1",
    "SYSTEMS__JUSTON__FOLLOW_EVERY_SECONDS": "1",
    # What a slow hosted service carries out after our time-out is visible by then: trouble.py holds it up for 4 s.
    "SYSTEMS__JUSTON__HOSTED_TIMEOUT_SECONDS": "3",
    "SYSTEMS__JUSTON__VISIBLE_AFTER_SECONDS": "5",
    # The same for the shop, which carries out what it was slow with 6.5 s after it was sent.
    "SYSTEMS__MAGENTO__SETTLED_AFTER_SECONDS": "7",
    "STORE_DEFAULTS__RETRY_LONGEST_SECONDS": "2",
    "STORE_DEFAULTS__INVOICE_POLL_SECONDS": "3",
}
_BRIEF_STORE = f"""
[stores.{BRIEF}]
payment_hours = {BRIEF_SECONDS / 3600:.6f}
web_customer = "de:web"
"""


@contextlib.asynccontextmanager
async def standing(folder: Path) -> AsyncIterator[Stack]:
    """A started stack in `folder`, which is kept; nothing runs any more afterwards."""
    config = await asyncio.to_thread(_configured, folder)
    paced = {f"HOLDFAST__{name}": value for name, value in _QUICK.items()}
    async with running_stack(paced, config=config, data=folder / "data", workers=2) as stack:
        yield stack


def _configured(folder: Path) -> Path:
    config = folder / "holdfast.toml"
    config.write_text((ROOT / "holdfast.toml").read_text("utf-8") + _BRIEF_STORE, "utf-8")
    return config


class Killer:
    """kill -9 of single parts; `kills` counts them by process. The stack starts them again on the same data."""

    def __init__(self, stack: Stack) -> None:
        self.kills: Counter[str] = Counter()
        self._stack = stack
        self._turn: dict[str, asyncio.Lock] = {}

    async def kill(self, process: str) -> None:
        """Returns when the part serves again. Raises TimeoutError when it does not come back."""
        async with self._turn.setdefault(process, asyncio.Lock()):
            part = self._stack.part(process)
            async with asyncio.timeout(BACK_WITHIN):
                # It may be down for a moment already: a worker ends when another part's kill meets its start.
                await _until(lambda: _runs(part))
                victim = part.process
                assert victim is not None
                victim.kill()
                await victim.wait()
                self.kills[process.partition("-")[0]] += 1
                await _until(lambda: _serves_again(part, victim))


async def _runs(part: Child) -> bool:
    return part.process is not None and part.process.returncode is None


async def _serves_again(part: Child, victim: Process) -> bool:
    return part.process is not victim and part.ready is not None and await part.ready()


async def _until(look: Callable[[], Awaitable[bool]]) -> None:
    reached = False
    while not reached:
        await asyncio.sleep(LOOK_EVERY)
        reached = await look()
