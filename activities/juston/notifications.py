"""Hears the merchant's own flow in the org: a signed hint that a record changed. The record is read again."""

import hashlib
import hmac
import json
from collections.abc import Mapping

from activities.changes import Forged, Heard, Unreadable
from activities.juston.settings import JustOnSettings

SIGNATURE = "x-holdfast-signature"


class JustOnNotifications:
    """`POST {id, object, recordId, assignmentKey, event, at}`, signed over the raw body (docs/salesforce-org.md)."""

    def __init__(self, settings: JustOnSettings, *, system: str) -> None:
        if settings.webhook_secret is None:
            raise ValueError("webhook_secret is missing: notifications without a shared secret prove nothing")
        self._secret = settings.webhook_secret.get_secret_value().encode()
        cash, billing = settings.fields.cash, settings.fields.billing
        self._sources = {
            **dict.fromkeys((cash.entry, cash.payment), f"{system}:entries"),
            **dict.fromkeys((billing.order, billing.invoice), f"{system}:billing"),
        }

    def hear(self, headers: Mapping[str, str], body: bytes) -> Heard:
        """The notification's id and what to read again. Raises Forged or Unreadable."""
        given = next((value for name, value in headers.items() if name.lower() == SIGNATURE), "")
        expected = "sha256=" + hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        # As bytes: a header may hold characters that a comparison of texts refuses.
        if not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
            raise Forged("X-Holdfast-Signature is missing or wrong")
        try:
            data = json.loads(body)
        except ValueError as err:
            raise Unreadable(f"the body is not JSON: {err}") from err
        if not isinstance(data, dict):
            raise Unreadable("the body is not a JSON object")
        message, sobject, record = data.get("id"), data.get("object"), data.get("recordId")
        if not isinstance(message, str) or not message:
            raise Unreadable("id is missing: a notification without an id cannot be told from a repeat")
        source = self._sources.get(sobject) if isinstance(sobject, str) else None
        if source is None:
            raise Unreadable(f"object is {sobject!r}, known are {', '.join(self._sources)}")
        key = data.get("assignmentKey")
        if isinstance(key, str) and key and "/" not in key:
            return Heard(id=message, reference=key, source=source)
        if not isinstance(record, str) or not record or "/" in record:
            raise Unreadable("recordId is missing")
        return Heard(id=message, reference=f"{sobject}/{record}", source=source)
