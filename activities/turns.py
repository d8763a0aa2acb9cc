"""Writes to a target that takes no idempotency key: a try waits until the last one can no longer be carried out.

A request whose answer was lost may still be carried out after the look-up that did not find its document. So each try
is noted before it is sent, in our own memory, where a killed worker leaves it too.
"""

import itertools
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

from activities.changes import Intents
from commerce.failures import Family, SystemFailure
from commerce.model import UtcDatetime

LONGEST_PAUSE = 10  # seconds until the document is looked for again: it may be there before the time is up
_NOTHING_HAPPENED = frozenset({Family.TRANSIENT, Family.REJECTED})


class Memory(Intents, Protocol):
    async def forget_begun(self, key: str) -> None:
        """The write under `key` was refused for certain, or never sent."""
        ...


class Turns:
    """`settled_after`: a request has been carried out this long after it was sent, or never will be."""

    def __init__(
        self,
        memory: Memory,
        *,
        system: str,
        settled_after: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._memory = memory
        self._system = system
        self._settled_after = settled_after
        self.now = now

    @asynccontextmanager
    async def take(self, key: str, *, looked_at: datetime, tried: str) -> AsyncIterator[None]:
        """Write inside. `key` names the write, `looked_at` is the moment before the look-up that found nothing.

        Raises SystemFailure (TRANSIENT) while an earlier try may still be carried out.
        """
        name = await self._next(key, looked_at, tried)
        try:
            yield
        except SystemFailure as failure:
            if failure.family in _NOTHING_HAPPENED:
                await self._memory.forget_begun(name)
            raise

    async def _next(self, key: str, looked_at: datetime, tried: str) -> str:
        for turn in itertools.count(1):
            name = f"{self._system}:{key}:{turn}"
            begun = await self._memory.begun(name)
            if begun is None:
                return name
            not_settled(begun, looked_at, self._settled_after, tried=tried, system=self._system)
        raise AssertionError("unreachable")


def not_settled(since: UtcDatetime, looked_at: datetime, settled_after: timedelta, *, tried: str, system: str) -> None:
    """Raises SystemFailure (TRANSIENT) when a request of `since` may have been carried out after `looked_at`."""
    wait = settled_after - (looked_at - since)
    if wait > timedelta():
        raise SystemFailure(
            Family.TRANSIENT,
            tried,
            "an earlier request, whose answer was lost, may still be carried out",
            system=system,
            code="not settled",
            retry_after=max(1, min(math.ceil(wait.total_seconds()), LONGEST_PAUSE)),
            do_next="nothing: its document is looked for again by itself, and written when it cannot come any more",
        )
