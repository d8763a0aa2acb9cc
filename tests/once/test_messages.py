"""Every message to a person loses its acknowledgement a hundred times: nobody misses it, and repeats carry one id."""

import asyncio
import email
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.policy import default

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from activities.ledger.store import Ledger
from activities.notify.activities import NotifyActivities
from activities.notify.mail import Mailer
from activities.notify.settings import MailSettings, PortalSettings
from activities.roles import TellCustomer, TellPortal
from tests.activities.juston.desk import as_engine, order
from tests.ledger.conftest import ledger, migrated, postgres_server
from tests.notify.serving import serving
from tests.once.rig import WITHIN, abreast

__all__ = ["ledger", "migrated", "postgres_server"]
MESSAGES = 100


class Forgetful:
    """A mail server that keeps every mail, and loses the connection before it says so, the first time."""

    def __init__(self) -> None:
        self.kept: Counter[str] = Counter()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        message_id = str(email.message_from_bytes(content, policy=default)["Message-ID"])
        self.kept[message_id] += 1
        if self.kept[message_id] == 1:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 OK"


@asynccontextmanager
async def _smtp(handler: Forgetful) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    protocol: Callable[[], asyncio.BaseProtocol] = lambda: SMTP(handler, hostname="mail", loop=loop)  # noqa: E731
    listening = await loop.create_server(protocol, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


async def test_every_mail_arrives_and_a_repeat_carries_the_same_message_id(ledger: Ledger) -> None:
    server = Forgetful()
    async with _smtp(server) as port:
        mailer = Mailer(MailSettings(host="127.0.0.1", port=port, starttls=False, sender="shop@nordlicht.example"))
        notify = NotifyActivities(ledger, mailer, {})
        orders = [order() for _ in range(MESSAGES)]
        tasks = [
            TellCustomer(key=f"{placed.key}:invoice", template="invoice", order=placed, amount=placed.total)
            for placed in orders
        ]
        sent = await abreast(lambda task: as_engine(notify.customer, task, seconds=WITHIN), tasks)
        again = await abreast(notify.customer, tasks)
        await notify.close()
    assert server.kept == dict.fromkeys((document.id for document in sent), 2)
    assert len(server.kept) == MESSAGES
    assert all(document.adopted for document in again)


async def test_every_event_reaches_the_portal_and_a_repeat_carries_the_same_id(ledger: Ledger) -> None:
    heard: Counter[str] = Counter()

    async def take(request: Request) -> Response:
        event = json.loads(await request.body())
        heard[event["id"]] += 1
        if heard[event["id"]] == 1:  # taken, and the answer lost behind a proxy
            return Response(status_code=504)
        return Response(status_code=204)

    async with serving(Starlette(routes=[Route("/events", take, methods=["POST"])])) as address:
        portal = PortalSettings(url=f"{address}/events", secret=SecretStr("shared"))
        notify = NotifyActivities(ledger, None, {"de": portal})
        tasks = [
            TellPortal(
                key=f"de:{number}:order.invoiced",
                store="de",
                event="order.invoiced",
                order_key=f"de:{number}",
                number=str(number),
                data={},
            )
            for number in range(MESSAGES)
        ]
        await abreast(lambda task: as_engine(notify.portal, task, seconds=WITHIN), tasks)
        again = await abreast(notify.portal, tasks)
        await notify.close()
    assert heard == {task.key: 2 for task in tasks}
    assert all(document.adopted for document in again)


@pytest.fixture(autouse=True)
def _no_faults_left() -> None:
    """These tests use no sandbox."""
