"""Goods on their way: what is late, and goods that are brought from another warehouse."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from activities.fulfillment import AskTransfer
from activities.ledger.fulfillment import FulfillmentBook, Late
from api.auth import Approver, Operator
from api.backing import Base
from api.body import json_body, read_model
from api.errors import ErrorAnswer, Refusal, away
from api.examples import TRANSFER_EXAMPLES
from api.orders import Reason, goods_refused
from commerce.fulfillment import Transfer
from commerce.model import Model, UtcDatetime
from commerce.order import Quantity
from workflows.order_fulfillment_tracking import OrderFulfillmentTracking

router = APIRouter(tags=["goods"])


class LateOrders(Model):
    """Oldest first. An order may stand here for more than one reason."""

    late: tuple[Late, ...]


class TransferBody(Model):
    source: str = Field(min_length=1, description="The warehouse that has the goods, by the ERP's name")
    destination: str = Field(min_length=1, description="The warehouse that ships the order")
    lines: dict[str, Quantity] = Field(min_length=1, description="Quantity by line id of the order")
    needed_by: UtcDatetime | None = None
    reason: Reason = Field(description="Why; kept with the order")


@router.get("/v1/late", summary="Promised but not shipped, shipped but not written back, dispatched but not delivered")
async def late(
    backing: Base,
    caller: Operator,
    write_back_minutes: Annotated[float, Query(ge=0, description="How long a shipment may take to the shop")] = 30,
    delivery_days: Annotated[float, Query(ge=0, description="How long a parcel may take to the door")] = 5,
) -> LateOrders:
    book = FulfillmentBook(backing.ledger.engine)
    found = await book.late(
        datetime.now(UTC), write_back=timedelta(minutes=write_back_minutes), delivery=timedelta(days=delivery_days)
    )
    return LateOrders(late=tuple(one for one in found if caller.sees(one.store)))


@router.post(
    "/v1/orders/{store}/{number}/transfers",
    status_code=201,
    summary="Bring goods of an order from another warehouse",
    responses={409: {"model": ErrorAnswer, "description": "No run follows the order's goods, or nothing is open"}},
    openapi_extra=json_body("TransferBody", TRANSFER_EXAMPLES),
)
async def transfer(store: str, number: str, request: Request, backing: Base, caller: Approver) -> Transfer:
    """The same request again is the same transfer. Its arrival is seen by the order's run, which goes on then."""
    caller.require_store(store)
    body = await read_model(request, TransferBody)
    asked = AskTransfer(by=caller.name, **body.model_dump())
    handle = (await backing.engine.runs()).goods(f"{store}:{number}")
    update_id = hashlib.sha256(f"transfer {asked.model_dump_json()}".encode()).hexdigest()[:40]
    within = timedelta(seconds=backing.settings.api.answer_within_seconds)
    try:
        made: Transfer = await handle.execute_update(
            OrderFulfillmentTracking.transfer, asked, id=update_id, rpc_timeout=within
        )
    except WorkflowUpdateFailedError as err:
        raise goods_refused(store, number, err) from None
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        raise away("the ERP", "the request is kept and made when it answers; look with GET /v1/orders") from None
    except RPCError as err:
        if err.status is not RPCStatusCode.NOT_FOUND:
            raise
        raise Refusal(409, "no-goods", f"no run follows the goods of order {store}:{number}") from None
    return made
