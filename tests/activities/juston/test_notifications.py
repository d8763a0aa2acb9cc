"""Only what the merchant's own flow has signed is heard, and it only says what to read again."""

import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from activities.changes import Forged, Heard, Unreadable
from activities.juston.activities import JustOnPayments
from activities.juston.feed import JustOnEntries
from activities.juston.notifications import JustOnNotifications
from activities.juston.settings import JustOnSettings
from activities.salesforce.client import SalesforceClient
from tests.activities.juston.desk import entry_task, order, settings, until
from tests.activities.juston.test_payments import asked
from tests.sandbox_process import Sandbox

MESSAGE = {
    "id": "n-1",
    "object": "JPAY1__Entry__c",
    "recordId": "a0J5e0000000001AAA",
    "assignmentKey": "de:000000123",
    "event": "updated",
    "at": "2026-11-21T10:15:30Z",
}


def listener() -> JustOnNotifications:
    return JustOnNotifications(settings(webhook_secret="shared"), system="juston")


def signed(body: bytes, secret: bytes = b"shared") -> dict[str, str]:
    return {"X-Holdfast-Signature": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()}


def said(**changes: Any) -> bytes:
    return json.dumps({name: value for name, value in {**MESSAGE, **changes}.items() if value is not None}).encode()


@pytest.mark.parametrize(
    ("changes", "reference", "source"),
    [
        ({}, "de:000000123", "juston:entries"),
        ({"assignmentKey": None}, "JPAY1__Entry__c/a0J5e0000000001AAA", "juston:entries"),
        (
            {"object": "JPAY1__Payment__c", "assignmentKey": ""},
            "JPAY1__Payment__c/a0J5e0000000001AAA",
            "juston:entries",
        ),
        ({"object": "ONB2__Invoice__c"}, "de:000000123", "juston:billing"),
        ({"object": "Web_Order__c", "assignmentKey": None}, "Web_Order__c/a0J5e0000000001AAA", "juston:billing"),
    ],
)
def test_a_signed_message_names_what_to_read_again(changes: dict[str, Any], reference: str, source: str) -> None:
    body = said(**changes)
    heard = listener().hear(signed(body), body)
    assert (heard.id, heard.reference, heard.source) == ("n-1", reference, source)


def test_the_header_is_found_in_any_case() -> None:
    body = said()
    headers = {name.lower(): value for name, value in signed(body).items()}
    assert listener().hear(headers, body).id == "n-1"


@pytest.mark.parametrize("headers", [{}, {"X-Holdfast-Signature": ""}, {"X-Holdfast-Signature": "sha256=ü\udcff"}])
def test_a_message_without_a_signature_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Forged):
        listener().hear(headers, said())


def test_a_message_signed_by_another_or_changed_on_the_way_is_refused() -> None:
    body = said()
    with pytest.raises(Forged):
        listener().hear(signed(body, b"other"), body)
    with pytest.raises(Forged):
        listener().hear(signed(body), body + b" ")


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"\xff\xfe",
        b"[]",
        said(id=None),
        said(object="Account"),
        said(object=7),
        said(recordId=None, assignmentKey=None),
    ],
)
def test_a_signed_message_that_is_not_the_flows_is_quarantined(body: bytes) -> None:
    with pytest.raises(Unreadable):
        listener().hear(signed(body), body)


async def test_what_the_org_sends_is_heard_and_leads_to_the_entry(
    live_settings: JustOnSettings, org: SalesforceClient, payments: JustOnPayments, sandbox: Sandbox
) -> None:
    arrived: list[tuple[dict[str, str], bytes]] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            arrived.append((dict(self.headers), self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    placed = order()
    ears = JustOnNotifications(live_settings, system="juston")
    source = JustOnEntries(live_settings, system="juston", salesforce=org)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        sandbox.notify("salesforce", f"http://127.0.0.1:{server.server_port}/", "shared")
        await asked(payments, entry_task(placed))
        sandbox.act("juston", "pay", key=placed.key)

        async def heard() -> list[Heard]:
            return [ears.hear(headers, body) for headers, body in list(arrived)]

        def mine(found: list[Heard]) -> bool:
            return any(one.reference == placed.key and one.source == "juston:entries" for one in found)

        await until(heard, mine)
    finally:
        server.shutdown()
        server.server_close()
    change = await source.fetch(placed.key)
    assert change is not None
    assert change.order_key == placed.key


def test_a_listener_without_a_secret_is_refused_at_start() -> None:
    with pytest.raises(ValueError, match="webhook_secret"):
        JustOnNotifications(settings(), system="juston")
