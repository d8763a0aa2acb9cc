"""Runs that cannot go on, and what a person decides about those that have ended: started again, or dismissed."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import Field
from temporalio.service import RPCError, RPCStatusCode

from activities.changes import LatePaymentInput
from activities.engine_away import is_away
from activities.ledger.stuck import StuckBook
from api.auth import Approver, Caller, Operator
from api.backing import Backing, Base
from api.body import json_body, read_model
from api.errors import RETRY_AFTER, ErrorAnswer, Refusal
from api.examples import STUCK_EXAMPLES
from api.goods import follow_again
from api.orders import Reason
from commerce.model import Model, UtcDatetime
from commerce.stuck import CHECKOUT, GOODS, LATE_PAYMENT, Settled, StuckRun
from workflows.start import EngineRuns

router = APIRouter(tags=["oversight"])


class StuckAnswer(Model):
    """`kind` is `failing` (its task fails again and again), `ended` (in the engine, while its order was open) or `feed`
    (what changes in a system cannot be read, for another reason than that it is away).
    """

    run: str
    process: str
    order_key: str
    kind: str
    since: UtcDatetime
    reason: str
    do_next: str
    temporal_ui: str | None


class StuckList(Model):
    """Oldest first."""

    runs: tuple[StuckAnswer, ...]


class StuckBody(Model):
    decision: Literal["restart", "dismiss"] = Field(
        description="`restart`: it goes on where it stood; what was done is adopted. `dismiss`: it was ended on purpose"
    )
    reason: Reason = Field(description="Why; kept with the order")


class StuckSettled(Model):
    order_key: str
    decision: str
    runs: tuple[str, ...] = Field(description="Ids of the runs that it was decided for")


@router.get("/v1/stuck", summary="Runs that cannot go on, why, and what to do")
async def stuck(backing: Base, caller: Operator) -> StuckList:
    runs = await stuck_runs(backing, caller)
    return StuckList(
        runs=tuple(
            StuckAnswer(
                run=run.workflow_id,
                process=run.process,
                order_key=run.order_key,
                kind=run.kind,
                since=run.since,
                reason=run.reason,
                do_next=run.do_next,
                temporal_ui=backing.run_url(run.workflow_id),
            )
            for run in runs
        )
    )


async def stuck_runs(backing: Backing, caller: Caller) -> list[StuckRun]:
    """Those of the caller's stores, and those of no order. Raises SystemFailure while the ledger is away."""
    runs = await StuckBook(backing.ledger.engine).open()
    return [run for run in runs if not run.order_key or caller.sees(run.order_key.partition(":")[0])]


@router.post(
    "/v1/orders/{store}/{number}/stuck",
    summary="Start an order's run again that was ended in the engine, or dismiss it",
    responses={409: {"model": ErrorAnswer, "description": "No run of the order has ended, or it cannot go on"}},
    openapi_extra=json_body("StuckBody", STUCK_EXAMPLES),
)
async def settle(store: str, number: str, request: Request, backing: Base, caller: Approver) -> StuckSettled:
    """It is for all runs of the order that are listed as `ended`. One that ends once more is listed anew."""
    caller.require_store(store)
    return await settle_stuck(backing, caller, f"{store}:{number}", await read_model(request, StuckBody))


async def settle_stuck(backing: Backing, caller: Caller, key: str, body: StuckBody) -> StuckSettled:
    """Raises Refusal: 409 where no run of the order has ended, or the engine cannot let it go on."""
    book = StuckBook(backing.ledger.engine)
    listed = await book.of_order(key)
    ended = [run for run in listed if run.kind == "ended"]
    if not ended:
        failing = "its run fails and goes on by itself with the release that mends it" if listed else "none is stuck"
        raise Refusal(409, "not-ended", f"no run of order {key} has ended in the engine: {failing}")
    settled = Settled(how=body.decision, by=caller.name, reason=body.reason, at=datetime.now(UTC))
    if body.decision == "restart":
        await _restart(backing, {run.process: run for run in ended}, key, f"{body.reason} ({caller.name})")
    for run in ended:
        await book.settle(run, settled)
    return StuckSettled(order_key=key, decision=body.decision, runs=tuple(run.workflow_id for run in ended))


async def _restart(backing: Backing, ended: Mapping[str, StuckRun], key: str, reason: str) -> None:
    """Harmless where they were started again before. Raises Refusal (409, 503)."""
    runs = await backing.engine.runs()
    if CHECKOUT in ended:
        await _restart_checkout(backing, runs, ended[CHECKOUT], reason)
    elif LATE_PAYMENT in ended:  # else the checkout looks after the payment
        store, _, number = key.partition(":")
        await runs.start_late_payment(LatePaymentInput(order_key=key, store=store, number=number))
    if GOODS in ended:
        await follow_again(backing, key)


async def _restart_checkout(backing: Backing, runs: EngineRuns, run: StuckRun, reason: str) -> None:
    """What the feeds told while nobody followed the order went to nobody, or to a run about a late payment."""
    latest = await backing.engine.look(run.workflow_id)
    if latest is None or latest.run_id == run.run_id:
        await _take_up(backing, runs, run, reason)
    try:
        async with asyncio.timeout(backing.settings.api.answer_within_seconds):
            await runs.end_late_payment(run.order_key)
    except TimeoutError:
        said = f"run {run.workflow_id} was started again, and no worker has ended the one about its late payment yet"
        raise Refusal(
            503, "unavailable", f"{said}; send the same request again", headers={"Retry-After": str(RETRY_AFTER)}
        ) from None
    for what in ("entry", "billing"):
        await runs.hint(run.order_key, what)


async def _take_up(backing: Backing, runs: EngineRuns, run: StuckRun, reason: str) -> None:
    try:
        if await runs.take_up(run.workflow_id, run.run_id, reason):
            return
        placed = await backing.engine.placed(run.order_key)
    except RPCError as err:
        if is_away(err):
            raise
        gone = "the engine keeps its history no more" if err.status is RPCStatusCode.NOT_FOUND else err.message
        raise Refusal(
            409, "cannot-restart", f"run {run.workflow_id} cannot be taken up: {gone}; settle the order by hand"
        ) from None
    if placed is None:
        raise Refusal(409, "cannot-restart", f"run {run.workflow_id} did nothing that it could go on from; dismiss it")
    await runs.start_checkout(placed, anew=True)
