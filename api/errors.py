"""Every refusal of the API in one shape: `{"error": {"code", "message", "field"?, "details"?}}`.

A message names what was given and what to do about it.
"""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from starlette.exceptions import HTTPException
from temporalio.service import RPCError, RPCStatusCode

from activities.engine_away import is_away
from commerce.failures import Family, SystemFailure

log = logging.getLogger("holdfast.api")

RETRY_AFTER = 5  # seconds: long enough for a restart to get on, short enough for a buyer who waits
# What the engine answers to a question or an update for a run whose task fails.
CANNOT_GO_ON = RPCStatusCode.FAILED_PRECONDITION


class Refusal(Exception):
    """A request that is not carried out. `status` is the HTTP status, `code` a stable word for programs."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str = "",
        details: list[Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.details = details
        self.headers = headers or {}

    def by_field(self) -> dict[str, str]:
        """What is wrong with each field, for a form that shows it beside the field; empty where no field is named."""
        if self.code == "invalid" and self.details:
            return {each["field"]: each["message"] for each in self.details}
        return {self.field: self.message.removeprefix(f"{self.field}: ")} if self.field else {}


class ErrorBody(BaseModel):
    code: str = Field(description="A stable word for programs", examples=["invalid"])
    message: str = Field(description="What was given, what is wrong with it, and what to do")
    field: str | None = Field(default=None, description="The field of the request, as a path")
    details: list[Any] | None = Field(default=None, description="Every single reason, one entry each")


class ErrorAnswer(BaseModel):
    """How every refusal looks."""

    error: ErrorBody


def away(what: str, why: str) -> Refusal:
    """503 with Retry-After: nothing was accepted, the same request may be sent again."""
    return Refusal(
        503,
        "unavailable",
        f"{what} does not answer ({why}); nothing was accepted, send the same request again",
        headers={"Retry-After": str(RETRY_AFTER)},
    )


def refusal_of(err: Exception) -> Refusal:
    """Any failure as a refusal. What is nobody's outage is logged and told without its inside."""
    if isinstance(err, Refusal):
        return err
    if isinstance(err, RequestValidationError):
        return invalid(err.errors())
    if isinstance(err, HTTPException):
        return _plain(err)
    if isinstance(err, SystemFailure) and err.family is Family.TRANSIENT:
        return away(f"the {err.system or 'system'}", err.came_back)
    if isinstance(err, PoolExhausted):
        return away("the ledger", "all connections are in use")
    if isinstance(err, ProgrammingError) and getattr(err.orig, "sqlstate", "") == "42P01":
        return away("the ledger", "its tables are not made yet")
    if isinstance(err, RPCError) and is_away(err):
        return away("Temporal", _word(err))
    if isinstance(err, RPCError) and err.status is CANNOT_GO_ON:
        words = "its run cannot go on now: its step fails and is tried again; `starter.py status` says why"
        return Refusal(503, "unavailable", words, headers={"Retry-After": str(RETRY_AFTER)})
    log.error("a request failed", exc_info=err)
    return Refusal(500, "bug", "this is a mistake of Holdfast; its log has the details, report them")


def invalid(errors: Any) -> Refusal:
    """422 for what pydantic found: the first mistake as the message, all of them as details."""
    told = []
    for error in errors:
        path = ".".join(str(part) for part in error["loc"] if part not in ("body", "query", "path"))
        value, text = error.get("input"), str(error["msg"]).removeprefix("Value error, ")
        shown = f"{value!r} is not allowed: " if isinstance(value, str | int) and error["type"] != "missing" else ""
        remedy = "; leave it out or check its spelling" if error["type"] == "extra_forbidden" else ""
        told.append({"field": path, "message": f"{shown[:120]}{text}{remedy}"})
    first = told[0]
    named = f"{first['field']}: " if first["field"] else ""
    return Refusal(422, "invalid", f"{named}{first['message']}", field=first["field"], details=told)


def _word(err: RPCError) -> str:
    broken = err.status is RPCStatusCode.UNKNOWN
    return f"the connection broke: {err.message}" if broken else err.status.name.lower().replace("_", " ")


def _plain(err: HTTPException) -> Refusal:
    texts = {
        404: ("not-found", "there is nothing at this address; GET /docs lists all addresses"),
        405: ("method-not-allowed", "this address has another method; GET /docs lists all addresses"),
    }
    code, message = texts.get(err.status_code, ("refused", str(err.detail)))
    return Refusal(err.status_code, code, message, headers=dict(err.headers or {}))


def error_json(refusal: Refusal) -> JSONResponse:
    error: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if refusal.field:
        error["field"] = refusal.field
    if refusal.details is not None:
        error["details"] = refusal.details
    return JSONResponse({"error": error}, refusal.status, headers=refusal.headers)


FORESEEN: tuple[type[Exception], ...] = (
    Refusal,
    RequestValidationError,
    HTTPException,
    SystemFailure,
    PoolExhausted,
    ProgrammingError,
    RPCError,
)


def tell_errors(app: FastAPI) -> None:
    async def answer(_: Request, err: Exception) -> JSONResponse:
        return error_json(refusal_of(err))

    for kind in (*FORESEEN, Exception):
        app.add_exception_handler(kind, answer)
