"""Operators hear of everything in every channel, each on its own, and the ledger knows which notice went where."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from activities.control import TellOperators
from activities.ledger.notices import Notice, NoticeBook
from activities.ledger.store import Ledger
from activities.notify.chat import ChatRoom
from activities.notify.mail import Mailer
from activities.notify.notices import Notices
from tests.notify.serving import serving
from tests.notify.test_mail import Inbox, settings_for
from tests.sandbox_process import Sandbox

DEADLINE = 90.0
DOWN = TellOperators(key="k1", subject="erp is down", text="2 orders wait: 200.48 EUR", order_key="")


class Room:
    """A chat service that answers as told."""

    def __init__(self) -> None:
        self.status = 200
        self.heard: list[dict[str, Any]] = []
        self.asked = 0
        self.app = Starlette(routes=[Route("/{rest:path}", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        self.asked += 1
        if self.status == 200:
            self.heard.append(await request.json())
        return Response(status_code=self.status)


@pytest.fixture
async def room() -> AsyncIterator[tuple[Room, str]]:
    made = Room()
    async with serving(made.app) as address:
        yield made, address.replace("http://", "json://") + "/hooks/s3cret-key"


@pytest.fixture
def book(ledger: Ledger) -> NoticeBook:
    return NoticeBook(ledger.engine)


@asynccontextmanager
async def running(notices: Notices) -> AsyncIterator[Notices]:
    task = asyncio.create_task(notices.run())
    try:
        yield notices
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    deadline = asyncio.get_running_loop().time() + DEADLINE
    while not await look():
        assert asyncio.get_running_loop().time() < deadline, look.__name__
        await asyncio.sleep(0.02)


async def states(book: NoticeBook) -> dict[str, str]:
    return {notice.channel.partition("-")[0]: notice.state for notice in await book.recent()}


async def test_mail_chat_and_log_each_hear_a_notice_once_and_the_ledger_says_so(
    sandbox: Sandbox, book: NoticeBook, room: tuple[Room, str]
) -> None:
    heard, address = room
    mail = settings_for(sandbox.url("mail-smtp"), operators=("ops-notice@example.com",))
    async with running(Notices(book, Mailer(mail), mail, [ChatRoom(address)])) as notices:
        for _ in range(3):
            await notices.tell(DOWN)

        async def all_sent() -> bool:
            return await states(book) == {"log": "sent", "mail": "sent", "json": "sent"}

        await until(all_sent)
        await notices.tell(DOWN)
    assert [(row["title"], row["message"]) for row in heard.heard] == [(DOWN.subject, DOWN.text)]
    [mailed] = await Inbox(sandbox, "ops-notice@").mails()
    assert (mailed["subject"], DOWN.text in mailed["text"]) == (DOWN.subject, True)


async def test_a_room_that_fails_is_tried_again_and_blocks_no_other(
    book: NoticeBook, room: tuple[Room, str], caplog: pytest.LogCaptureFixture
) -> None:
    failing, address = room
    failing.status = 500
    other = Room()
    async with serving(other.app) as second:
        rooms = [ChatRoom(address), ChatRoom(second.replace("http://", "json://"))]
        async with running(Notices(book, None, None, rooms, look_every=0.05)) as notices:
            await notices.tell(DOWN)

            async def half() -> bool:
                return bool(other.heard) and any(n.reason for n in await book.recent())

            await until(half)
            kept = {notice.channel: notice for notice in await book.recent()}
            assert [kept[room.name].state for room in rooms] == ["waiting", "sent"]
            assert "500" in kept[rooms[0].name].reason
            assert "s3cret" not in " ".join([*caplog.messages, *(n.reason for n in kept.values())])
            failing.status = 200

            async def both() -> bool:
                return bool(failing.heard)

            await until(both)
    assert (len(failing.heard), len(other.heard)) == (1, 1)


async def test_two_workers_do_not_send_the_same_notice(book: NoticeBook, room: tuple[Room, str]) -> None:
    heard, address = room
    first, second = (Notices(book, None, None, [ChatRoom(address)], look_every=0.02) for _ in range(2))
    async with running(first), running(second):
        for number in range(20):
            await first.tell(DOWN.model_copy(update={"key": f"n{number}", "subject": f"notice {number}"}))

        async def done() -> bool:
            return all(notice.state == "sent" for notice in await book.recent())

        await until(done)
    assert sorted(row["title"] for row in heard.heard) == sorted(f"notice {number}" for number in range(20))


async def test_a_notice_that_no_channel_ever_takes_is_given_up_and_said_so(
    book: NoticeBook, room: tuple[Room, str], caplog: pytest.LogCaptureFixture
) -> None:
    failing, address = room
    failing.status = 404
    notices = Notices(book, None, None, [ChatRoom(address)], give_up_after=timedelta(0), look_every=0.05)
    async with running(notices):
        await notices.tell(DOWN)

        async def given_up() -> bool:
            return "given-up" in (await states(book)).values()

        await until(given_up)
    assert any(r.levelno == logging.ERROR and "given up" in r.getMessage() for r in caplog.records)
    assert failing.asked == 1


async def test_a_notice_of_a_worker_that_died_goes_out_when_its_lease_is_over(book: NoticeBook, ledger: Ledger) -> None:
    await book.keep([Notice(key="k", channel="json-1", subject="s", text="t")])
    [taken] = await book.take("json-1")
    assert (taken.tries, await book.take("json-1")) == (1, [])
    await book.postpone(taken, "died", timedelta(0))
    assert [notice.tries for notice in await book.take("json-1")] == [2]
