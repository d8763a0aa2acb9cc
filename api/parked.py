"""Parked cases: what needs a person, and the decisions that move them."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field, StringConstraints
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from api.answers import Links, links_of
from api.auth import Approver, Caller, Operator
from api.backing import Backing, Base
from api.body import json_body, read_model
from api.errors import ErrorAnswer, Refusal, away
from api.examples import DECISION_EXAMPLES, REASSIGN_EXAMPLES
from api.orders import Reason
from commerce.cases import CaseEvent, Reassignment, commands
from commerce.documents import Case, Decision, DecisionKind
from commerce.model import Model

router = APIRouter(tags=["parked cases"])


class ParkedCase(Case):
    """A case, whether it is still open, what moves it, and the decision that closed it."""

    open: bool
    decision: Decision | None = None
    commands: tuple[str, ...] = Field(default=(), description="What moves it, on the command line")
    history: tuple[CaseEvent, ...] = Field(
        default=(), description="Who did what, when and why; with one case, not in the list"
    )
    links: Links


class CasesParked(Model):
    cases: tuple[ParkedCase, ...]


class DecisionBody(Model):
    decision: DecisionKind
    reason: Reason = Field(description="Why; kept with the decision")
    correction: dict[str, Any] | None = Field(
        default=None,
        description='With decision `correct`: a JSON merge patch (RFC 7396) on the order. `{"lines": {"0": {…}}}` '
        "changes one line",
    )


class Decided(Model):
    case_id: str
    decision: DecisionKind
    by: str
    reason: str
    message: str


class ReassignBody(Model):
    to: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)] = Field(
        description="A person, a role, or a mail address, which is then told"
    )
    reason: Reason = Field(description="Why; kept with the case")


class Reassigned(Model):
    case_id: str
    to: str
    by: str
    reason: str
    message: str


@router.get("/v1/parked", summary="All open cases, oldest first")
async def parked(backing: Base, caller: Operator) -> CasesParked:
    cases = await seen_cases(backing, caller)
    return CasesParked(cases=tuple(_shown(backing, case, None, is_open=True) for case in cases))


async def seen_cases(backing: Backing, caller: Caller) -> list[Case]:
    """The open cases that the caller may see, oldest first."""
    return [case for case in await backing.ledger.open_cases() if caller.sees(case.store)]


# Case ids look like de:000000123:1; the route with the longer path comes first.
@router.post(
    "/v1/parked/{case_id:path}/decision",
    summary="Decide a case",
    responses={409: {"model": ErrorAnswer, "description": "The run refuses this decision; the message says why"}},
    openapi_extra=json_body("DecisionBody", DECISION_EXAMPLES),
)
async def decide(case_id: str, request: Request, backing: Base, caller: Approver) -> Decided:
    """`retry` tries the step again, `correct` changes the order first, `skip` leaves the step out, `give-up` undoes the
    order. The same decision again gets the same answer.
    """
    body = await read_model(request, DecisionBody)
    return await decide_case(backing, caller, case_id, body)


@router.post(
    "/v1/parked/{case_id:path}/reassign",
    summary="Make a case somebody else's move",
    responses={409: {"model": ErrorAnswer, "description": "The case was decided meanwhile"}},
    openapi_extra=json_body("ReassignBody", REASSIGN_EXAMPLES),
)
async def reassign(case_id: str, request: Request, backing: Base, caller: Approver) -> Reassigned:
    """The new assignee is told by mail where it is an address. Asked for again it changes nothing."""
    body = await read_model(request, ReassignBody)
    return await reassign_case(backing, caller, case_id, body)


@router.get("/v1/parked/{case_id:path}", summary="One case with its history, and its decision once it is closed")
async def one(case_id: str, backing: Base, caller: Operator) -> ParkedCase:
    case, is_open = await known_case(backing, caller, case_id)
    decision = None if is_open else await backing.ledger.decision_on(case_id)
    history = tuple(await backing.ledger.case_history(case_id))
    return _shown(backing, case, decision, is_open=is_open).model_copy(update={"history": history})


async def known_case(backing: Backing, caller: Caller, case_id: str) -> tuple[Case, bool]:
    """The case and whether it is open. Raises Refusal (403, 404)."""
    known = await backing.ledger.case(case_id)
    if known is None:
        raise Refusal(404, "not-found", f"case {case_id!r} is not known; GET /v1/parked lists the open ones")
    caller.require_store(known[0].store)
    return known


async def decide_case(backing: Backing, caller: Caller, case_id: str, body: DecisionBody) -> Decided:
    """Raises Refusal: 404 unknown, 409 refused by the run or decided otherwise, 503 no worker."""
    case, is_open = await known_case(backing, caller, case_id)
    decision = Decision(
        case_id=case_id, kind=body.decision, by=caller.name, reason=body.reason, correction=body.correction
    )
    if not is_open:
        return await _closed(backing, decision)
    what = f"{body.decision.value} on case {case_id}"
    message = await _update(backing, case, "decide", decision, what)
    return await _closed(backing, decision) if message is None else _decided(decision, message)


async def reassign_case(backing: Backing, caller: Caller, case_id: str, body: ReassignBody) -> Reassigned:
    """Raises Refusal: 404 unknown, 409 closed, 503 no worker."""
    case, is_open = await known_case(backing, caller, case_id)
    asked = Reassignment(case_id=case_id, to=body.to, by=caller.name, reason=body.reason)
    message = await _update(backing, case, "reassign", asked, f"reassigning case {case_id}") if is_open else None
    if message is None:
        raise Refusal(409, "closed", f"case {case_id} is closed: it is nobody's move any more")
    return Reassigned(case_id=case_id, to=asked.to, by=asked.by, reason=asked.reason, message=message)


async def _update(backing: Backing, case: Case, update: str, asked: Decision | Reassignment, what: str) -> str | None:
    """What the case's run answers; None when the run has ended. Raises Refusal (409, 503)."""
    handle = (await backing.engine.client()).get_workflow_handle(case.workflow_id)
    within = timedelta(seconds=backing.settings.api.answer_within_seconds)
    # Equal for what is asked twice in a row, so that a double click is one update.
    text = json.dumps([update, case.assignee, asked.model_dump(mode="json")], sort_keys=True)
    update_id = f"{update}:{hashlib.sha256(text.encode()).hexdigest()[:40]}"
    try:
        message: str = await handle.execute_update(update, asked, id=update_id, result_type=str, rpc_timeout=within)
    except WorkflowUpdateFailedError as err:
        cause = err.cause
        reason = cause.message if isinstance(cause, ApplicationError) else str(cause)
        # The run is ahead of the ledger: the case was decided a moment ago.
        gone = isinstance(cause, ApplicationError) and cause.type in ("AlreadyDecided", "UnknownCase")
        raise Refusal(409, "closed" if gone else "refused", f"{what} is refused: {reason}") from None
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        raise away("the worker", "no run took the request in time") from None
    except RPCError as err:
        if err.status is not RPCStatusCode.NOT_FOUND:
            raise
        await _close_lost(backing, case)
        return None
    return message


