"""The console's page of one order: its checkout, its goods, and what an operator can ask of both."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from fastapi.responses import RedirectResponse, Response
from starlette.requests import Request

from activities.fulfillment import FulfillmentView
from api.answers import OrderAnswer, order_now
from api.backing import Backing
from api.body import as_model
from api.console.forms import read_form
from api.console.session import Session
from api.errors import Refusal
from api.goods import TransferBody, follow_again, request_transfer
from api.orders import CancelBody, cancel_order
from api.pages import page
from api.stuck import StuckBody, settle_stuck
from commerce.documents import CLOSED_STAGES, CancelRequest, Stage
from commerce.fulfillment import LEFT_THE_HOUSE, LineProgress
from workflows.names import fulfillment_id

_DONE = {
    "decided": "The decision was taken and the order goes on.",
    "cancelled": "The order is being undone.",
    "goods-cancelled": "What has not left the house is being cancelled.",
    "restart": "The run was started again, and goes on where it stood.",
    "dismiss": "The run is listed no more as one that cannot go on.",
    "followed": "The ERP is read and every shipment is looked for in the shop again. Open this page anew in a moment.",
    "transfer": "The transfer was requested. It shows here as soon as the ERP was read again.",
}
_LINE = "line:"  # before a line's id: the field with its quantity


async def one(request: Request, backing: Backing, session: Session) -> Response:
    store, number = request.path_params["store"], request.path_params["number"]
    session.caller.require_store(store)
    answer = await order_now(backing, store, number)
    return _page(backing, session, answer, done=_DONE.get(request.query_params.get("done", ""), ""))


async def cancel(request: Request, backing: Backing, session: Session) -> Response:
    store, number = request.path_params["store"], request.path_params["number"]
    session.caller.require_store(store)
    form = await read_form(request, session)
    try:
        body = as_model({"reason": form.get("reason", "")}, CancelBody)
        told = await cancel_order(backing, store, number, CancelRequest(by=session.caller.name, reason=body.reason))
    except Refusal as refusal:
        return _page(backing, session, await order_now(backing, store, number), refused=refusal, form="cancel")
    return _back(store, number, "goods-cancelled" if told.stage is Stage.COMPLETED else "cancelled")


async def transfer(request: Request, backing: Backing, session: Session) -> Response:
    store, number = request.path_params["store"], request.path_params["number"]
    session.caller.require("approver")
    session.caller.require_store(store)
    form = await read_form(request, session)
    try:
        await request_transfer(backing, session.caller, f"{store}:{number}", as_model(_transfer(form), TransferBody))
    except Refusal as refusal:
        answer = await order_now(backing, store, number)
        return _page(backing, session, answer, refused=refusal, form="transfer", given=form)
    return _back(store, number, "transfer")


async def follow(request: Request, backing: Backing, session: Session) -> Response:
    store, number = request.path_params["store"], request.path_params["number"]
    session.caller.require_store(store)
    await read_form(request, session)
    await follow_again(backing, f"{store}:{number}")
    return _back(store, number, "followed")


async def settle(request: Request, backing: Backing, session: Session) -> Response:
    store, number = request.path_params["store"], request.path_params["number"]
    session.caller.require("approver")
    session.caller.require_store(store)
    form = await read_form(request, session)
    try:
        body = as_model({name: form.get(name, "") for name in StuckBody.model_fields}, StuckBody)
        await settle_stuck(backing, session.caller, f"{store}:{number}", body)
    except Refusal as refusal:
        return _page(backing, session, await order_now(backing, store, number), refused=refusal, form="stuck")
    return _back(store, number, body.decision)


def _transfer(form: dict[str, str]) -> dict[str, Any]:
    """The form as the API's body. A line without a quantity is not moved."""
    quantities = {name.removeprefix(_LINE): text.strip() for name, text in form.items() if name.startswith(_LINE)}
    lines = {line: text for line, text in quantities.items() if text.strip("0.,")}
    if not lines:
        raise Refusal(422, "invalid", "lines: give the quantity of at least one line", field="lines")
    texts = {name: form.get(name, "").strip() for name in ("source", "destination", "reason")}
    needed_by = form.get("needed_by", "").strip()
    return {**texts, "lines": lines, **({"needed_by": needed_by} if needed_by else {})}


def _back(store: str, number: str, done: str) -> Response:
    return RedirectResponse(f"/console/orders/{store}/{quote(number, safe='')}?done={done}", 303)


def _page(
    backing: Backing,
    session: Session,
    answer: OrderAnswer,
    *,
    done: str = "",
    refused: Refusal | None = None,
    form: str = "",
    given: dict[str, str] | None = None,
) -> Response:
    """`refused`: why the form of this name was not carried out; `given` is what was typed into it."""
    still_open = _open_lines(answer.goods)
    return page(
        "order.html",
        status=refused.status if refused else 200,
        session=session,
        order=answer,
        goods=answer.goods,
        goods_run=backing.run_url(fulfillment_id(answer.order_key)) if answer.goods else None,
        left=LEFT_THE_HOUSE,
        still_open=still_open,
        may_cancel=answer.stage not in CLOSED_STAGES and not answer.cancel_requested,
        may_cancel_goods=answer.stage is Stage.COMPLETED and bool(still_open),
        now=datetime.now(UTC),
        done=done,
        problem=refused.message if refused else "",
        problems=refused.by_field() if refused else {},
        refused_form=form,
        given=given or {},
    )


def _open_lines(goods: FulfillmentView | None) -> tuple[LineProgress, ...]:
    """The lines of which something has not left the house, while a run follows them."""
    return tuple(line for line in goods.lines if line.open) if goods is not None and not goods.ended else ()
