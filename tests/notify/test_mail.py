"""A mail says what it should in the buyer's language, is one mail however often it is sent, and fails in families."""

import asyncio
import email
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from typing import Any

import httpx2
import pytest
from aiosmtpd.smtp import SMTP, Envelope
from temporalio.testing import ActivityEnvironment

from activities.ledger.store import Ledger
from activities.notify.activities import NotifyActivities
from activities.notify.mail import Mailer
from activities.notify.settings import MailSettings
from activities.roles import TellCustomer
from commerce.documents import Document
from commerce.failures import Family, SystemFailure
from commerce.order import Order
from tests.commerce.sample import changed, order, plain
from tests.sandbox_process import Sandbox

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def settings_for(address: str, **changes: Any) -> MailSettings:
    host, _, port = address.rpartition(":")
    given = {"host": host, "port": int(port), "starttls": False, "timeout_seconds": 5}
    names = {"sender": "shop@nordlicht.example", "sender_name": "Nördliches Licht 花"}
    return MailSettings.model_validate(given | names | changes)


class Inbox:
    """What has arrived at one address of the sandbox."""

    def __init__(self, sandbox: Sandbox, to: str) -> None:
        self._sandbox = sandbox
        self.to = to

    async def mails(self) -> list[dict[str, Any]]:
        async with httpx2.AsyncClient(base_url=self._sandbox.url("mail"), trust_env=False) as http:
            found: list[dict[str, Any]] = (await http.get("/messages", params={"to": self.to})).json()
        return found


def ordered(to: str, **changes: Any) -> Order:
    data = plain() | changes
    data["customer"] = {"kind": "guest", "email": to, "first_name": "花子", "last_name": "山田"}
    return order(data)


async def tell(ledger: Ledger, mail: MailSettings | None, made: Order, **task: Any) -> Document:
    """Send through the activity, as the process does."""
    given = {"key": f"{made.key}:payment-link:{made.customer.email}", "template": "payment-link", "order": made}
    given |= {"amount": made.total, "link": "https://pay.example/l/1"}
    notify = NotifyActivities(ledger, Mailer(mail) if mail else None, {})
    try:
        return await ActivityEnvironment().run(notify.customer, TellCustomer.model_validate(given | task))
    finally:
        await notify.close()


async def test_a_buyer_gets_the_link_once_however_often_the_step_runs(sandbox: Sandbox, ledger: Ledger) -> None:
    inbox, mail = Inbox(sandbox, "once@example.com"), settings_for(sandbox.url("mail-smtp"))
    first = await tell(ledger, mail, ordered(inbox.to))
    again = await tell(ledger, mail, ordered(inbox.to))
    [arrived] = await inbox.mails()
    assert arrived["headers"]["Message-ID"] == first.id == again.id
    assert (first.status, first.adopted, again.adopted) == ("sent", False, True)
    assert "119.00 EUR" in arrived["text"]
    assert "https://pay.example/l/1" in arrived["text"]
    assert arrived["to"] == ["once@example.com"]


async def test_a_mail_sent_twice_has_one_message_id(sandbox: Sandbox) -> None:
    inbox, mailer = Inbox(sandbox, "twice@example.com"), Mailer(settings_for(sandbox.url("mail-smtp")))
    for _ in range(2):  # killed between sending and remembering
        await mailer.send("de:1001:invoice", (inbox.to,), "s", "t", NOW)
    await mailer.send("de:1002:invoice", (inbox.to,), "s", "t", NOW)
    one, same, other = [mail["headers"]["Message-ID"] for mail in await inbox.mails()]
    assert one == same != other
    assert one.endswith("@nordlicht.example>")
    assert "1001" not in one


LANGUAGES = [
    ("en", "Please pay your order 1001", "Dear 花子 山田,"),
    ("de", "Bitte bezahlen Sie Ihre Bestellung 1001", "Guten Tag 花子 山田,"),
    ("de_AT", "Bitte bezahlen Sie Ihre Bestellung 1001", "Guten Tag 花子 山田,"),
    ("ja-JP", "ご注文 1001 のお支払いのお願い", "山田 花子 様"),
    ("kw", "Please pay your order 1001", "Dear 花子 山田,"),
    ("", "Please pay your order 1001", "Dear 花子 山田,"),
]


