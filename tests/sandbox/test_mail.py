"""The inbox shows what was sent, as it was sent."""

import asyncio
from collections.abc import AsyncIterator
from email.message import EmailMessage

import aiosmtplib
import httpx2
import pytest

from sandbox.kernel.serve import Site
from sandbox.kernel.store import Store
from sandbox.kernel.world import World
from sandbox.mail import MailVendor


@pytest.fixture
async def world() -> World:
    world = World(Store(None))
    world.add(MailVendor(world))
    return world


@pytest.fixture
async def site(world: World) -> AsyncIterator[Site]:
    site = Site(world)
    site.add_vendor(world.vendor("mail"))
    await site.start()
    yield site
    await site.stop()


@pytest.fixture
async def http(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=site.addresses["mail"], trust_env=False) as client:
        yield client


def mail(to: str, subject: str, text: str = "Hello", html: str | None = None) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "shop@nordlicht.example"
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = f"<{subject.encode().hex()}@test>"
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


async def send(site: Site, message: EmailMessage | bytes, to: str | None = None, *, login: str | None = None) -> None:
    host, port = site.addresses["mail-smtp"].split(":")
    client = aiosmtplib.SMTP(hostname=host, port=int(port), timeout=5, username=login, password=login)
    async with client:
        if isinstance(message, bytes):
            await client.sendmail("shop@nordlicht.example", [to or ""], message)
        else:
            await client.send_message(message, recipients=to)


async def test_a_mail_is_shown_with_its_words_in_every_script(site: Site, http: httpx2.AsyncClient) -> None:
    sent = mail(
        "花子 <hanako@yamada.example>", "ご注文 000000123 – Übersicht", "Grüße, 花子", "<p>Grüße, <b>花子</b></p>"
    )
    sent.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Rechnung.pdf")
    await send(site, sent, login="anyone")
    [listed] = (await http.get("/messages")).json()
    assert listed["from"] == "shop@nordlicht.example"
    assert listed["to"] == ["hanako@yamada.example"]
    assert listed["subject"] == "ご注文 000000123 – Übersicht"
    assert listed["text"].strip() == "Grüße, 花子"
    assert listed["html"].strip() == "<p>Grüße, <b>花子</b></p>"
    assert listed["headers"]["Message-ID"] == sent["Message-ID"]
    assert listed["attachments"] == [{"name": "Rechnung.pdf", "type": "application/pdf", "bytes": 4}]
    assert (await http.get(f"/messages/{listed['id']}")).json() == listed


async def test_messages_are_found_by_receiver_and_subject(site: Site, http: httpx2.AsyncClient) -> None:
    for to, subject in (("a@x.example", "Order 1"), ("b@x.example", "Order 2"), ("a@x.example", "Refund 1")):
        await send(site, mail(to, subject))

    async def found(**asked: str) -> list[str]:
        return [message["subject"] for message in (await http.get("/messages", params=asked)).json()]

    assert await found() == ["Order 1", "Order 2", "Refund 1"]
    assert await found(to="A@X.example") == ["Order 1", "Refund 1"]
    assert await found(to="a@x.example", subject="order") == ["Order 1"]
    assert await found(to="c@x.example") == []


async def test_a_mail_that_breaks_the_rules_is_kept_all_the_same(site: Site, http: httpx2.AsyncClient) -> None:
    raw = b"Subject: =?klingon?q?=FF?=\r\nContent-Type: text/plain; charset=klingon\r\n\r\n\xff\xfe broken"
    await send(site, raw, "a@x.example")
    [listed] = (await http.get("/messages")).json()
    assert "broken" in listed["text"]


async def test_deleting_empties_the_inbox(site: Site, http: httpx2.AsyncClient) -> None:
    await send(site, mail("a@x.example", "Order 1"))
    assert (await http.delete("/messages")).status_code == 204
    assert (await http.get("/messages")).json() == []
    assert (await http.get("/messages/1")).status_code == 404


async def test_the_pages_show_a_mail_without_running_what_is_in_it(site: Site, http: httpx2.AsyncClient) -> None:
    await send(site, mail("a@x.example", "<script>1</script>", "text", "<script>alert(1)</script>"))
    inbox = (await http.get("/")).text
    assert "<script>" not in inbox
    assert "&lt;script&gt;1&lt;/script&gt;" in inbox
    page = (await http.get("/view/1")).text
    assert "<script>" not in page
    assert "<iframe sandbox " in page


async def test_mail_that_is_down_takes_no_mail(world: World, site: Site, http: httpx2.AsyncClient) -> None:
    world.set_faults("mail", [{"kind": "down"}])
    await world.settle()
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await send(site, mail("a@x.example", "lost"))
    with pytest.raises(httpx2.ConnectError):
        await http.get("/messages")
    world.set_faults("mail", [])
    await world.settle()
    await asyncio.wait_for(send(site, mail("a@x.example", "kept")), 5)
    assert [message["subject"] for message in (await http.get("/messages")).json()] == ["kept"]
