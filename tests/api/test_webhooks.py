"""A vendor's notification is verified, kept, and only then acknowledged."""

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from sqlalchemy import select

from activities.ledger import tables as t
from activities.ledger.store import Ledger
from tests.api.desk import NOTIFY_SECRET, OPERATOR, SHOP_KEY, Served


def signed(body: bytes, secret: str = NOTIFY_SECRET) -> dict[str, str]:
    return {"X-Holdfast-Signature": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def entry_changed(message: str, **changed: Any) -> bytes:
    told = {
        "id": message,
        "object": "JPAY1__Entry__c",
        "recordId": "a0J000000000001",
        "assignmentKey": "de:000000123",
        "event": "updated",
        "at": "2026-11-21T10:15:30Z",
    }
    return json.dumps({**told, **changed}).encode()


async def send(api: Served, body: bytes, headers: dict[str, str], system: str = "juston") -> tuple[int, Any]:
    reply = await api.post(f"/v1/webhooks/{system}", content=body, headers=headers, token="")
    return reply.status_code, reply.json()


async def test_an_acknowledged_notification_is_in_the_ledger_under_its_source(api: Served, ledger: Ledger) -> None:
    body = entry_changed("m-1")
    assert await send(api, body, signed(body)) == (202, {"stored": True, "repeat": False})
    kept = [row for row in await ledger.waiting_notifications("juston", "juston:entries") if row.body == body.decode()]
    assert [row.reference for row in kept] == ["de:000000123"]


async def test_a_repeated_notification_is_acknowledged_and_kept_once(api: Served, ledger: Ledger) -> None:
    body = entry_changed("m-2")
    answers = [await send(api, body, signed(body)) for _ in range(3)]
    assert [answer[1]["repeat"] for answer in answers] == [False, True, True]
    kept = await ledger.waiting_notifications("juston", "juston:entries")
    assert sum(row.body == body.decode() for row in kept) == 1


async def test_the_shop_is_heard_by_its_own_signature_and_read_by_its_one_source(api: Served, ledger: Ledger) -> None:
    event = {
        "specversion": "1.0",
        "id": "shop-1",
        "type": "com.adobe.commerce.observer.sales_order_save_commit_after",
        "data": {"value": {"entity_id": 4711}},
    }
    body = json.dumps(event).encode()
    signature = base64.b64encode(SHOP_KEY.sign(base64.b64encode(body), PKCS1v15(), SHA256())).decode()
    headers = {"x-adobe-commerce-webhook-signature": signature}
    assert await send(api, body, headers, "magento") == (202, {"stored": True, "repeat": False})
    kept = await ledger.waiting_notifications("magento", "magento:orders")
    assert [row.reference for row in kept] == ["4711"]


async def test_a_forged_notification_is_refused_and_leaves_no_trace(api: Served, ledger: Ledger) -> None:
    body = entry_changed("m-forged")
    changed = body.replace(b"000000123", b"000000999")
    for headers, sent in (({}, body), (signed(body, "guessed"), body), (signed(body), changed)):
        status, answer = await send(api, sent, headers)
        assert status == 401
        assert answer["error"]["code"] == "forged"
    kept = [*await ledger.waiting_notifications("juston", "juston:entries"), *await ledger.quarantined()]
    assert not [row for row in kept if "m-forged" in row.body]


async def test_an_unreadable_notification_is_quarantined_with_its_reason_and_shown(api: Served) -> None:
    bodies = (b"not json", entry_changed("m-4", object="Account"), entry_changed("m-\x005"))
    for body in bodies:
        assert await send(api, body, signed(body)) == (202, {"stored": True, "repeat": False})
    assert (await send(api, bodies[0], signed(bodies[0])))[1]["repeat"] is True
    shown = (await api.get("/v1/quarantine", OPERATOR)).json()["notifications"]
    reasons = {row["body"]: row["reason"] for row in shown}
    assert "not JSON" in reasons["not json"]
    assert "'Account'" in reasons[bodies[1].decode()]
    assert "NUL" in reasons[bodies[2].decode()]


async def test_credentials_in_headers_are_not_kept(api: Served, ledger: Ledger) -> None:
    body = entry_changed("m-6")
    await send(api, body, {**signed(body), "Authorization": "Basic c2VjcmV0", "Cookie": "sid=secret", "X-Trace": "7"})
    async with ledger.engine.connect() as db:
        headers = (
            await db.execute(select(t.notifications.c.headers).where(t.notifications.c.sender_id == "m-6"))
        ).scalar_one()
    assert headers["x-trace"] == "7"
    assert "secret" not in json.dumps(headers)
    assert "authorization" not in headers


async def test_too_large_and_unknown_senders_are_refused(api: Served) -> None:
    body = b" " * (1024 * 1024 + 1)
    assert (await send(api, body, signed(body)))[0] == 413
    status, answer = await send(api, b"{}", {}, "nobody")
    assert status == 404
    assert "juston, magento" in answer["error"]["message"]


async def test_without_postgres_the_vendor_is_asked_to_send_again(without_postgres: Served) -> None:
    body = entry_changed("m-7")
    reply = await without_postgres.post("/v1/webhooks/juston", content=body, headers=signed(body), token="")
    assert reply.status_code == 503
    assert int(reply.headers["retry-after"]) > 0
