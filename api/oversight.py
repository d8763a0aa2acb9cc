"""What else operators watch: orders that wait for fulfillment, and runs that cannot go on."""

from fastapi import APIRouter

from activities.ledger.stuck import StuckBook
from api.auth import Caller, Operator
from api.backing import Backing, Base
from commerce.model import Model, UtcDatetime
from commerce.stuck import StuckRun

router = APIRouter(tags=["oversight"])


class Handovers(Model):
    """Keys of completed orders that no fulfillment has taken up, oldest first."""

    orders: tuple[str, ...]


@router.get("/v1/handovers", summary="Orders that wait for fulfillment")
async def handovers(backing: Base, caller: Operator) -> Handovers:
    keys = await backing.ledger.handovers()
    return Handovers(orders=tuple(key for key in keys if caller.sees(key.partition(":")[0])))


class StuckAnswer(Model):
    """`kind` is `failing` (its task fails again and again) or `ended` (in the engine, while its order was open)."""

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
