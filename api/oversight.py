"""What operators watch besides orders: quarantined notifications and orders that wait for fulfillment."""

from fastapi import APIRouter

from api.auth import Operator
from api.backing import Base
from commerce.model import Model, UtcDatetime

router = APIRouter(tags=["oversight"])


class Quarantined(Model):
    id: int
    system: str
    source: str
    reference: str
    reason: str
    tries: int
    received_at: UtcDatetime
    body: str


class QuarantineList(Model):
    notifications: tuple[Quarantined, ...]


class Handovers(Model):
    """Keys of completed orders that no fulfillment has taken up, oldest first."""

    orders: tuple[str, ...]


@router.get("/v1/quarantine", summary="Notifications that could not be read, newest first")
async def quarantine(backing: Base, caller: Operator) -> QuarantineList:
    rows = await backing.ledger.quarantined()
    return QuarantineList(notifications=tuple(Quarantined(**row.model_dump(exclude={"state"})) for row in rows))


@router.get("/v1/handovers", summary="Orders that wait for fulfillment")
async def handovers(backing: Base, caller: Operator) -> Handovers:
    keys = await backing.ledger.handovers()
    return Handovers(orders=tuple(key for key in keys if caller.sees(key.partition(":")[0])))
