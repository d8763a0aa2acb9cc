"""Vendors' notifications: verified, kept, and only then acknowledged. They are hints; the feeds read the truth."""

import hashlib
import logging

from fastapi import APIRouter, Request

from activities.changes import Forged, Heard, Unreadable
from api.backing import Backing, Base
from api.body import raw_body
from api.errors import ErrorAnswer, Refusal
from commerce.model import Model

log = logging.getLogger("holdfast.api")
router = APIRouter(tags=["notifications"])
LIMIT = 1024 * 1024  # bytes
# Kept with a notification; what may carry credentials is not.
_DROPPED_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})


class Stored(Model):
    stored: bool = True
    repeat: bool


@router.post(
    "/v1/webhooks/{system}",
    status_code=202,
    summary="A vendor tells that something changed",
    responses={
        401: {"model": ErrorAnswer, "description": "The signature is missing or wrong; nothing is kept"},
        413: {"model": ErrorAnswer, "description": "More than 1 MiB"},
        503: {"model": ErrorAnswer, "description": "The ledger is away; the vendor sends it again"},
    },
)
async def hear(system: str, request: Request, backing: Base) -> Stored:
    """No bearer token: the vendor's signature over the raw body is checked. A repeat is acknowledged and not kept."""
    listener = backing.listeners.get(system)
    if listener is None:
        known = ", ".join(sorted(backing.listeners)) or "none"
        raise Refusal(404, "unknown-system", f"system {system!r} sends no notifications; systems that do: {known}")
    body = await raw_body(request, LIMIT)
    headers = {name: value for name, value in request.headers.items() if name not in _DROPPED_HEADERS}
    try:
        heard = listener.hear(headers, body)
        source = source_of(backing, system, heard)
    except Forged as err:
        log.warning("a notification for %s was refused: %s", system, err)
        raise Refusal(
            401, "forged", f"the notification is refused: {err}; check the signing key on both sides"
        ) from None
    except Unreadable as err:
        log.warning("a notification of %s is quarantined: %s", system, err)
        sender_id = f"unreadable:{hashlib.sha256(body).hexdigest()}"
        kept = await backing.ledger.keep_notification(system, headers, body, sender_id=sender_id, quarantine=str(err))
        return Stored(repeat=kept is None)
    kept = await backing.ledger.keep_notification(
        system, headers, body, sender_id=heard.id, source=source, reference=heard.reference
    )
    return Stored(repeat=kept is None)


def source_of(backing: Backing, system: str, heard: Heard) -> str:
    """The change source that reads the reference again. Raises Unreadable: what nobody follows must not wait unseen."""
    if "\x00" in heard.id + heard.reference:
        raise Unreadable("the id or the reference has a NUL, which cannot be kept")
    if heard.source in backing.sources:
        return heard.source
    own = sorted(source for source in backing.sources if source.startswith(f"{system}:"))
    if len(own) != 1:
        raise Unreadable(f"{heard.source!r} is none of the sources that are followed: {', '.join(own) or 'none'}")
    return own[0]
