"""What the API answers about an order, from its run while it is open, else from the ledger."""

import logging
from datetime import timedelta

from pydantic import Field
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.common import QueryRejectCondition
from temporalio.service import RPCError, RPCStatusCode

from activities.engine_away import is_away
from activities.fulfillment import FulfillmentView
from activities.ledger.chain import chain_of
from activities.ledger.fulfillment import FulfillmentBook
from activities.ledger.store import KnownOrder
from activities.ledger.stuck import StuckBook
from api.backing import Backing
from api.errors import Refusal
from api.explain import next_step
from commerce.documents import CLOSED_STAGES, Case, CheckoutResult, Document, Event, OrderView, Stage
from commerce.model import Model, UtcDatetime
from commerce.money import Money
from workflows.checkout_payment_invoice import CheckoutPaymentInvoice
from workflows.names import STAGE, WAITING_ON, checkout_id
from workflows.whole_tasks import asked

log = logging.getLogger("holdfast.api")
ASK_WITHIN = timedelta(seconds=3)  # a run with a worker answers in milliseconds


class Links(Model):
    self: str = Field(description="The order here")
    temporal_ui: str | None = Field(default=None, description="The order's run in the Temporal UI")


class _Standing(Model):
    order_key: str = Field(examples=["de:000000123"])
    stage: Stage
    payment_link: str | None = Field(
        default=None, description="Where the buyer pays; null when there is nothing to pay"
    )
    payment_state: str = Field(description="due, captured, on account, paid at the shop, or not asked yet")
    waiting_on: str
    cases: tuple[Case, ...] = Field(description="What a person has to decide")
    next: str = Field(description="What the order waits for and what to do, in plain words")
    links: Links


class CheckoutAnswer(_Standing):
    """What a portal shows its buyer."""

    amount: Money


class Edited(Model):
    """One order of a chain of edits: each edit in the shop cancels an order and places the next one."""

    order_key: str
    number: str
    stage: str = Field(description="the stage that it ended in, 'open', or 'not taken in'")
    amount: Money | None = None
    links: Links


class OrderAnswer(_Standing):
    """All that is known of one order."""

    store: str
    number: str
    live: bool = Field(description="false: the run could not be asked; this is what is known without it")
    amount: Money | None = Field(default=None, description="null: not known before the run's first step")
    cancel_requested: bool = False
    documents: tuple[Document, ...] = ()
    timeline: tuple[Event, ...] = ()
    result: CheckoutResult | None = None
    stuck: str = Field(default="", description="Why a run of it cannot go on, and what to do; empty: none is stuck")
    ended_in_engine: bool = Field(default=False, description="A run of it was ended there; it can be started again")
    goods: FulfillmentView | None = Field(
        default=None, description="Shipments, tracking links, expected days and what is open; null before the hand-over"
    )
    replaces: str | None = Field(default=None, description="Number of the order that was changed into this one")
    replaced_by: str | None = Field(default=None, description="Number of the order that this one was changed into")
    chain: tuple[Edited, ...] = Field(default=(), description="All orders of a chain of edits, first to last")
    received_at: UtcDatetime | None = None


class Found(Model):
    """One row of a search."""

    order_key: str
    store: str
    number: str
    stage: str = Field(description="the stage that it ended in, or 'open'")
    amount: Money
    received_at: UtcDatetime
    links: Links


def links_of(backing: Backing, store: str, number: str) -> Links:
    run = backing.run_url(checkout_id(f"{store}:{number}"))
    return Links(self=backing.order_url(store, number), temporal_ui=run)


def checkout_answer(backing: Backing, view: OrderView, cases: tuple[Case, ...]) -> CheckoutAnswer:
    return CheckoutAnswer(
        order_key=view.order_key,
        stage=view.stage,
        payment_link=_payable_link(view),
        payment_state=view.payment_state,
        amount=view.amount,
        waiting_on=view.waiting_on,
        cases=cases,
        next=next_step(view.stage, view.waiting_on, cases),
        links=links_of(backing, view.store, view.number),
    )


