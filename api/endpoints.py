"""The connected systems: how each stands, what waits for it, and planned maintenance."""

from datetime import timedelta

from fastapi import APIRouter, Request
from pydantic import Field
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.ledger.endpoints import EndpointBook
from api.auth import Approver, Operator
from api.backing import Backing, Base
from api.body import json_body, read_model
from api.errors import ErrorAnswer, Refusal
from api.orders import Reason
from api.standing import EndpointList, standing
from commerce.model import Model, UtcDatetime
from workflows.endpoint_messages import Pause, Resume
from workflows.endpoint_watch import EndpointWatch

router = APIRouter(tags=["systems"])
WITHIN = timedelta(seconds=10)


class PauseBody(Model):
    reason: Reason = Field(description="Why; operators read it")
    until: UtcDatetime | None = Field(default=None, description="When it ends by itself; empty: somebody resumes it")


class ResumeBody(Model):
    reason: str = Field(default="", max_length=2000, description="Why")


class Switched(Model):
    endpoint: str
    message: str


@router.get("/v1/endpoints", summary="How the connected systems stand, and what waits for them")
async def endpoints(backing: Base, caller: Operator) -> EndpointList:
    return await standing(backing)


@router.post(
    "/v1/endpoints/{endpoint}/pause",
    summary="Hold a system back: nothing is sent to it until it is resumed",
    responses={409: {"model": ErrorAnswer, "description": "The watch refuses; the message says why"}},
    openapi_extra=json_body("PauseBody", {"maintenance": {"value": {"reason": "month-end closing"}}}),
)
async def pause(endpoint: str, request: Request, backing: Base, caller: Approver) -> Switched:
    """Other systems go on. Work for this one waits in the engine, and drains in steps afterwards."""
    body = await read_model(request, PauseBody)
    asked = Pause(by=caller.name, reason=body.reason, until=body.until)
    return Switched(endpoint=endpoint, message=await _update(backing, endpoint, EndpointWatch.pause, asked))


@router.post(
    "/v1/endpoints/{endpoint}/resume",
    summary="End a pause, or open a system outside its window",
    responses={409: {"model": ErrorAnswer, "description": "The system is neither paused nor closed"}},
    openapi_extra=json_body("ResumeBody", {"done": {"value": {"reason": "closing is done"}}}),
)
async def resume(endpoint: str, request: Request, backing: Base, caller: Approver) -> Switched:
    body = await read_model(request, ResumeBody)
    asked = Resume(by=caller.name, reason=body.reason)
    return Switched(endpoint=endpoint, message=await _update(backing, endpoint, EndpointWatch.resume, asked))


async def _update(backing: Backing, endpoint: str, update: object, asked: Pause | Resume) -> str:
    watch = (await backing.engine.runs()).watch(endpoint)
    try:
        message: str = await watch.execute_update(update, asked, rpc_timeout=WITHIN)  # type: ignore[call-overload]
    except WorkflowUpdateFailedError as err:
        cause = err.cause
        raise Refusal(409, "refused", cause.message if isinstance(cause, ApplicationError) else str(cause)) from None
    except RPCError as err:
        if err.status is not RPCStatusCode.NOT_FOUND:
            raise
        known = ", ".join(note.endpoint for note in await EndpointBook(backing.ledger.engine).all()) or "none"
        raise Refusal(
            404, "not-found", f"endpoint: {endpoint!r} is not watched; watched are {known}", field="endpoint"
        ) from None
    return message
