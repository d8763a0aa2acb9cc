"""How runs are started and asked: one place, so that every way in uses the same ids and policies."""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowFailureError, WorkflowHandle
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import CancelledError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.changes import LatePaymentInput, Reading, RunRefused
from activities.fulfillment import FulfillmentView
from commerce.documents import CheckoutResult, OrderView, Stage
from commerce.order import Order
from commerce.reconciliation_report import Report
from commerce.totals import amount_due
from workflows.change_feed import ChangeFeed, FeedInput
from workflows.checkout_payment_invoice import CheckoutPaymentInvoice
from workflows.endpoint_messages import CallsSpent, EndpointInput
from workflows.endpoint_watch import EndpointWatch
from workflows.fulfillment_state import FulfillmentInput
from workflows.late_payment import LatePayment
from workflows.names import (
    CUSTOMER_NUMBER,
    NEEDS_PERSON,
    ORDER_NUMBER,
    STAGE,
    STORE,
    WAITING_ON,
    WORKFLOW_QUEUE,
    checkout_id,
    endpoint_id,
    feed_id,
    fulfillment_id,
    late_payment_id,
    reconciliation_id,
)
from workflows.order_fulfillment_tracking import OrderFulfillmentTracking
from workflows.reconciliation import Reconciliation, ReconciliationInput

# Money is protected by keys at the targets; these two keep an order's run single for as long as history is kept.
_REUSE = WorkflowIDReusePolicy.REJECT_DUPLICATE
_CONFLICT = WorkflowIDConflictPolicy.USE_EXISTING


