"""Verifies and reads the shop's notifications: CloudEvents envelopes, signed with the shop's private key."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from activities.changes import Forged, Heard, Unreadable
from activities.magento.fields import group, text, whole
from activities.magento.settings import MagentoSettings, public_key

SIGNATURE = "x-adobe-commerce-webhook-signature"
PREFIX = "com.adobe.commerce."
# Which field of the payload is the order's id, by the event's name; first match wins.
ORDER_ID_FIELDS = (
    ("sales_order_invoice_", "order_id"),
    ("sales_order_shipment_track_", "order_id"),
    ("sales_order_shipment_", "order_id"),
    ("sales_order_creditmemo_", "order_id"),
    ("sales_order_status_history_", "parent_id"),
    ("sales_order_", "entity_id"),
    ("order_management.place", "entity_id"),
)


class MagentoListener:
    """Hears one shop. The signature covers the raw body: RSA-SHA256 (PKCS #1 v1.5) over its base64 text."""

    def __init__(self, settings: MagentoSettings, *, system: str) -> None:
        self._source = f"{system}:orders"
        self._key = public_key(settings.webhook_public_key) if settings.webhook_public_key else None

    def hear(self, headers: Mapping[str, str], body: bytes) -> Heard:
        """What changed. Raises Forged or Unreadable."""
        self._verify(next((value for name, value in headers.items() if name.lower() == SIGNATURE), ""), body)
        try:
            event = json.loads(body)
        except ValueError as err:
            raise Unreadable("the body is not JSON") from err
        if not isinstance(event, dict):
            raise Unreadable("the body is not an object")
        return _heard(event, self._source)

    def _verify(self, signature: str, body: bytes) -> None:
        if self._key is None:
            raise Forged("no public key is configured for this shop (webhook_public_key)")
        if not signature:
            raise Forged(f"the header {SIGNATURE} is missing")
        try:
            # A public key holds no secret that the time of this check could give away.
            self._key.verify(base64.b64decode(signature, validate=True), base64.b64encode(body), PKCS1v15(), SHA256())
        except (InvalidSignature, binascii.Error, ValueError) as err:
            raise Forged("the signature does not fit the body") from err


def _heard(event: Mapping[str, Any], source: str) -> Heard:
    message_id, kind = text(event, "id"), text(event, "type")
    if text(event, "specversion").partition(".")[0] != "1" or not message_id or not kind.startswith(PREFIX):
        raise Unreadable("the body is not an event of the shop: specversion 1, id and type are needed")
    value = group(group(event, "data"), "value")
    field = next((name for part, name in ORDER_ID_FIELDS if part in kind), None)
    if field is None:
        raise Unreadable(f"{kind} is not about an order")
    order_id = whole(value.get(field))
    if order_id is None:
        raise Unreadable(f"{kind} does not name its order: data.value.{field} is missing; add it to the subscription")
    return Heard(id=message_id, reference=str(order_id), source=source)
