"""Feeds that cannot go on though their system is there: noted, so that people hear of it, and noted when it is over.

A right that was taken away, an answer that nobody can read: the engine tries the feed again for ever, and by itself it
would tell nobody. It is noted among the runs that cannot go on; `activities.stuck` tells operators from there.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from temporalio import activity
from temporalio.service import RPCError

from activities.changes import Source
from activities.engine_away import is_away
from activities.ledger.store import Ledger
from activities.ledger.stuck import StuckBook
from commerce.failures import SystemFailure
from commerce.stuck import FEED, StuckRun

UNSEEN, UNREAD = "what changes there is not seen meanwhile", "what a notification told of is not read meanwhile"
AGAIN = "it is tried again all the time, and goes on by itself"
_DECIDE = re.compile(r",? (?:then|and|or) decide '[a-z-]+'")  # there is no case to decide


class FeedTroubles:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._stuck = StuckBook(ledger.engine)
        self._uneasy: set[str] = set()  # what may be noted as a trouble, by the name of what is read

    @asynccontextmanager
    async def noted(self, source: Source) -> AsyncIterator[None]:
        """Whatever ends the body is noted and goes on its way. What somebody else has noted may be over now."""
        self._uneasy |= {source.name, _notifications(source)}
        try:
            yield
        except SystemFailure as failure:
            await self._cannot_go_on(source.name, source.name, f"{failure}; {UNSEEN}", _remedy(failure))
            raise
        except Exception as err:
            # The engine's own absence is no trouble of a feed: nothing at all goes on then.
            if not (isinstance(err, RPCError) and is_away(err)):
                reason = f"what it shows cannot be taken in: {type(err).__name__}; {UNSEEN}"
                remedy = f"report this, with the worker's log; {AGAIN} with the release that mends it"
                await self._cannot_go_on(source.name, source.name, reason, remedy)
            raise

    async def not_configured(self, source: str, reason: str, remedy: str) -> None:
        await self._cannot_go_on(source, source, reason, remedy)

    async def notification_refused(self, source: Source, failure: SystemFailure) -> None:
        self._uneasy.add(_notifications(source))
        await self._cannot_go_on(source.name, _notifications(source), f"{failure}; {UNREAD}", _remedy(failure))

    async def swept(self, source: Source) -> None:
        """All that changed was read, and so were notifications unless one still waits that was tried."""
        if source.name in self._uneasy:
            await self._stuck.feed_goes_on(source.name)
            self._uneasy.discard(source.name)
        if _notifications(source) in self._uneasy and not await self._ledger.is_refused(source.system, source.name):
            await self._stuck.feed_goes_on(_notifications(source))
            self._uneasy.discard(_notifications(source))

    async def _cannot_go_on(self, source: str, reads: str, reason: str, remedy: str) -> None:
        """The failure itself stays with whoever met it, also while our own memory is away."""
        noted = StuckRun(
            workflow_id=f"feed:{source}",
            run_id=reads,
            process=FEED,
            kind="feed",
            reason=reason,
            remedy=remedy,
            since=datetime.now(UTC),
        )
        try:
            await self._stuck.keep([noted])
        except SystemFailure as failure:
            activity.logger.warning("it was not noted yet that feed %s cannot go on: %s", source, failure)


def _notifications(source: Source) -> str:
    return f"{source.name}: notifications"


def _remedy(failure: SystemFailure) -> str:
    mends = _DECIDE.sub("", failure.do_next) or "mend what it names"
    return f"{mends}; {AGAIN} then"
