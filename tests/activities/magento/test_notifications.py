"""Notifications: only the shop's own signature is believed, and only the id of an order is taken from them."""

import asyncio
import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from activities.changes import Forged, Heard, Unreadable
from activities.magento.notifications import SIGNATURE, MagentoListener
from activities.magento.settings import MagentoSettings
from tests.activities.magento.conftest import Shop, settings_for

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def listener(pem: str = PEM) -> MagentoListener:
    given = {"url": "https://shop.example", "auth": "bearer", "access_token": "t", "webhook_public_key": pem}
    return MagentoListener(MagentoSettings.model_validate(given), system="magento")


def event(kind: str = "observer.sales_order_save_commit_after", **value: Any) -> dict[str, Any]:
    envelope = {"specversion": "1.0", "id": "7d0c", "source": "urn:uuid:1", "type": f"com.adobe.commerce.{kind}"}
    return envelope | {"data": {"key": "k", "value": value or {"entity_id": "4711"}}}


def signed(body: bytes) -> dict[str, str]:
    signature = KEY.sign(base64.b64encode(body), PKCS1v15(), SHA256())
    return {"X-Adobe-Commerce-Webhook-Signature": base64.b64encode(signature).decode()}


def hear(content: Any) -> Heard:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return listener().hear(signed(body), body)


@pytest.mark.parametrize(
    ("content", "reference"),
    [
        (event(), "4711"),
        (event(entity_id=17), "17"),
        (event("observer.sales_order_invoice_save_after", entity_id="9", order_id="17"), "17"),
        (event("observer.sales_order_shipment_track_save_after", entity_id="9", order_id="17"), "17"),
        (event("observer.sales_order_status_history_save_after", entity_id="9", parent_id="17"), "17"),
    ],
)
def test_an_event_names_the_order_to_read_again(content: dict[str, Any], reference: str) -> None:
    heard = hear(content)
    assert (heard.id, heard.reference, heard.source) == ("7d0c", reference, "magento:orders")


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff\xfe",
        [],
        {"id": "1"},
        event("observer.catalog_product_save_commit_after", entity_id="1"),
        event("observer.sales_order_invoice_save_after", entity_id="9"),
        event(entity_id="x"),
        event() | {"data": []},
        event() | {"id": ""},
        event() | {"type": "org.example.sales_order_save_commit_after"},
    ],
)
def test_what_is_no_event_of_an_order_is_unreadable(content: Any) -> None:
    with pytest.raises(Unreadable):
        hear(content)


@pytest.mark.parametrize("signature", ["", "no base64!", "AAAA", base64.b64encode(b"x" * 256).decode()])
def test_a_wrong_signature_is_refused(signature: str) -> None:
    with pytest.raises(Forged):
        listener().hear({SIGNATURE: signature}, json.dumps(event()).encode())


def test_a_changed_body_is_refused() -> None:
    body = json.dumps(event()).encode()
    with pytest.raises(Forged):
        listener().hear(signed(body), body.replace(b"4711", b"4712"))


def test_without_a_key_nothing_is_believed() -> None:
    body = json.dumps(event()).encode()
    with pytest.raises(Forged):
        listener(pem="").hear(signed(body), body)


async def test_what_the_shop_sends_is_heard(shop: Shop) -> None:
    arrived: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        size = next(int(value) for name, value in headers.items() if name.lower() == "content-length")
        await arrived.put((headers, await reader.readexactly(size)))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        shop.sandbox.notify("magento", f"http://127.0.0.1:{port}/hooks/magento")
        order = await shop.place()
        headers, body = await asyncio.wait_for(arrived.get(), 10)
    heard = MagentoListener(settings_for(shop.sandbox), system="magento").hear(headers, body)
    assert heard.reference == order.shop_id