@pytest.mark.parametrize(("language", "subject", "greeting"), LANGUAGES)
async def test_a_mail_speaks_the_buyers_language(
    sandbox: Sandbox, ledger: Ledger, language: str, subject: str, greeting: str
) -> None:
    inbox = Inbox(sandbox, f"speaks-{language or 'nothing'}@example.com")
    await tell(ledger, settings_for(sandbox.url("mail-smtp")), ordered(inbox.to, language=language))
    [arrived] = await inbox.mails()
    assert arrived["subject"] == subject
    assert arrived["text"].startswith(greeting)
    assert arrived["headers"]["From"] == "Nördliches Licht 花 <shop@nordlicht.example>"


@pytest.mark.parametrize("template", ["payment-link", "invoice", "cancelled", "payment-failed"])
@pytest.mark.parametrize("language", ["en", "de", "ja"])
async def test_every_text_names_the_order_in_every_language(
    sandbox: Sandbox, ledger: Ledger, template: str, language: str
) -> None:
    inbox = Inbox(sandbox, f"{template}-{language}@example.com")
    made = ordered(inbox.to, language=language)
    await tell(ledger, settings_for(sandbox.url("mail-smtp")), made, template=template, invoice_number="RE-7")
    [arrived] = await inbox.mails()
    assert "1001" in arrived["subject"]
    assert "119.00 EUR" in arrived["text"]
    assert ("RE-7" in arrived["subject"]) is (template == "invoice")
    assert "{" not in arrived["subject"] + arrived["text"]


@pytest.mark.parametrize(("language", "frightening"), [("en", "cancel"), ("de", "storniert"), ("ja", "キャンセル")])
async def test_the_buyer_of_a_changed_order_hears_its_new_number_and_not_that_it_was_cancelled(
    sandbox: Sandbox, ledger: Ledger, language: str, frightening: str
) -> None:
    inbox = Inbox(sandbox, f"replaced-{language}@example.com")
    made = ordered(inbox.to, language=language)
    await tell(ledger, settings_for(sandbox.url("mail-smtp")), made, template="replaced", replaced_by="1001-1")
    [arrived] = await inbox.mails()
    assert arrived["subject"].count("1001") == 2
    assert "1001-1" in arrived["subject"]
    assert "1001-1" in arrived["text"]
    assert frightening not in (arrived["subject"] + arrived["text"]).casefold()
    assert "{" not in arrived["subject"] + arrived["text"]


async def test_what_a_buyer_calls_himself_is_only_text(sandbox: Sandbox, ledger: Ledger) -> None:
    inbox = Inbox(sandbox, "braces@example.com")
    named = {"kind": "guest", "email": inbox.to, "first_name": "{{ link }} {name}\nBcc: x@example.com", "last_name": ""}
    await tell(ledger, settings_for(sandbox.url("mail-smtp")), order(changed(plain(), "customer", named)))
    [arrived] = await inbox.mails()
    assert arrived["text"].startswith("Dear {{ link }} {name} Bcc: x@example.com,")
    assert arrived["to"] == [inbox.to]


async def test_an_address_outside_ascii_is_reached(sandbox: Sandbox) -> None:
    mailer = Mailer(settings_for(sandbox.url("mail-smtp")))
    await mailer.send("k1", ("müller@bücher.example",), "s", "t", NOW)
    [arrived] = await Inbox(sandbox, "müller@").mails()
    assert arrived["to"] == ["müller@xn--bcher-kva.example"]


async def test_without_mail_nobody_is_mailed_and_the_document_says_so(ledger: Ledger) -> None:
    assert (await tell(ledger, None, ordered("nobody@example.com"))).status == "no mail configured"


