"""How operators are told: by mail, in chat rooms, and always in the log.

A notice is kept in the ledger once for each channel, and goes out from there: a process that tells people never waits
for a mail server or a chat service, and a channel that fails holds up no other. At least once: a kill between sending
and noting repeats a notice; a mail then has the same Message-ID.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from activities.control import TellOperators
from activities.ledger.notices import Notice, NoticeBook
from activities.notify.chat import ChatRoom, NotTaken
from activities.notify.mail import Mailer
from activities.notify.settings import MailSettings
from commerce.failures import SystemFailure

log = logging.getLogger("holdfast.notices")
LOG, MAIL = "log", "mail"
LONGEST_WAIT = 300.0  # seconds between two tries of one notice
Send = Callable[[Notice], Awaitable[None]]


class Notices:
    """Fills `Operators`. `run` sends what is due, for as long as the worker lives."""

    def __init__(
        self,
        book: NoticeBook,
        mailer: Mailer | None,
        settings: MailSettings | None,
        rooms: Sequence[ChatRoom] = (),
        *,
        give_up_after: timedelta = timedelta(days=3),
        look_every: float = 1.0,
    ) -> None:
        self._book = book
        self._mailer = mailer
        self._settings = settings
        self._give_up_after = give_up_after
        self._look_every = look_every
        self._channels: dict[str, Send] = {room.name: _to_room(room) for room in rooms}
        if mailer is not None:
            self._channels[MAIL] = self._mail
        self._news = {name: asyncio.Event() for name in self._channels}

    async def tell(self, message: TellOperators) -> None:
        """Keep the notice for every channel. Raises SystemFailure when our own memory is away."""
        log.warning("operators: %s", message.subject)

        def to(channel: str, receivers: tuple[str, ...] = ()) -> Notice:
            return Notice(
                key=message.key,
                channel=channel,
                subject=message.subject,
                text=message.text,
                order_key=message.order_key,
                receivers=receivers,
                state="sent" if channel == LOG else "waiting",
            )

        receivers = self._receivers(message)
        wanted = [name for name in self._channels if name != MAIL or receivers]
        await self._book.keep([to(LOG), *(to(name, receivers if name == MAIL else ()) for name in wanted)])
        for name in wanted:
            self._news[name].set()

    async def run(self) -> None:
        await asyncio.gather(*(self._serve(name) for name in self._channels))

    def _receivers(self, message: TellOperators) -> tuple[str, ...]:
        if self._settings is None:
            return ()
        escalation = self._settings.escalation if message.escalated else ()
        return tuple(dict.fromkeys((*self._settings.operators, *escalation, *message.also)))

    async def _serve(self, channel: str) -> None:
        news = self._news[channel]
        while True:
            news.clear()
            try:
                found = await self._book.take(channel)
                for notice in found:
                    await self._deliver(channel, notice)
            except SystemFailure as failure:
                found = []
                log.warning("notices by %s wait: %s", channel, failure)
            except Exception:  # one odd notice must not silence a channel for good
                found = []
                log.exception("notices by %s wait", channel)
            if not found:
                await _either(news, self._look_every)

    async def _deliver(self, channel: str, notice: Notice) -> None:
        try:
            await self._channels[channel](notice)
        except (SystemFailure, NotTaken) as err:
            reason = err.came_back if isinstance(err, SystemFailure) else str(err)
            age = datetime.now(UTC) - notice.at if notice.at else timedelta(0)
            if age > self._give_up_after:
                log.error("notice %s was never taken by %s and is given up: %s", notice.key, channel, reason)
                await self._book.give_up(notice, reason)
                return
            wait = timedelta(seconds=min(2.0 ** min(notice.tries, 10), LONGEST_WAIT))
            log.warning("notice %s waits %.0f s for %s: %s", notice.key, wait.total_seconds(), channel, reason)
            await self._book.postpone(notice, reason, wait)
        else:
            await self._book.sent(notice)

    async def _mail(self, notice: Notice) -> None:
        if self._mailer is not None:
            await self._mailer.send(notice.key, notice.receivers, notice.subject, notice.text, datetime.now(UTC))


def _to_room(room: ChatRoom) -> Send:
    async def send(notice: Notice) -> None:
        await room.send(notice.subject, notice.text)

    return send


async def _either(news: asyncio.Event, seconds: float) -> None:
    """Until there is news, or the time is over: another worker may have kept a notice."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):  # wait_for would lose a cancellation that comes together with news
            await news.wait()
