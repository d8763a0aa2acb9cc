"""What the overview counts: open orders by stage from the engine, the rest from the ledger."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import func, select
from temporalio.service import RPCError

from activities.engine_away import is_away
from activities.ledger import tables as t
from activities.ledger.database import transaction
from api.auth import Caller
from api.backing import Backing
from api.errors import Refusal
from api.standing import EndpointList, standing
from commerce.documents import CLOSED_STAGES, Stage

OPEN_STAGES = tuple(stage for stage in Stage if stage not in CLOSED_STAGES)
_WITHIN = timedelta(seconds=2)


@dataclass
class Numbers:
    """`open` is None while the engine does not answer."""

    open: dict[str, int] | None
    ended: dict[str, int] = field(default_factory=dict)
    quarantined: int = 0
    waiting_notifications: int = 0
    handovers: int = 0
    systems: EndpointList = field(default_factory=lambda: EndpointList(endpoints=()))


async def count(backing: Backing, caller: Caller) -> Numbers:
    orders = select(t.orders.c.stage, func.count()).where(t.orders.c.stage != "").group_by(t.orders.c.stage)
    handovers = select(func.count()).select_from(t.handovers).where(t.handovers.c.taken_at.is_(None))
    if caller.stores:
        orders = orders.where(t.orders.c.store.in_(caller.stores))
        keys = select(t.orders.c.key).where(t.orders.c.store.in_(caller.stores))
        handovers = handovers.where(t.handovers.c.order_key.in_(keys))
    notifications = select(t.notifications.c.state, func.count()).where(t.notifications.c.state != "done")
    async with transaction(backing.ledger.engine) as db:
        ended = {str(stage): int(number) for stage, number in await db.execute(orders)}
        states = {
            str(state): int(number)
            for state, number in await db.execute(notifications.group_by(t.notifications.c.state))
        }
        waiting = (await db.execute(handovers)).scalar_one()
    return Numbers(
        open=await _open(backing, caller),
        ended={stage.value: ended.get(stage.value, 0) for stage in Stage if stage in CLOSED_STAGES},
        quarantined=states.get("quarantined", 0),
        waiting_notifications=states.get("waiting", 0),
        handovers=waiting,
        systems=await standing(backing),
    )


async def _open(backing: Backing, caller: Caller) -> dict[str, int] | None:
    stores = ", ".join(f"'{store}'" for store in sorted(caller.stores))
    limited = f" AND Store IN ({stores})" if stores else ""
    base = "WorkflowType = 'CheckoutPaymentInvoice' AND ExecutionStatus = 'Running'"
    try:
        client = await backing.engine.client()
        found = await asyncio.gather(
            *(
                client.count_workflows(f"{base} AND Stage = '{stage.value}'{limited}", rpc_timeout=_WITHIN)
                for stage in OPEN_STAGES
            )
        )
    except Refusal:
        return None
    except RPCError as err:
        if not is_away(err):
            raise
        return None
    return {stage.value: result.count for stage, result in zip(OPEN_STAGES, found, strict=True)}
