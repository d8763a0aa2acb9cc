"""Reconciliations: both sides of every pair compared, from the systems themselves."""

import hashlib
import json
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field, model_validator
from temporalio.client import WorkflowExecutionStatus, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from activities.engine_away import is_away
from activities.ledger.reconciliations import FoundDifference, KnownReconciliation, ReconciliationBook
from api.auth import Caller, Operator
from api.backing import Backing, Base
from api.body import json_body, read_model
from api.errors import Refusal
from commerce.model import Model, UtcDatetime
from commerce.order import StoreCode
from commerce.reconciliation import PAIR_NAMES
from commerce.reconciliation_report import Report
from workflows.names import reconciliation_id
from workflows.reconciliation import Reconciliation, ReconciliationInput, ReconciliationView
from workflows.whole_tasks import asked, is_not_now

router = APIRouter(tags=["reconciliation"])
WITHIN = timedelta(seconds=3)
MOST = 200  # differences on the console's page


class ReconciliationBody(Model):
    """Compares every order of which a document was made or changed from `since` until before `until`."""

    since: UtcDatetime = Field(description="From here on, read with overlap")
    until: UtcDatetime = Field(description="Until before this moment")
    store: StoreCode | None = Field(default=None, description="One store; null: all")
    pair: str | None = Field(default=None, description=f"One pair of {', '.join(PAIR_NAMES)}; null: all")

    @model_validator(mode="after")
    def _makes_sense(self) -> "ReconciliationBody":
        if self.since >= self.until:
            raise ValueError("until must be later than since")
        if self.pair is not None and self.pair not in PAIR_NAMES:
            raise ValueError(f"pair {self.pair!r} is not known; pairs are {', '.join(PAIR_NAMES)}")
        return self


class ReconciliationAnswer(Model):
    """One comparison. `state`: running, done or failed, with the reason. `progress` while it runs."""

    id: str
    state: str
    reason: str = ""
    scheduled: bool = False
    by: str = ""
    since: UtcDatetime | None = None
    until: UtcDatetime | None = None
    began_at: UtcDatetime | None = None
    progress: ReconciliationView | None = None
    report: Report | None = None


class ReconciliationList(Model):
    reconciliations: tuple[ReconciliationAnswer, ...]


class DifferenceList(Model):
    """Unexplained ones first, the oldest first. Ask for more with `after` = the last number."""

    differences: tuple[FoundDifference, ...]


@router.post(
    "/v1/reconciliations",
    status_code=202,
    summary="Compare both sides of every pair for a period",
    openapi_extra=json_body(
        "ReconciliationBody",
        {"a day": {"value": {"since": "2026-11-21T00:00:00Z", "until": "2026-11-22T00:00:00Z"}}},
    ),
)
async def start(request: Request, backing: Base, caller: Operator) -> ReconciliationAnswer:
    """It runs by itself; ask for its state. The same question while it runs is answered by the same comparison."""
    body = await read_model(request, ReconciliationBody)
    if body.store is not None:
        backing.require_store(body.store)
        caller.require_store(body.store)
    elif caller.stores:
        raise Refusal(403, "other-store", f"token {caller.name!r} sees some stores only: name one", field="store")
    id = _id_of(body)
    asked = ReconciliationInput(
        since=body.since, until=body.until, store=body.store or "", pair=body.pair or "", by=caller.name
    )
    await (await backing.engine.runs()).start_reconciliation(id, asked)
    return ReconciliationAnswer(id=id, state="running", by=caller.name, since=body.since, until=body.until)


@router.get("/v1/reconciliations", summary="The latest comparisons, newest first")
async def latest(
    backing: Base, caller: Operator, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> ReconciliationList:
    rows = await ReconciliationBook(backing.ledger.engine).latest(limit=limit)
    return ReconciliationList(reconciliations=tuple(_answer(row) for row in rows if _may_see(caller, row)))


@router.get("/v1/reconciliations/{id}", summary="One comparison: how far it is, or what it found")
async def one(id: str, backing: Base, caller: Operator) -> ReconciliationAnswer:
    known = await ReconciliationBook(backing.ledger.engine).one(id)
    if known is not None and not _may_see(caller, known):
        raise Refusal(403, "other-store", f"token {caller.name!r} may not see {id!r}: it covers other stores")
    run = await _running(backing, id)
    if run is not None:
        state = _answer(known) if known is not None else ReconciliationAnswer(id=id, state="running")
        return state.model_copy(update={"state": "running", "progress": run, "report": None})
    if known is None:
        raise Refusal(404, "not-found", f"comparison {id!r} is not known; GET /v1/reconciliations lists the latest")
    if known.state == "running":
        said = "its run has ended without a result: ask for it again"
        return _answer(known).model_copy(update={"state": "failed", "reason": said})
    return _answer(known)


@router.get("/v1/reconciliations/{id}/differences", summary="What a comparison found, order by order")
async def differences(
    id: str,
    backing: Base,
    caller: Operator,
    after: Annotated[int, Query(ge=0, description="Number of the last one that is known")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> DifferenceList:
    book = ReconciliationBook(backing.ledger.engine)
    known = await book.one(id)
    if known is None or not _may_see(caller, known):
        raise Refusal(404, "not-found", f"comparison {id!r} is not known; GET /v1/reconciliations lists the latest")
    return DifferenceList(differences=tuple(await book.differences(id, after=after, limit=limit)))


async def last_report(
    backing: Backing, caller: Caller
) -> tuple[list[KnownReconciliation], KnownReconciliation | None, list[FoundDifference]]:
    """The latest comparisons, the last one with a report, and what it found (at most `MOST`)."""
    book = ReconciliationBook(backing.ledger.engine)
    rows = [row for row in await book.latest() if _may_see(caller, row)]
    done = next((row for row in rows if row.report is not None), None)
    return rows, done, await book.differences(done.id, limit=MOST) if done is not None else []


async def _running(backing: Backing, id: str) -> ReconciliationView | None:
    """How far the run is; None when none is under way, or the engine is away and nothing can be."""
    try:
        described = await backing.engine.look(reconciliation_id(id))
        if described is None or described.status is not WorkflowExecutionStatus.RUNNING:
            return None
        handle = (await backing.engine.runs()).reconciliation(id)
        return await asked(lambda: handle.query(Reconciliation.view, rpc_timeout=WITHIN))
    except Refusal:
        return None
    except RPCError as err:
        if err.status is RPCStatusCode.NOT_FOUND:
            return None
        if not is_away(err):
            raise
        return ReconciliationView(phase="waiting for a worker")
    except WorkflowQueryFailedError as err:
        if not is_not_now(err):
            raise
        return ReconciliationView(phase="waiting for its next task")


def _may_see(caller: Caller, known: KnownReconciliation) -> bool:
    return not caller.stores or caller.sees(known.ask.store)


def _answer(known: KnownReconciliation) -> ReconciliationAnswer:
    return ReconciliationAnswer(
        id=known.id,
        state=known.state,
        reason=known.reason,
        scheduled=known.ask.scheduled,
        by=known.ask.by,
        since=known.ask.since,
        until=known.ask.until,
        began_at=known.began_at,
        report=known.report,
    )


def _id_of(body: ReconciliationBody) -> str:
    """Equal for equal questions, and no two characters that an address would have to escape."""
    rest = json.dumps([body.store, body.pair, body.since.isoformat(), body.until.isoformat()])
    digest = hashlib.sha256(rest.encode()).hexdigest()[:8]
    return f"{body.since:%Y%m%dT%H%M%S}-{body.until:%Y%m%dT%H%M%S}-{digest}"
