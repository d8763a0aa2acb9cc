"""What activities that run for hours have in common: heartbeats, and waits that end when the worker stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from temporalio import activity

BEAT_EVERY = 5.0  # seconds; a slow system answers later than the engine's patience for a feed without a heartbeat


async def rest(seconds: float) -> None:
    """Ends early when the worker stops."""
    with suppress(TimeoutError):
        # Not `wait_for`: before Python 3.12 it swallows a cancellation that meets the end of the wait.
        async with asyncio.timeout(seconds):
            await activity.wait_for_worker_shutdown()


@asynccontextmanager
async def beating() -> AsyncIterator[None]:
    """Heartbeats for as long as the body runs, also while a system takes its time."""

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(BEAT_EVERY)

    beats = asyncio.create_task(beat())
    try:
        yield
    finally:
        beats.cancel()
