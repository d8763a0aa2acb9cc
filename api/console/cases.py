"""The console's pages of what needs a person: parked cases, and what is quarantined."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from fastapi.responses import RedirectResponse, Response
from starlette.requests import Request

from api.backing import Backing
from api.body import as_model, parse_json
from api.bulk import RetryAnswer, RetryBody, retry_cases
from api.console.forms import read_form
from api.console.session import Session
from api.errors import Refusal
from api.pages import page
from api.parked import DecisionBody, ReassignBody, decide_case, known_case, reassign_case, seen_cases
from api.quarantine import ReleaseBody, ReleaseOutcome, release_one, seen_quarantine
from commerce.cases import CaseQuery, at_the_end, commands
from commerce.documents import Case

_FILTERS = ("system", "error", "step", "store", "assignee")


async def parked(request: Request, backing: Backing, session: Session) -> Response:
    return await _parked_page(backing, session, request.query_params)


async def _parked_page(
    backing: Backing,
    session: Session,
    given: Mapping[str, str],
    *,
    problem: str = "",
    done: RetryAnswer | None = None,
    status: int = 200,
) -> Response:
    asked = {name: given.get(name, "").strip() for name in _FILTERS}
    now = datetime.now(UTC)
    query = CaseQuery.model_validate(asked)
    cases = [case for case in await seen_cases(backing, session.caller) if query.matches(case, now)]
    return page(
        "parked.html",
        status=status,
        session=session,
        cases=cases,
        asked=asked,
        problem=problem,
        done=done,
        now=now,
    )


async def retry(request: Request, backing: Backing, session: Session) -> Response:
    """The cases that the page showed, and no others that came since."""
    session.caller.require("approver")
    form = await read_form(request, session)
    try:
        ids = tuple(filter(None, form.get("cases", "").split("\n")))
        if not ids:
            raise Refusal(422, "invalid", "no case was shown, so that nothing is retried")
        body = as_model({"cases": [one.strip() for one in ids], "reason": form.get("reason", "")}, RetryBody)
        done = await retry_cases(backing, session.caller, body)
    except Refusal as refusal:
        return await _parked_page(backing, session, form, problem=refusal.message, status=refusal.status)
    return await _parked_page(backing, session, form, done=done)


async def case(request: Request, backing: Backing, session: Session) -> Response:
    found, is_open = await known_case(backing, session.caller, request.path_params["case_id"])
    return await _case_page(backing, session, found, is_open=is_open)


async def _case_page(
    backing: Backing,
    session: Session,
    case: Case,
    *,
    is_open: bool,
    problem: str = "",
    given: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    return page(
        "case.html",
        status=status,
        session=session,
        case=case,
        is_open=is_open,
        problem=problem,
        given=given or {},
        end=at_the_end(case),
        commands=commands(case),
        history=await backing.ledger.case_history(case.id),
        run_url=backing.run_url(case.workflow_id),
        now=datetime.now(UTC),
    )


async def decide(request: Request, backing: Backing, session: Session) -> Response:
    """A decision, or with the field `to` a reassignment: ids of cases leave no room for another address."""
    case_id = request.path_params["case_id"]
    session.caller.require("approver")
    form = await read_form(request, session)
    found, is_open = await known_case(backing, session.caller, case_id)
    try:
        if "to" in form:
            body = as_model({"to": form["to"], "reason": form.get("reason", "")}, ReassignBody)
            await reassign_case(backing, session.caller, case_id, body)
            return RedirectResponse(f"/console/parked/{quote(case_id, safe='')}", 303)
        await decide_case(backing, session.caller, case_id, _decision(form))
    except Refusal as refusal:
        return await _case_page(
            backing, session, found, is_open=is_open, problem=refusal.message, given=form, status=refusal.status
        )
    return RedirectResponse(f"/console/orders/{found.store}/{quote(found.number, safe='')}?done=decided", 303)


def _decision(form: dict[str, str]) -> DecisionBody:
    asked: dict[str, Any] = {"decision": form.get("decision", ""), "reason": form.get("reason", "")}
    correction = form.get("correction", "").strip()
    if asked["decision"] == "correct":
        try:
            asked["correction"] = parse_json(correction or "null")
        except ValueError as err:
            raise Refusal(422, "invalid", f"correction: this is not JSON: {err}", field="correction") from None
    return as_model(asked, DecisionBody)


async def quarantine(_: Request, backing: Backing, session: Session) -> Response:
    return await _quarantine_page(backing, session)


async def release(request: Request, backing: Backing, session: Session) -> Response:
    session.caller.require("approver")
    form = await read_form(request, session)
    asked = {"reason": form.get("reason", ""), "drop": form.get("how") == "drop"}
    try:
        number = request.path_params["notification_id"]
        done = await release_one(backing, session.caller, number, as_model(asked, ReleaseBody))
    except Refusal as refusal:
        return await _quarantine_page(backing, session, problem=refusal.message, status=refusal.status)
    return await _quarantine_page(backing, session, done=done)


async def _quarantine_page(
    backing: Backing, session: Session, *, problem: str = "", done: ReleaseOutcome | None = None, status: int = 200
) -> Response:
    rows = await seen_quarantine(backing, session.caller)
    shown = [(row, _readable(row.body)) for row in rows]
    now = datetime.now(UTC)
    return page("quarantine.html", status=status, session=session, rows=shown, now=now, problem=problem, done=done)


def _readable(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=1, ensure_ascii=False)
    except ValueError:
        return body
