"""Quarantine: what could not be read or passed on, and its release by a person."""

import asyncio
from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import Field

from activities.changes import Forged, Unreadable
from activities.ledger.quarantine import QuarantineBook, Release
from activities.ledger.store import Notification
from api.auth import Approver, Caller, Operator
from api.backing import Backing, Base
from api.body import json_body, read_model
from api.errors import ErrorAnswer, Refusal
from api.examples import RELEASE_EXAMPLES
from api.orders import Reason
from api.webhooks import source_of
from commerce.model import Model, UtcDatetime

router = APIRouter(tags=["oversight"])
WAIT = 5.0  # seconds that an answer waits for the feed to read what was released
LOOK_EVERY = 0.1


class Quarantined(Model):
    id: int
    system: str
    source: str
    reference: str
    reason: str
    tries: int
    received_at: UtcDatetime
    body: str
    releases: tuple[Release, ...] = Field(default=(), description="Who released it before, when and why")


class QuarantineList(Model):
    notifications: tuple[Quarantined, ...]


class ReleaseBody(Model):
    reason: Reason = Field(description="Why; kept with the notification")
    drop: bool = Field(default=False, description="true: do not read it again, it was settled by hand")


class ReleaseOutcome(Model):
    """What became of it. `waiting`: it is read as soon as its system and a worker are there."""

    id: int
    reference: str
    outcome: Literal["passed on", "quarantined again", "waiting", "dropped"]
    message: str


@router.get("/v1/quarantine", summary="What could not be read or passed on, newest first")
async def quarantine(backing: Base, caller: Operator) -> QuarantineList:
    return QuarantineList(notifications=tuple(await seen_quarantine(backing, caller)))


@router.post(
    "/v1/quarantine/{notification_id}/release",
    summary="Read something quarantined again, or drop it",
    responses={409: {"model": ErrorAnswer, "description": "It is not in quarantine any more"}},
    openapi_extra=json_body("ReleaseBody", RELEASE_EXAMPLES),
)
async def release(notification_id: int, request: Request, backing: Base, caller: Approver) -> ReleaseOutcome:
    """Its system is asked what it looks like now: it joins its run, or stays with the new reason."""
    return await release_one(backing, caller, notification_id, await read_model(request, ReleaseBody))


async def seen_quarantine(backing: Backing, caller: Caller) -> list[Quarantined]:
    """Raises SystemFailure while the ledger is away."""
    rows = [row for row in await backing.ledger.quarantined() if _sees(caller, row)]
    return [Quarantined.model_validate(row.model_dump(exclude={"state"})) for row in rows]


async def release_one(backing: Backing, caller: Caller, notification_id: int, body: ReleaseBody) -> ReleaseOutcome:
    """Raises Refusal: 403, 404 unknown, 409 not in quarantine."""
    book = QuarantineBook(backing.ledger.engine)
    found = await book.find(notification_id)
    if found is None:
        raise Refusal(404, "not-found", f"nothing in quarantine has the id {notification_id}; see GET /v1/quarantine")
    if not _sees(caller, found):
        raise Refusal(403, "other-store", f"token {caller.name!r} may not see what {notification_id} is about")
    asked = Release(by=caller.name, reason=body.reason, drop=body.drop, at=datetime.now(UTC))
    if body.drop or found.source:
        freed = await book.release(notification_id, asked)
    else:
        freed = await _hear_again(backing, book, found, asked)
    if not freed:
        raise Refusal(409, "closed", f"{notification_id} is not in quarantine any more: it is {found.state}")
    return await _outcome(book, notification_id)


async def _hear_again(backing: Backing, book: QuarantineBook, found: Notification, asked: Release) -> bool:
    """An envelope that nobody could read: perhaps its listener can by now."""
    raw = await book.raw(found.id)
    listener = backing.listeners.get(raw.system)
    try:
        if listener is None:
            raise Unreadable(f"no connected system {raw.system} sends notifications any more")
        heard = listener.hear(raw.headers, raw.body)
        source = source_of(backing, raw.system, heard)
    except (Forged, Unreadable) as err:
        return await book.still_unreadable(found.id, asked, str(err))
    return await book.release(found.id, asked, source=source, reference=heard.reference)


async def _outcome(book: QuarantineBook, notification_id: int) -> ReleaseOutcome:
    """What becomes of it within a few seconds: the feed of its source reads it."""
    clock = asyncio.get_running_loop().time
    until = clock() + WAIT
    while True:
        row = await book.find(notification_id)
        if row is None:
            raise Refusal(404, "not-found", f"{notification_id} is not known any more")
        if row.state != "waiting" or clock() > until:
            break
        await asyncio.sleep(LOOK_EVERY)
    if row.state == "waiting":
        said = f"it is read as soon as {row.system} and a worker are there" + (f": {row.reason}" if row.tries else "")
        return ReleaseOutcome(id=row.id, reference=row.reference, outcome="waiting", message=said)
    if row.state == "quarantined":
        return ReleaseOutcome(id=row.id, reference=row.reference, outcome="quarantined again", message=row.reason)
    if row.state == "dropped":
        return ReleaseOutcome(id=row.id, reference=row.reference, outcome="dropped", message="it is not read again")
    said = "read again and passed on to its run"
    return ReleaseOutcome(id=row.id, reference=row.reference, outcome="passed on", message=said)


def _sees(caller: Caller, row: Notification) -> bool:
    """What names no order may be about any store."""
    store, colon, _ = row.reference.partition(":")
    return caller.sees(store) if colon else not caller.stores