async def _close_lost(backing: Backing, case: Case) -> None:
    """A run closes its cases before it ends. One that did not was ended from outside: nobody can decide it any more."""
    known = await backing.ledger.case(case.id)
    if known is None or not known[1]:
        return
    reason = "its run was ended from outside, so that nothing can take a decision"
    await backing.ledger.close_case(case.id, None, reason, datetime.now(UTC))
    remedy = f"the case is closed now; look order {case.order_key} up in every system and finish it by hand"
    raise Refusal(409, "lost", f"case {case.id}: {reason}; {remedy}")


async def _closed(backing: Backing, decision: Decision) -> Decided:
    """A decision on a case that is closed: harmless when it is the same one, refused when not."""
    earlier = await backing.ledger.decision_on(decision.case_id)
    if earlier == decision:
        return _decided(decision, f"{decision.kind.value} on {decision.case_id} accepted")
    said = (
        f"{earlier.by} decided {earlier.kind.value}: {earlier.reason}"
        if earlier
        else "its run has gone on without a decision"
    )
    raise Refusal(409, "closed", f"case {decision.case_id} is closed: {said}; GET /v1/parked lists the open ones")


def _decided(decision: Decision, message: str) -> Decided:
    return Decided(
        case_id=decision.case_id, decision=decision.kind, by=decision.by, reason=decision.reason, message=message
    )


def _shown(backing: Backing, case: Case, decision: Decision | None, *, is_open: bool) -> ParkedCase:
    return ParkedCase(
        **{name: getattr(case, name) for name in Case.model_fields},
        open=is_open,
        decision=decision,
        commands=commands(case) if is_open else (),
        links=Links(
            self=links_of(backing, case.store, case.number).self, temporal_ui=backing.run_url(case.workflow_id)
        ),
    )
