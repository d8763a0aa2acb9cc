"""A portal hears of its orders by signed events, again after a failure, and not again once it took them."""

import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.ledger.store import Ledger
from activities.notify.activities import NotifyActivities
from activities.notify.mail import Mailer
from activities.notify.settings import MailSettings, PortalSettings
from activities.roles import TellBoth, TellCustomer, TellPortal
from commerce.documents import Document
from commerce.failures import Family
from tests.activities.juston.desk import order
from tests.notify.serving import serving

SECRET = "a-shared-secret"
EVENT = TellPortal(
    key="de:1001:invoiced",
    store="de",
    event="invoiced",
    order_key="de:1001",
    number="1001",
    data={"invoice": "RE-1", "name": "Zoë 花"},
)


class Portal:
    """A portal that answers as told and keeps what it heard."""

    def __init__(self) -> None:
        self.answers: list[Response] = []
        self.heard: list[tuple[bytes, str]] = []
        self.url = ""

    async def take(self, request: Request) -> Response:
        self.heard.append((await request.body(), request.headers["x-holdfast-signature"]))
        return self.answers.pop(0) if self.answers else Response(status_code=204)


@pytest.fixture
async def portal() -> AsyncIterator[Portal]:
    made = Portal()
    async with serving(Starlette(routes=[Route("/events", made.take, methods=["POST"])])) as address:
        made.url = f"{address}/events"
        yield made


@pytest.fixture
async def notify(ledger: Ledger, portal: Portal) -> AsyncIterator[NotifyActivities]:
    made = NotifyActivities(ledger, None, {"de": PortalSettings(url=portal.url, secret=SecretStr(SECRET))})
    yield made
    await made.close()


async def tell(notify: NotifyActivities, event: TellPortal = EVENT) -> Document:
    return await ActivityEnvironment().run(notify.portal, event)


async def test_an_event_is_signed_over_exactly_the_bytes_that_were_sent(
    notify: NotifyActivities, portal: Portal
) -> None:
    assert (await tell(notify)).status == "delivered"
    [(body, signature)] = portal.heard
    assert signature == "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert json.loads(body) == {
        "id": "de:1001:invoiced",
        "event": "invoiced",
        "store": "de",
        "number": "1001",
        "order_key": "de:1001",
        "data": {"invoice": "RE-1", "name": "Zoë 花"},
    }


async def test_an_event_that_was_taken_is_not_sent_again(notify: NotifyActivities, portal: Portal) -> None:
    first, again = await tell(notify), await tell(notify)
    assert (first.adopted, again.adopted) == (False, True)
    assert len(portal.heard) == 1
    await tell(notify, EVENT.model_copy(update={"key": "de:1001:cancelled"}))
    assert len(portal.heard) == 2


async def test_a_mail_that_fails_neither_holds_up_nor_repeats_the_event_beside_it(
    ledger: Ledger, portal: Portal
) -> None:
    with socket.socket() as closed:  # bound, so that nobody else listens there
        closed.bind(("127.0.0.1", 0))
        nowhere = MailSettings(
            host="127.0.0.1", port=closed.getsockname()[1], starttls=False, sender="shop@nordlicht.example"
        )
        portals = {"de": PortalSettings(url=portal.url, secret=SecretStr(SECRET))}
        notify = NotifyActivities(ledger, Mailer(nowhere), portals)
        placed = order()
        mail = TellCustomer(key=f"{placed.key}:invoice", template="invoice", order=placed, amount=placed.total)
        event = EVENT.model_copy(update={"key": f"{placed.key}:invoiced"})
        try:
            told, again = [
                await ActivityEnvironment().run(notify.both, TellBoth(customer=mail, portal=event)) for _ in range(2)
            ]
            with pytest.raises(ApplicationError, match="mail"):  # its own step says why
                await ActivityEnvironment().run(notify.customer, mail)
        finally:
            await notify.close()
    assert (told.customer, again.customer) == (None, None)
    assert told.portal is not None
    assert again.portal is not None
    assert (told.portal.adopted, again.portal.adopted) == (False, True)
    assert len(portal.heard) == 1


@pytest.mark.parametrize(
    ("status", "family"),
    [
        (500, Family.TRANSIENT),
        (503, Family.TRANSIENT),
        (429, Family.TRANSIENT),
        (408, Family.TRANSIENT),
        (302, Family.NEEDS_PERSON),
        (400, Family.NEEDS_PERSON),
        (401, Family.NEEDS_PERSON),
        (404, Family.NEEDS_PERSON),
        (410, Family.NEEDS_PERSON),
    ],
)
async def test_an_event_that_was_not_taken_is_told_again(
    notify: NotifyActivities, portal: Portal, status: int, family: Family
) -> None:
    portal.answers = [Response(status_code=status, headers={"location": "/login"})]
    with pytest.raises(ApplicationError) as caught:
        await tell(notify)
    assert caught.value.type == family.value
    assert caught.value.details[0]["code"] == str(status)
    assert (await tell(notify)).status == "delivered"
    (first, _), (second, _) = portal.heard
    assert first == second


async def test_the_portals_wait_hint_is_passed_on(notify: NotifyActivities, portal: Portal) -> None:
    portal.answers = [Response(status_code=503, headers={"retry-after": "17"})]
    with pytest.raises(ApplicationError) as caught:
        await tell(notify)
    assert caught.value.next_retry_delay is not None
    assert caught.value.next_retry_delay.total_seconds() == 17


async def test_a_portal_that_is_away_is_waited_for(ledger: Ledger) -> None:
    away = NotifyActivities(
        ledger, None, {"de": PortalSettings(url="http://127.0.0.1:9/events", secret=SecretStr(SECRET))}
    )
    with pytest.raises(ApplicationError) as caught:
        await tell(away)
    await away.close()
    assert caught.value.type == Family.TRANSIENT.value
    assert SECRET not in str(caught.value.details)


async def test_a_store_without_a_portal_tells_nobody(notify: NotifyActivities, portal: Portal) -> None:
    document = await tell(notify, EVENT.model_copy(update={"store": "us"}))
    assert document.status == "no portal configured"
    assert portal.heard == []
