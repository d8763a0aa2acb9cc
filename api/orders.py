"""One order, the search for orders, and the way to stop one."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request
from pydantic import Field, StringConstraints
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.workflow import UpdateMethodMultiParam

from activities.fulfillment import FulfillmentView
from api.answers import Found, OrderAnswer, found, not_found, order_answer, order_now
from api.auth import Portal
from api.backing import Backing, Base
from api.body import json_body, read_model
from api.errors import RETRY_AFTER, ErrorAnswer, Refusal, away
from api.examples import CANCEL_EXAMPLES
from commerce.documents import CancelRequest, Stage
from commerce.model import Model
from workflows.checkout_payment_invoice import CheckoutPaymentInvoice
from workflows.names import NEEDS_A_PERSON, TOO_LATE
from workflows.order_fulfillment_tracking import OrderFulfillmentTracking

router = APIRouter(tags=["orders"])
Asked = TypeVar("Asked", bound=Model)
Told = TypeVar("Told")
Reason = Annotated[str, StringConstraints(min_length=1, max_length=1000, strip_whitespace=True)]


class CancelBody(Model):
    reason: Reason = Field(description="Why; kept with the order")
    unattended: bool = Field(
        default=False,
        description="Refuse it (409 `needs-a-person`) where a person would have to finish it: once the shop has "
        "invoiced the order, once it is completed, or where its money was taken at the shop's own gateway",
    )


class OrdersFound(Model):
    orders: tuple[Found, ...]


@router.get("/v1/orders/{store}/{number}", summary="State, timeline, documents and cases of one order")
async def read(store: str, number: str, backing: Base, caller: Portal) -> OrderAnswer:
    """From the order's run while it is open, else from the ledger. `next` says what it waits for and what to do."""
    caller.require_store(store)
    return await order_now(backing, store, number)


@router.get("/v1/orders", summary="Find orders by their number or by a document's number")
async def search(
    backing: Base,
    caller: Portal,
    number: Annotated[str, Query(description="Order number, or the whole key {store}:{number}")] = "",
    document: Annotated[str, Query(description="Number of a sales order, receipt, invoice or refund anywhere")] = "",
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many, newest first")] = 100,
) -> OrdersFound:
    return OrdersFound(orders=tuple(await search_orders(backing, caller.sees, number, document, limit)))


@router.post(
    "/v1/orders/{store}/{number}/cancel",
    status_code=202,
    summary="Stop an order and undo what was done",
    responses={409: {"model": ErrorAnswer, "description": "Too late, left to a person, or the order has ended"}},
    openapi_extra=json_body("CancelBody", CANCEL_EXAMPLES),
)
async def cancel(store: str, number: str, request: Request, backing: Base, caller: Portal) -> OrderAnswer:
    """What was done is undone in reverse: the payment goes back, the documents are cancelled. The timeline tells."""
    caller.require_store(store)
    body = await read_model(request, CancelBody)
    return await cancel_order(backing, store, number, CancelRequest(by=caller.name, **body.model_dump()))


async def search_orders(
    backing: Backing, sees: Callable[[str], bool], number: str, document: str, limit: int
) -> list[Found]:
    """Orders by number, by document number, or the newest; only those of stores that may be seen."""
    rows = []
    if document:
        rows = await backing.ledger.order_of_document(document)
    if number or not document:
        rows += await backing.ledger.orders(number=number or None, limit=limit)
    seen = {row.key: row for row in rows if sees(row.store)}
    return [found(backing, row) for row in list(seen.values())[:limit]]


async def cancel_order(backing: Backing, store: str, number: str, asked: CancelRequest) -> OrderAnswer:
    """Raises Refusal: 404 unknown, 409 ended, too late or left to a person, 503 no worker."""
    key = f"{store}:{number}"
    known = await backing.ledger.order(key)
    if known is not None and known.stage:
        if asked.unattended and known.stage == Stage.COMPLETED.value:
            text = f"order {key} is completed: what has not left the house is cancelled without `unattended`"
            raise Refusal(409, NEEDS_A_PERSON, f"{text}, and a person settles its money")
        if known.stage == Stage.COMPLETED.value and await cancel_goods(backing, store, number, asked) is not None:
            return await order_now(backing, store, number)
        raise _has_ended(key, known.stage)
    handle = (await backing.engine.runs()).checkout(key)
    update_id = hashlib.sha256(f"cancel {asked.model_dump_json()}".encode()).hexdigest()[:40]
    within = timedelta(seconds=backing.settings.api.answer_within_seconds)
    try:
        view = await handle.execute_update(CheckoutPaymentInvoice.cancel, asked, id=update_id, rpc_timeout=within)
    except WorkflowUpdateFailedError as err:
        refused = err.cause if isinstance(err.cause, ApplicationError) else None
        code, reason = (refused.type or TOO_LATE, refused.message) if refused else (TOO_LATE, str(err.cause))
        raise Refusal(409, code, f"order {key} cannot be cancelled: {reason}") from None
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        raise away("the worker", "no run took the request in time") from None
    except RPCError as err:
        if err.status is not RPCStatusCode.NOT_FOUND:
            raise
        again = await backing.ledger.order(key)
        if again is None:
            raise not_found(key) from None
        raise _has_ended(key, again.stage or "ended from outside") from None
    return order_answer(backing, view, view.cases, known)


def _has_ended(key: str, stage: str) -> Refusal:
    remedy = (
        "; it is paid, invoiced and with fulfillment: credit the invoice in the billing system"
        if stage == Stage.COMPLETED.value
        else "; nothing is left to cancel"
    )
    return Refusal(409, "ended", f"order {key} cannot be cancelled: it has ended as {stage!r}{remedy}")


async def cancel_goods(backing: Backing, store: str, number: str, asked: CancelRequest) -> FulfillmentView | None:
    """Cancel what has not left the house. None: no run follows the order's goods any more. Raises Refusal."""
    return await ask_goods(backing, f"{store}:{number}", OrderFulfillmentTracking.cancel, asked)


async def ask_goods(
    backing: Backing, key: str, update: UpdateMethodMultiParam[[OrderFulfillmentTracking, Asked], Told], asked: Asked
) -> Told | None:
    """An update of the run of an order's goods; the same words again are the same update. None: there is no such run.

    Raises Refusal: 409 where the run refuses, 503 when the ERP does not answer in time; it may still be carried out.
    """
    handle = (await backing.engine.runs()).goods(key)
    update_id = hashlib.sha256(f"{type(asked).__name__} {asked.model_dump_json()}".encode()).hexdigest()[:40]
    within = timedelta(seconds=backing.settings.api.answer_within_seconds)
    try:
        return await handle.execute_update(update, asked, id=update_id, rpc_timeout=within)
    except WorkflowUpdateFailedError as err:
        reason = err.cause.message if isinstance(err.cause, ApplicationError) else str(err.cause)
        raise Refusal(409, TOO_LATE, f"order {key}: {reason}") from None
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        said = f"order {key}: no answer in time, because the ERP is away or no worker runs"
        remedy = "it may still be carried out; the same request again is the same one, not a second"
        raise Refusal(503, "unavailable", f"{said}; {remedy}", headers={"Retry-After": str(RETRY_AFTER)}) from None
    except RPCError as err:
        if err.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None