def order_answer(
    backing: Backing, view: OrderView, cases: tuple[Case, ...], known: KnownOrder | None, *, live: bool = True
) -> OrderAnswer:
    return OrderAnswer(
        order_key=view.order_key,
        store=view.store,
        number=view.number,
        live=live,
        stage=view.stage,
        next=next_step(view.stage, view.waiting_on, cases, live=live),
        amount=view.amount,
        payment_link=_payable_link(view),
        payment_state=view.payment_state,
        waiting_on=view.waiting_on,
        cancel_requested=view.cancel_requested,
        replaced_by=view.replaced_by or None,
        documents=view.documents,
        timeline=view.timeline,
        cases=cases,
        result=known.result if known else None,
        received_at=known.received_at if known else None,
        links=links_of(backing, view.store, view.number),
    )


def _payable_link(view: OrderView) -> str | None:
    """A link whose payment would be too late or a second one is not handed out."""
    asked = view.payment_state == "due" and view.stage not in CLOSED_STAGES and view.stage is not Stage.UNDOING
    return view.payment_link or None if asked else None


def found(backing: Backing, known: KnownOrder) -> Found:
    return Found(
        order_key=known.key,
        store=known.store,
        number=known.number,
        stage=known.stage or "open",
        amount=known.amount,
        received_at=known.received_at,
        links=links_of(backing, known.store, known.number),
    )


async def order_now(backing: Backing, store: str, number: str) -> OrderAnswer:
    """The order as it is, with the chain of its edits. Raises Refusal (404, or 503 when nobody can say)."""
    return await _with_stuck_runs(backing, await with_edits(backing, await _order_now(backing, store, number)))


async def with_edits(backing: Backing, answer: OrderAnswer) -> OrderAnswer:
    """What the order was changed from and into: by the orders that were taken in, and by what its own run was told."""
    store, number = answer.store, answer.number
    known = await chain_of(backing.ledger.engine, store, number)
    chain = [
        Edited(
            order_key=one.key,
            number=one.number,
            stage=one.stage or "open",
            amount=one.amount,
            links=links_of(backing, store, one.number),
        )
        for one in known
    ]
    place = next((i for i, one in enumerate(known) if one.number == number), 0)
    replaces = known[place].replaces if known else ""
    after = known[place + 1].number if place + 1 < len(known) else answer.replaced_by
    if after and place + 1 >= len(known):
        own = Edited(order_key=answer.order_key, number=number, stage=answer.stage.value, links=answer.links)
        gone = Edited(
            order_key=f"{store}:{after}", number=after, stage="not taken in", links=links_of(backing, store, after)
        )
        chain = [*(chain or [own]), gone]
    if after and answer.stage in CLOSED_STAGES and answer.stage is not Stage.COMPLETED and not answer.cases:
        said = f"The order was changed and goes on as order {after}; what was done for this one was undone."
        answer = answer.model_copy(update={"next": said})
    return answer.model_copy(update={"replaces": replaces or None, "replaced_by": after or None, "chain": tuple(chain)})


async def _with_stuck_runs(backing: Backing, answer: OrderAnswer) -> OrderAnswer:
    book = StuckBook(backing.ledger.engine)
    stuck, settled = await book.of_order(answer.order_key), await book.settled_of(answer.order_key)
    if settled:
        told = [Event(at=one.at, text=one.about(run), kind="decided") for run, one in settled]
        timeline = tuple(sorted((*answer.timeline, *told), key=lambda event: event.at))
        answer = answer.model_copy(update={"timeline": timeline})
    if not stuck:
        return answer
    words = " ".join(run.words() for run in stuck)
    ended = any(run.kind == "ended" for run in stuck)
    update = {"stuck": words, "next": answer.next if answer.cases else words, "ended_in_engine": ended}
    return answer.model_copy(update=update)