class EngineRuns:
    """Starts and tells runs through one engine client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def start_checkout(self, order: Order, *, anew: bool = False) -> None:
        """Raises RunRefused for an order that the engine will never take, RPCError while the engine is away.

        `anew`: also where a run of it has ended, which nobody but a person may say.
        """
        try:
            await self._client.start_workflow(
                CheckoutPaymentInvoice.run,
                order,
                id=checkout_id(order.key),
                task_queue=WORKFLOW_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE if anew else _REUSE,
                id_conflict_policy=_CONFLICT,
                search_attributes=_attributes(order),
                static_summary=_summary(order),
                static_details=_details(order),
            )
        except WorkflowAlreadyStartedError:
            return  # it ran and ended: the same order a second time
        except RPCError as err:
            raise _refusal(err) from None

    async def ask_for_link(self, order: Order, within: timedelta) -> OrderView:
        """Start the order's run, or join it, and wait for its payment link. Raises WorkflowAlreadyStartedError when the
        run has ended, WorkflowUpdateFailedError when the order is known with other content, and
        WorkflowUpdateRPCTimeoutOrCancelledError when there is no answer in time (the run goes on).
        """
        start = WithStartWorkflowOperation(
            CheckoutPaymentInvoice.run,
            order,
            id=checkout_id(order.key),
            task_queue=WORKFLOW_QUEUE,
            id_reuse_policy=_REUSE,
            id_conflict_policy=_CONFLICT,
            search_attributes=_attributes(order),
            static_summary=_summary(order),
            static_details=_details(order),
        )
        # The SDK keeps a start's failure a second time for whoever asks for its handle; nobody does here.
        started = asyncio.create_task(start.workflow_handle())
        started.add_done_callback(lambda task: task.cancelled() or task.exception())
        view: OrderView = await self._client.execute_update_with_start_workflow(
            CheckoutPaymentInvoice.payment_link,
            order,
            start_workflow_operation=start,
            rpc_timeout=within,
        )
        return view

    async def hint(self, order_key: str, what: str, reading: Reading | None = None) -> bool:
        """`reading` comes from a feed alone: what a browser or a webhook says is no reading."""
        handle = self._client.get_workflow_handle(checkout_id(order_key))
        try:
            await handle.signal(CheckoutPaymentInvoice.hint, args=[what, reading])
        except RPCError as err:
            if err.status is RPCStatusCode.NOT_FOUND:
                return False
            raise _refusal(err) from None
        return True

    async def start_fulfillment(self, order_key: str, **signal: Any) -> None:
        """Start the run of an order's goods, or join it. Also for a late change on an order whose run has ended.

        `signal` (start_signal, start_signal_args) reaches it in either case.
        """
        store, _, number = order_key.partition(":")
        await self._client.start_workflow(
            OrderFulfillmentTracking.run,
            FulfillmentInput(order_key=order_key, store=store, number=number),
            id=fulfillment_id(order_key),
            task_queue=WORKFLOW_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=_CONFLICT,
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(ORDER_NUMBER, number),
                    SearchAttributePair(STORE, store),
                    SearchAttributePair(STAGE, "booked"),
                    SearchAttributePair(NEEDS_PERSON, False),
                ]
            ),
            static_summary=f"Goods of order {number} of {store}",
            **signal,
        )

    async def wake_goods(self, order_key: str, what: str, reading: Reading | None = None) -> None:
        """Tell the run of an order's goods; it begins again where it has ended. `reading` comes from a feed alone."""
        await self.start_fulfillment(order_key, start_signal="hint", start_signal_args=[what, reading])

    async def follow_goods(self, order_key: str) -> None:
        """Have an order's goods followed again: the ERP is read, and every shipment is looked for in the shop."""
        await self.wake_goods(order_key, "again")

    async def hint_goods(self, order_key: str, what: str, reading: Reading | None = None) -> bool:
        """Tell the run of an order's goods: `fulfillment`, `parcel`, `again`, `shop-canceled`, `shop-lines`. False: no
        run.

        `reading` comes from a feed alone.
        """
        try:
            await self.goods(order_key).signal(OrderFulfillmentTracking.hint, args=[what, reading])
        except RPCError as err:
            if err.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return True

    def goods(self, order_key: str) -> WorkflowHandle[OrderFulfillmentTracking, FulfillmentView]:
        return self._client.get_workflow_handle_for(OrderFulfillmentTracking.run, fulfillment_id(order_key))

    async def start_late_payment(self, late: LatePaymentInput) -> None:
        await self._client.start_workflow(
            LatePayment.run,
            late,
            id=late_payment_id(late.order_key),
            task_queue=WORKFLOW_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            # Also where the run is there already, and even as it closes: it looks once more, or a new one starts.
            start_signal="news",
            search_attributes=TypedSearchAttributes(
                [SearchAttributePair(ORDER_NUMBER, late.number), SearchAttributePair(STORE, late.store)]
            ),
            static_summary=f"Late payment of order {late.number} of {late.store}",
        )

    async def end_late_payment(self, order_key: str) -> None:
        """The order's own run looks after its payment again: whoever did so meanwhile decides nothing any more.

        Returns once that has ended; nothing happens where there is none.
        """
        handle = self._client.get_workflow_handle(late_payment_id(order_key))
        try:
            await handle.cancel()
            await handle.result(follow_runs=False)
        except WorkflowFailureError as err:
            if not isinstance(err.cause, CancelledError):
                raise
        except RPCError as err:
            if err.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def start_feed(self, source: str) -> None:
        await self._client.start_workflow(
            ChangeFeed.run,
            FeedInput(source=source),
            id=feed_id(source),
            task_queue=WORKFLOW_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=_CONFLICT,
            static_summary=f"Follows {source}",
        )

    async def end_feed(self, source: str) -> None:
        """It is not configured any more. Nothing happens when nobody follows it."""
        try:
            await self._client.get_workflow_handle(feed_id(source)).terminate("not configured any more")
        except RPCError as err:
            if err.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def start_watch(self, endpoint: str) -> None:
        await self._client.start_workflow(
            EndpointWatch.run,
            EndpointInput(endpoint=endpoint),
            id=endpoint_id(endpoint),
            task_queue=WORKFLOW_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=_CONFLICT,
            static_summary=f"Health of {endpoint}",
        )

    async def refresh_watch(self, endpoint: str) -> None:
        """A worker has started: the configuration may be another one."""
        await self.watch(endpoint).signal(EndpointWatch.refresh)

    async def suspect(self, endpoint: str, reason: str) -> None:
        """A worker met a run of failures at the endpoint."""
        await self.watch(endpoint).signal(EndpointWatch.suspect, reason)

    async def take_up(self, workflow_id: str, run_id: str, reason: str) -> bool:
        """Have a run that has ended go on where it stood, with all that it knew. The same twice is done once.

        What its last steps did is done again: every step finds its document by its key, and adopts it. False: it stood
        nowhere, because no worker ever took it up. Raises RPCError (NOT_FOUND: the engine keeps it no more).
        """
        handle = self._client.get_workflow_handle(workflow_id, run_id=run_id)
        stood = 0
        async for event in handle.fetch_history_events():
            if event.HasField("workflow_task_completed_event_attributes"):
                stood = event.event_id
        if not stood:
            return False
        request = ResetWorkflowExecutionRequest(
            namespace=self._client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
            reason=reason,
            workflow_task_finish_event_id=stood,
            request_id=f"take-up-{run_id}",
        )
        await self._client.workflow_service.reset_workflow_execution(request)
        return True

    async def start_reconciliation(self, id: str, asked: ReconciliationInput) -> None:
        """A comparison that is under way under this id is joined; one that has ended is made again."""
        await self._client.start_workflow(
            Reconciliation.run,
            asked,
            id=reconciliation_id(id),
            task_queue=WORKFLOW_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=_CONFLICT,
            static_summary="Compares both sides of every pair",
        )

    def reconciliation(self, id: str) -> WorkflowHandle[Reconciliation, Report]:
        return self._client.get_workflow_handle_for(Reconciliation.run, reconciliation_id(id))

    async def calls_spent(self, endpoint: str, seconds: int, reason: str) -> None:
        """The system allows no more calls; look again after so many seconds."""
        await self.watch(endpoint).signal(EndpointWatch.calls_spent, CallsSpent(seconds=seconds, reason=reason))

    def watch(self, endpoint: str) -> WorkflowHandle[EndpointWatch, None]:
        return self._client.get_workflow_handle_for(EndpointWatch.run, endpoint_id(endpoint))

    def checkout(self, order_key: str) -> WorkflowHandle[CheckoutPaymentInvoice, CheckoutResult]:
        return self._client.get_workflow_handle_for(CheckoutPaymentInvoice.run, checkout_id(order_key))


