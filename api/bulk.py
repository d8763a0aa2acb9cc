"""Retrying many parked cases at once: what a query selects, tried first without changing anything."""

import asyncio
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import Field

from api.auth import Caller, Operator
from api.backing import Backing, Base
from api.body import json_body, read_model
from api.errors import FORESEEN, Refusal, refusal_of
from api.examples import RETRY_EXAMPLES
from api.orders import Reason
from api.parked import DecisionBody, decide_case, known_case, seen_cases
from commerce.cases import CaseQuery
from commerce.documents import Case, DecisionKind
from commerce.model import Model, UtcDatetime
from commerce.money import Money, by_currency

router = APIRouter(tags=["parked cases"])
AT_ONCE = 8  # decisions under way at the same time
MOST = 1000  # decisions of one request; more are told as `left` and taken by the next one
Outcome = Literal["would retry", "accepted", "decided meanwhile", "refused", "no answer"]


class RetryBody(CaseQuery):
    """Which open cases, and why they are tried again."""

    cases: tuple[str, ...] = Field(default=(), description="Only these of them, by id; empty: all that fit")
    reason: Reason = Field(description="Why; kept with each decision")
    dry_run: bool = Field(default=False, description="true: say what would be retried, and change nothing")


class Retried(Model):
    """One case and what became of it. `message` says why where it was not accepted."""

    case_id: str
    order_key: str
    step: str
    system: str
    came_back: str
    amount: Money | None
    opened_at: UtcDatetime
    outcome: Outcome
    message: str = ""


class RetryAnswer(Model):
    """`money`: at stake in the selected cases, by currency. `left`: further ones that fit and were not touched."""

    dry_run: bool
    cases: tuple[Retried, ...]
    money: tuple[Money, ...]
    counts: dict[str, int]
    left: int = 0


@router.post(
    "/v1/parked/retry",
    summary="Retry all open cases that fit a query",
    openapi_extra=json_body("RetryBody", RETRY_EXAMPLES),
)
async def retry(request: Request, backing: Base, caller: Operator) -> RetryAnswer:
    """Each case is decided `retry` on its own, in the caller's name. One that was decided meanwhile is told, and no
    error of the whole. A dry run needs the role operator, the rest approver.
    """
    body = await read_model(request, RetryBody)
    return await retry_cases(backing, caller, body)


async def retry_cases(backing: Backing, caller: Caller, body: RetryBody) -> RetryAnswer:
    """Raises Refusal (403). What goes wrong with single cases is told in their outcomes."""
    if not body.dry_run:
        caller.require("approver")
    now = datetime.now(UTC)
    fitting = [case for case in await seen_cases(backing, caller) if body.matches(case, now)]
    named = set(body.cases)
    chosen = [case for case in fitting if case.id in named] if named else fitting
    if body.dry_run:
        return _answer([_told(case, "would retry") for case in chosen], dry_run=True)
    room = asyncio.Semaphore(AT_ONCE)
    done = [_decided(backing, caller, case, body.reason, room) for case in chosen[:MOST]]
    gone = [_gone(backing, caller, case_id) for case_id in named - {case.id for case in chosen}]
    found = [one for one in await asyncio.gather(*done, *gone) if one is not None]
    return _answer(found, left=len(chosen[MOST:]))


async def _decided(backing: Backing, caller: Caller, case: Case, reason: str, room: asyncio.Semaphore) -> Retried:
    async with room:
        try:
            await decide_case(backing, caller, case.id, DecisionBody(decision=DecisionKind.RETRY, reason=reason))
        except FORESEEN as err:
            refusal = refusal_of(err)
            outcomes: dict[str, Outcome] = {"closed": "decided meanwhile", "unavailable": "no answer"}
            return _told(case, outcomes.get(refusal.code, "refused"), refusal.message)
    return _told(case, "accepted")


async def _gone(backing: Backing, caller: Caller, case_id: str) -> Retried | None:
    """A case that was named and is not among the open ones that fit: None where the caller may not know of it."""
    try:
        case, is_open = await known_case(backing, caller, case_id)
    except Refusal:
        return None
    if is_open:
        return _told(case, "refused", "it does not fit the query")
    decision = await backing.ledger.decision_on(case_id)
    said = f"{decision.by} decided {decision.kind.value}" if decision else "its run has gone on without a decision"
    return _told(case, "decided meanwhile", said)


def _told(case: Case, outcome: Outcome, message: str = "") -> Retried:
    names = ("order_key", "step", "system", "came_back", "amount", "opened_at")
    shown: dict[str, Any] = {name: getattr(case, name) for name in names}
    return Retried(case_id=case.id, outcome=outcome, message=message, **shown)


def _answer(cases: list[Retried], *, dry_run: bool = False, left: int = 0) -> RetryAnswer:
    counts: dict[str, int] = {}
    for case in cases:
        counts[case.outcome] = counts.get(case.outcome, 0) + 1
    return RetryAnswer(dry_run=dry_run, cases=tuple(cases), money=_at_stake(cases), counts=counts, left=left)


def _at_stake(cases: list[Retried]) -> tuple[Money, ...]:
    """Two cases of one order hold up the same money: it counts once, with the larger amount."""
    largest: dict[str, Money] = {}
    for case in cases:
        known = largest.get(case.order_key)
        if case.amount and (known is None or (known.currency == case.amount.currency and known < case.amount)):
            largest[case.order_key] = case.amount
    return by_currency(largest.values())
