"""What else operators watch: orders that wait for fulfillment."""

from fastapi import APIRouter

from api.auth import Operator
from api.backing import Base
from commerce.model import Model

router = APIRouter(tags=["oversight"])


class Handovers(Model):
    """Keys of completed orders that no fulfillment has taken up, oldest first."""

    orders: tuple[str, ...]


@router.get("/v1/handovers", summary="Orders that wait for fulfillment")
async def handovers(backing: Base, caller: Operator) -> Handovers:
    keys = await backing.ledger.handovers()
    return Handovers(orders=tuple(key for key in keys if caller.sees(key.partition(":")[0])))
