"""Hears the merchant's own flow in the org: a signed hint that a record changed. The record is read again."""

import hashlib
import hmac
import json
from collections.abc import Mapping

from activities.changes import Forged, Heard, Unreadable

SIGNATURE = "x-holdfast-signature"


class OrgNotifications:
    """`POST {id, object, recordId, assignmentKey, event, at}`, signed over the raw body (docs/salesforce-org.md).

    `sources`: which change source follows an object. `key` is the name under which the order's key may come.
    """

    def __init__(self, secret: str, sources: Mapping[str, str], *, key: str) -> None:
        self._secret = secret.encode()
        self._sources = sources
        self._key = key

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
        key = data.get(self._key)
        if isinstance(key, str) and key and "/" not in key:
            return Heard(id=message, reference=key, source=source)
        if not isinstance(record, str) or not record or "/" in record:
            raise Unreadable("recordId is missing")
        return Heard(id=message, reference=f"{sobject}/{record}", source=source)