async def test_a_mail_to_several_people_is_one_mail_with_a_subject_of_one_line(sandbox: Sandbox) -> None:
    to = ("ops-a@example.com", "ops-b@example.com")
    mailer = Mailer(settings_for(sandbox.url("mail-smtp")))
    await mailer.send("de:1001:1:0", to, "order 1001\nneeds a person", "Öffnen", NOW)
    [arrived] = await Inbox(sandbox, "ops-b@example.com").mails()
    assert arrived["to"] == list(to)
    assert arrived["subject"] == "order 1001 needs a person"


# ---- a mail server that says no --------------------------------------------------------------------------------------


class Refusing:
    """A mail server that answers each stage as told."""

    def __init__(self) -> None:
        self.receiver = self.data = "250 OK"
        self.address = ""
        self.kept: list[EmailMessage] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: Any) -> str:
        if self.receiver.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.receiver

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        self.kept.append(email.message_from_bytes(content, _class=EmailMessage, policy=default))
        return self.data


@pytest.fixture
async def server() -> AsyncIterator[Refusing]:
    handler = Refusing()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: SMTP(handler, loop=loop), "127.0.0.1", 0)
    handler.address = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield handler
    listening.close()
    await listening.wait_closed()


async def refusal(address: str, to: str = "zoe@example.com", **changes: Any) -> SystemFailure:
    with pytest.raises(SystemFailure) as caught:
        await Mailer(settings_for(address, **changes)).send("de:1001:invoice", (to,), "s", "t", NOW)
    assert to not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.do_next
    return caught.value


@pytest.mark.parametrize(
    ("stage", "answer", "family"),
    [
        ("receiver", "550 no such user zoe@example.com", Family.REJECTED),
        ("receiver", "553 not allowed", Family.REJECTED),
        ("receiver", "450 greylisted, come again", Family.TRANSIENT),
        ("receiver", "421 too busy", Family.TRANSIENT),
        ("data", "451 try later", Family.TRANSIENT),
        ("data", "452 no space", Family.TRANSIENT),
        ("data", "552 too large", Family.NEEDS_PERSON),
        ("data", "554 spam", Family.NEEDS_PERSON),
    ],
)
async def test_an_answer_has_its_family(server: Refusing, stage: str, answer: str, family: Family) -> None:
    setattr(server, stage, answer)
    failure = await refusal(server.address)
    assert (failure.family, failure.code) == (family, answer[:3])


async def test_a_mail_server_that_is_away_is_waited_for() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        failure = await refusal(f"127.0.0.1:{unused.getsockname()[1]}", timeout_seconds=2)
    assert failure.family is Family.TRANSIENT


async def test_a_mail_server_that_never_answers_is_waited_for() -> None:
    silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    async with silent:
        failure = await refusal(f"127.0.0.1:{silent.sockets[0].getsockname()[1]}", timeout_seconds=0.3)
    assert failure.family is Family.TRANSIENT


async def test_a_mail_is_never_sent_in_the_clear_where_tls_is_asked_for(server: Refusing) -> None:
    assert (await refusal(server.address, starttls=True)).family is Family.NEEDS_PERSON
    assert (await refusal(server.address, tls_at_once=True, timeout_seconds=1)).family is Family.TRANSIENT
    assert server.kept == []


async def test_a_password_is_never_offered_to_a_server_that_takes_none(server: Refusing) -> None:
    failure = await refusal(server.address, username="holdfast", password="hunter2")
    assert failure.family is Family.NEEDS_PERSON
    assert "hunter2" not in str(failure)


@pytest.mark.parametrize("address", ["zoe\r\n@example.com", "zoe@", "zoe@a..b"])
async def test_an_address_that_cannot_be_written_is_refused_before_anything_is_sent(
    server: Refusing, address: str
) -> None:
    assert (await refusal(server.address, address)).family is Family.REJECTED
    assert server.kept == []


async def test_a_comma_in_an_address_does_not_make_two_receivers(server: Refusing) -> None:
    await Mailer(settings_for(server.address)).send("k", ("a,b@example.com",), "s", "t", NOW)
    [kept] = server.kept
    assert [address.addr_spec for address in kept["To"].addresses] == ['"a,b"@example.com']