async def _order_now(backing: Backing, store: str, number: str) -> OrderAnswer:
    key = f"{store}:{number}"
    known = await backing.ledger.order(key)
    if known is not None and known.stage and known.view is not None:
        return await _ended(backing, known.view, known)
    try:
        client = await backing.engine.client()
        view = await _ask_run(client, key)
    except Refusal:
        if known is None:
            raise
        return await _without_run(backing, known)
    except RPCError as err:
        if err.status is RPCStatusCode.NOT_FOUND:
            if known is None:
                raise not_found(key) from None
            return await _without_run(backing, known, lost="no run of it is in Temporal")
        if not is_away(err):  # for example: the run's last step failed on a worker
            log.warning("the run of order %s cannot be asked: %s", key, err)
        return await _silent(backing, store, number, known)
    except WorkflowQueryFailedError:
        return await _silent(backing, store, number, known)
    except WorkflowQueryRejectedError as err:
        again = await backing.ledger.order(key)
        if again is not None and again.stage and again.view is not None:
            return await _ended(backing, again.view, again)
        status = err.status.name.lower() if err.status else "closed"
        if again is None:
            raise not_found(key) from None
        return await _without_run(backing, again, lost=f"its run was {status} from outside")
    return order_answer(backing, view, view.cases, known)


async def _ended(backing: Backing, view: OrderView, known: KnownOrder) -> OrderAnswer:
    """An order whose checkout has ended, with its goods as they were last kept."""
    answer = order_answer(backing, view, await _open_cases(backing, known.key), known)
    goods = await FulfillmentBook(backing.ledger.engine).view(known.key)
    if goods is None or answer.cases:
        return answer.model_copy(update={"goods": goods})
    if goods.ended:
        return answer.model_copy(
            update={"goods": goods, "next": f"The goods have ended as {goods.state.value}: {goods.reason}."}
        )
    waiting = f", waiting for {goods.waiting_on}" if goods.waiting_on else ""
    return answer.model_copy(update={"goods": goods, "next": f"The goods are {goods.state.value}{waiting}."})


def not_found(key: str) -> Refusal:
    return Refusal(404, "not-found", f"order {key} is not known; check store and number, or place it first")


async def _ask_run(client: Client, key: str) -> OrderView:
    handle = client.get_workflow_handle_for(CheckoutPaymentInvoice.run, checkout_id(key))
    return await asked(
        lambda: handle.query(
            CheckoutPaymentInvoice.view, reject_condition=QueryRejectCondition.NOT_OPEN, rpc_timeout=ASK_WITHIN
        )
    )


async def _silent(backing: Backing, store: str, number: str, known: KnownOrder | None) -> OrderAnswer:
    """No worker answers for the run: its search attributes tell where it stands."""
    key = f"{store}:{number}"
    described = await backing.engine.look(checkout_id(key))
    if described is None or described.status is not WorkflowExecutionStatus.RUNNING:
        if known is None:
            raise not_found(key)
        return await _without_run(backing, known)
    stage, waiting_on = where_it_stands(described)
    cases = await _open_cases(backing, key)
    return OrderAnswer(
        order_key=key,
        store=store,
        number=number,
        live=False,
        stage=stage,
        next=next_step(stage, waiting_on, cases, live=False),
        amount=known.amount if known else None,
        payment_state="unknown",
        waiting_on=waiting_on,
        cases=cases,
        received_at=known.received_at if known else described.start_time,
        links=links_of(backing, store, number),
    )


def where_it_stands(described: WorkflowExecutionDescription) -> tuple[Stage, str]:
    """Stage and what is waited for, as the run last wrote them where everybody can read them."""
    attributes = described.typed_search_attributes
    return Stage(attributes.get(STAGE) or Stage.RECEIVED.value), attributes.get(WAITING_ON) or ""


async def _without_run(backing: Backing, known: KnownOrder, *, lost: str = "") -> OrderAnswer:
    """What the ledger alone knows of an order that did not end. `lost`: why no run will answer any more."""
    cases = await _open_cases(backing, known.key)
    text = f"The order never ended, and {lost}; look it up in every system, then place the rest by hand."
    return OrderAnswer(
        order_key=known.key,
        store=known.store,
        number=known.number,
        live=False,
        stage=Stage.RECEIVED,
        next=text if lost else next_step(Stage.RECEIVED, "", cases, live=False),
        amount=known.amount,
        payment_state="unknown",
        waiting_on="",
        cases=cases,
        received_at=known.received_at,
        links=links_of(backing, known.store, known.number),
    )


async def _open_cases(backing: Backing, key: str) -> tuple[Case, ...]:
    return tuple(await backing.ledger.open_cases(order_key=key))