def _refusal(err: RPCError) -> Exception:
    """Whether it is this one order that the engine will never take, or the engine that does not serve now."""
    # gRPC's own limit for a message has the same code as a server that is too busy.
    too_large = err.status is RPCStatusCode.RESOURCE_EXHAUSTED and "larger than max" in err.message
    return RunRefused(err.message) if err.status is RPCStatusCode.INVALID_ARGUMENT or too_large else err


def _attributes(order: Order) -> TypedSearchAttributes:
    customer = order.customer.company_number or order.customer.number
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(ORDER_NUMBER, order.number),
        SearchAttributePair(STORE, order.store),
        SearchAttributePair(NEEDS_PERSON, False),
    ]
    if amount_due(order):  # it rests with the buyer first; said with the start, that costs no action of its own
        pairs += (SearchAttributePair(STAGE, Stage.AWAITING_PAYMENT.value), SearchAttributePair(WAITING_ON, "buyer"))
    else:
        pairs.append(SearchAttributePair(STAGE, Stage.RECEIVED.value))
    if customer:
        pairs.append(SearchAttributePair(CUSTOMER_NUMBER, customer))
    return TypedSearchAttributes(pairs)


def _summary(order: Order) -> str:
    return f"Order {order.number} of {order.store}"


def _details(order: Order) -> str:
    lines = f"{len(order.lines)} line{'s' if len(order.lines) != 1 else ''}"
    return f"Total {order.total}, {lines}, {order.customer.kind.value} customer"
