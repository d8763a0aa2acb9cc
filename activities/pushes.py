"""Listening to what a system pushes over a stream of its own, and leaving a hint for the feed that reads the truth.

The place in the stream is kept behind the hints, so that a kill repeats them. Whatever goes wrong here costs only time:
while nothing can be heard, the feed looks by itself, and after a gap it looks at everything once.
"""

import asyncio
import base64
import uuid
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.changes import PlaceLost, Push, Told
from activities.ledger.inbox import Inbox
from activities.ledger.store import Ledger
from commerce.failures import SystemFailure
from commerce.model import Model, UtcDatetime

EVERYTHING = "*"  # a hint without a record: look at all that changed
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds between tries
RETAINED = timedelta(hours=72)  # what vendors keep for those who were away


class Place(Model):
    """Where a subscription goes on, as the ledger keeps it. `replay_id` is the vendor's, in base64; empty: nowhere.

    `heard_at`: when something came last, if only a sign of life. `trouble` says why nothing can be heard now.
    """

    replay_id: str = ""
    heard_at: UtcDatetime | None = None
    trouble: str = ""


def place_in(cursor: str | None) -> Place:
    return Place() if cursor is None else Place.model_validate_json(cursor)


class Listener:
    """One turn of listening. `heard` counts the hints that were left."""

    def __init__(self, ledger: Ledger, inbox: Inbox) -> None:
        self.heard = 0
        self._ledger = ledger
        self._inbox = inbox

    async def listen(self, push: Push, turn: timedelta) -> int:
        """Listen until the turn or the worker ends. Returns how many hints were left."""
        listening = asyncio.create_task(self._listen(push))
        stopping = asyncio.create_task(activity.wait_for_worker_shutdown())
        both = {listening, stopping}
        try:
            await asyncio.wait(both, timeout=turn.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
            if listening.done():
                listening.result()  # it ends with an error only
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
        return self.heard

    async def _listen(self, push: Push) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                replay_id = await self._begin(push)
                async with aclosing(push.listen(replay_id)) as news:
                    async for told in news:
                        pause = FIRST_PAUSE
                        if replay_id is None:  # what changed before the stream stood was not told
                            await self._look_at_everything(push)
                            replay_id = told.replay_id
                        await self._keep(push, told)
                trouble = "the stream has ended"
            except PlaceLost as lost:
                await self._start_anew(push, str(lost))
                continue
            except SystemFailure as failure:
                trouble = str(failure)
            activity.logger.warning("%s hears nothing, and the feed looks by itself: %s", push.name, trouble)
            place = await self._place(push)
            await self._write(push, place.model_copy(update={"trouble": trouble}))
            await self._look_at_everything(push)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _begin(self, push: Push) -> bytes | None:
        """Where the stream is to go on. Without a place to go on from, everything is looked at once."""
        place = await self._place(push)
        if place.heard_at is not None and datetime.now(UTC) - place.heard_at > RETAINED:
            await self._start_anew(push, f"nothing was heard since {place.heard_at:%Y-%m-%d %H:%M} UTC")
            return None
        if not place.replay_id:
            await self._look_at_everything(push)
            return None
        return base64.b64decode(place.replay_id)

    async def _start_anew(self, push: Push, why: str) -> None:
        activity.logger.warning("%s goes on from now, and everything is looked at once: %s", push.name, why)
        await self._look_at_everything(push)
        await self._write(push, Place())

    async def _keep(self, push: Push, told: Told) -> None:
        """The hints first, and then the place behind them."""
        replay_id = base64.b64encode(told.replay_id).decode()
        if told.gap:
            activity.logger.warning("%s has a gap, and everything is looked at once: %s", push.name, told.gap)
            await self._look_at_everything(push)
        for reference in told.references:
            await self._hint(push, f"{push.name}:{replay_id}:{reference}", reference)
            self.heard += 1
        await self._write(push, Place(replay_id=replay_id, heard_at=datetime.now(UTC)))

    async def _look_at_everything(self, push: Push) -> None:
        """Also where such a hint waits already: the sweep that answers that one may have begun before the gap."""
        await self._hint(push, f"{push.name}:{uuid.uuid4()}", EVERYTHING)

    async def _hint(self, push: Push, message: str, reference: str) -> None:
        await self._ledger.keep_notification(
            push.system, {}, b"", sender_id=message, source=push.source, reference=reference
        )
        self._inbox.changed()

    async def _place(self, push: Push) -> Place:
        return place_in(await self._ledger.cursor(push.name))

    async def _write(self, push: Push, place: Place) -> None:
        await self._ledger.keep_cursor(push.name, place.model_dump_json())
