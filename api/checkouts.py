"""Portals place orders here, and get the payment link of the order's run as the answer."""

import asyncio
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import JSONResponse
from temporalio.client import (
    WorkflowExecutionStatus,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError

from activities.ledger.store import KnownOrder
from api.answers import CheckoutAnswer, checkout_answer, links_of, where_it_stands
from api.auth import Portal
from api.backing import Backing, Base
from api.body import json_body, read_model
from api.errors import CANNOT_GO_ON, ErrorAnswer, Refusal, away
from api.examples import ORDER_EXAMPLES
from api.explain import next_step
from commerce.documents import OrderView
from commerce.order import Order, content, differences
from commerce.totals import mismatches
from workflows.names import checkout_id

router = APIRouter(tags=["checkouts"])
ASK_AGAIN_AFTER = "2"  # seconds
_REFUSALS: dict[int | str, dict[str, Any]] = {
    409: {"model": ErrorAnswer, "description": "The number is known with other content; `details` has the differences"},
    422: {
        "model": ErrorAnswer,
        "description": "The order cannot be read, or does not add up; `details` says all of it",
    },
    503: {"model": ErrorAnswer, "description": "Temporal or PostgreSQL is away; nothing was accepted, send it again"},
}


@router.post(
    "/v1/checkouts",
    status_code=201,
    response_model=CheckoutAnswer,
    summary="Place an order and get its payment link",
    responses={
        200: {"model": CheckoutAnswer, "description": "The order was known: the same answer again"},
        202: {"model": CheckoutAnswer, "description": "Accepted, no link yet: ask again at `Location`"},
        **_REFUSALS,
    },
    openapi_extra=json_body("Order", ORDER_EXAMPLES),
)
async def place(
    request: Request,
    backing: Base,
    caller: Portal,
    idempotency_key: Annotated[
        str | None, Header(description="Accepted and not needed: store and order number are the key of every order")
    ] = None,
) -> Response:
    """Starts the order's run, or joins it, and waits for its payment link.

    The same order may be sent any number of times: there is one run, one payment entry and one answer. The same number
    with other content is refused with the differences.
    """
    order = await read_model(request, Order)
    backing.require_store(order.store)
    caller.require_store(order.store)
    known = await backing.ledger.order(order.key)
    if known is not None:
        _require_same(known, order)
        if known.view is not None:
            return await _ended(backing, known.view)
    else:
        _require_totals(order)
    new = known is None and await backing.engine.look(checkout_id(order.key)) is None
    try:
        view = await _ask_for_link(backing, order)
    except WorkflowAlreadyStartedError:
        return await _ended_meanwhile(backing, order)
    if view is None:
        return await _not_yet(backing, order)
    answer = checkout_answer(backing, view, view.cases)
    if view.payment_state == "not asked yet":
        return _later(answer)
    return _json(answer, 201 if new else 200)


async def _ask_for_link(backing: Backing, order: Order) -> OrderView | None:
    """None: there is no answer in time. Raises Refusal (409) for other content."""
    runs = await backing.engine.runs()
    within = timedelta(seconds=backing.settings.api.answer_within_seconds)
    try:
        async with asyncio.timeout(within.total_seconds() + 1):  # the two calls inside may take so long each
            return await runs.ask_for_link(order, within)
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
        return None
    except RPCError as err:
        if err.status is not CANNOT_GO_ON:
            raise
        return None
    except WorkflowUpdateFailedError as err:
        cause = err.cause
        if isinstance(cause, ApplicationError) and cause.type == "DifferentContent":
            raise _conflict(order, [str(line) for line in cause.details[0]]) from None
        raise WorkflowAlreadyStartedError(checkout_id(order.key), "") from err  # it ended while it was asked


def _require_same(known: KnownOrder, order: Order) -> None:
    if known.digest != order.digest():
        raise _conflict(order, differences(known.content, content(order)))


def _conflict(order: Order, found: list[str]) -> Refusal:
    return Refusal(
        409,
        "different-content",
        f"order {order.key} is known with other content; send it unchanged, or give a new order a number of its own",
        field="number",
        details=found,
    )


def _require_totals(order: Order) -> None:
    wrong = mismatches(order)
    if wrong:
        raise Refusal(
            422,
            "totals",
            f"order {order.key} does not add up: {wrong[0]}; correct the amounts and send it again",
            field=wrong[0].partition(":")[0].partition(" ")[0],
            details=wrong,
        )


async def _ended(backing: Backing, view: OrderView) -> Response:
    cases = await backing.ledger.open_cases(order_key=view.order_key)
    return _json(checkout_answer(backing, view, tuple(cases)), 200)


async def _ended_meanwhile(backing: Backing, order: Order) -> Response:
    known = await backing.ledger.order(order.key)
    if known is not None:
        _require_same(known, order)
        if known.view is not None:
            return await _ended(backing, known.view)
    raise Refusal(
        409,
        "run-ended",
        f"the run of order {order.key} was ended from outside before it closed the order; look the order up in every "
        "system, then place the rest under a new number",
    )


async def _not_yet(backing: Backing, order: Order) -> Response:
    """The run is there, and the link is not: the portal asks again. Without a run nothing was accepted."""
    described = await backing.engine.look(checkout_id(order.key))
    if described is None or described.status is not WorkflowExecutionStatus.RUNNING:
        raise away("Temporal", "the order's run was not started in time")
    placed = await backing.engine.placed(order.key)
    if placed is not None and placed.digest() != order.digest():
        raise _conflict(order, differences(content(placed), content(order)))
    stage, waiting_on = where_it_stands(described)
    cases = tuple(await backing.ledger.open_cases(order_key=order.key))
    return _later(
        CheckoutAnswer(
            order_key=order.key,
            stage=stage,
            payment_state="not asked yet",
            amount=order.total,
            waiting_on=waiting_on,
            cases=cases,
            next=next_step(stage, waiting_on, cases),
            links=links_of(backing, order.store, order.number),
        )
    )


def _later(answer: CheckoutAnswer) -> Response:
    return _json(answer, 202, {"Location": answer.links.self, "Retry-After": ASK_AGAIN_AFTER})


def _json(answer: CheckoutAnswer, status: int, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(answer.model_dump(mode="json"), status, headers=headers)
