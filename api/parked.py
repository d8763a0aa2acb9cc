"""Parked cases: what needs a person, and the decisions that move them."""

import hashlib
import json
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy import select
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.ledger import tables as t
from activities.ledger.database import transaction
from api.answers import Links, links_of
from api.auth import Approver, Caller, Operator
from api.backing import Backing, Base
from api.body import json_body, read_model
from api.errors import ErrorAnswer, Refusal, away
from api.examples import DECISION_EXAMPLES
from api.orders import Reason
from commerce.documents import Case, Decision, DecisionKind
from commerce.model import Model

router = APIRouter(tags=["parked cases"])


class ParkedCase(Case):
    """A case, whether it is still open, and the decision that closed it."""

    open: bool
    decision: Decision | None = None
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


@router.get("/v1/parked", summary="All open cases, oldest first")
async def parked(backing: Base, caller: Operator) -> CasesParked:
    cases = [case for case in await backing.ledger.open_cases() if caller.sees(case.store)]
    return CasesParked(cases=tuple(_shown(backing, case, None, is_open=True) for case in cases))


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


@router.get("/v1/parked/{case_id:path}", summary="One case, with its decision once it is closed")
async def one(case_id: str, backing: Base, caller: Operator) -> ParkedCase:
    case, is_open = await known_case(backing, caller, case_id)
    return _shown(backing, case, None if is_open else await _decision_on(backing, case_id), is_open=is_open)


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
    handle = (await backing.engine.client()).get_workflow_handle(case.workflow_id)
    within = timedelta(seconds=backing.settings.api.answer_within_seconds)
    try:
        message: str = await handle.execute_update(
            "decide", decision, id=_update_id(decision), result_type=str, rpc_timeout=within
        )
    except WorkflowUpdateFailedError as err:
        reason = err.cause.message if isinstance(err.cause, ApplicationError) else str(err.cause)
        raise Refusal(409, "refused", f"{body.decision.value} on case {case_id} is refused: {reason}") from None
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        raise away("the worker", "no run took the decision in time") from None
    except RPCError as err:
        if err.status is not RPCStatusCode.NOT_FOUND:
            raise
        return await _closed(backing, decision)
    return _decided(decision, message)


async def _closed(backing: Backing, decision: Decision) -> Decided:
    """A decision on a case that is closed: harmless when it is the same one, refused when not."""
    earlier = await _decision_on(backing, decision.case_id)
    if earlier == decision:
        return _decided(decision, f"{decision.kind.value} on {decision.case_id} accepted")
    said = f"{earlier.by} decided {earlier.kind.value}" if earlier else "its run has gone on without a decision"
    raise Refusal(409, "closed", f"case {decision.case_id} is closed: {said}; GET /v1/parked lists the open ones")


async def _decision_on(backing: Backing, case_id: str) -> Decision | None:
    query = select(t.cases.c.decision).where(t.cases.c.id == case_id)
    async with transaction(backing.ledger.engine) as db:
        found = (await db.execute(query)).scalar_one_or_none()
    return Decision.model_validate(found) if found else None


def _update_id(decision: Decision) -> str:
    """Equal for equal decisions, so that a double click is one update."""
    text = json.dumps(decision.model_dump(mode="json"), sort_keys=True)
    return f"decide:{hashlib.sha256(text.encode()).hexdigest()[:40]}"


def _decided(decision: Decision, message: str) -> Decided:
    return Decided(
        case_id=decision.case_id, decision=decision.kind, by=decision.by, reason=decision.reason, message=message
    )


def _shown(backing: Backing, case: Case, decision: Decision | None, *, is_open: bool) -> ParkedCase:
    return ParkedCase(
        **{name: getattr(case, name) for name in Case.model_fields},
        open=is_open,
        decision=decision,
        links=Links(
            self=links_of(backing, case.store, case.number).self, temporal_ui=backing.run_url(case.workflow_id)
        ),
    )
