"""Order -> fulfillment -> tracking: one run is one order's goods, from booked in the ERP to delivered or closed.

Input: which order; everything else was left by its checkout. The run sleeps until a feed tells it that something
changed (`hint`), takes what the feed has read or reads the ERP once, and brings shop, customer and portal to where the
ERP is. It asks nobody on its own but for one look after days of silence. `cancel` cancels what has not left the house.
"""

import asyncio
from datetime import timedelta
from functools import partial

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError

with workflow.unsafe.imports_passed_through():
    from activities.changes import Reading
    from activities.fulfillment import (
        AskTransfer,
        Carriers,
        ErpFulfillment,
        FulfillmentView,
        LookAtParcels,
        RequestTransfer,
    )
    from commerce.documents import CancelRequest
    from commerce.failures import Family
    from commerce.fulfillment import ZERO, Portion, State, Transfer
    from workflows.fulfillment_shop import FulfillmentInShop
    from workflows.fulfillment_state import FulfillmentInput
    from workflows.names import TOO_LATE
    from workflows.parking import Skipped, Stopped, family_of, problem_of
    from workflows.profiles import swift_step


@workflow.defn(name="OrderFulfillmentTracking")
class OrderFulfillmentTracking(FulfillmentInShop):
    @workflow.init
    def __init__(self, given: FulfillmentInput) -> None:
        super().__init__(given)

    # ---- the story ---------------------------------------------------------------------------------------------------

    @workflow.run
    async def run(self, given: FulfillmentInput) -> FulfillmentView:
        try:
            await self._open()
            while True:
                await self._read_erp()
                self._follow_cancelled_lines()
                await self._write_shipments()
                await self._invoice_what_never_ships()
                await self._keep_parcels()
                await self._look_at_parcels()
                await self._tell()
                await self._tell_shop()
                await self._keep()
                if self._ended() and not self._has_news():
                    view = await self._close()
                    if view is not None:
                        return view
                await self._wait_for_news()
                self._leave_for_a_new_run()
        except (Stopped, asyncio.CancelledError):  # in the engine alone: nothing else stops the goods of an order
            self._stop_by_engine()
            await self._to_the_end(self._leave())
            raise CancelledError(str(self._stop)) from None

    async def _leave(self) -> None:
        """What runs beside, and who asked for something, sees the stop and closes its own cases."""
        await asyncio.gather(*self._beside, return_exceptions=True)
        await workflow.wait_condition(workflow.all_handlers_finished)

    # ---- the steps, in order -----------------------------------------------------------------------------------------

    async def _look_at_parcels(self) -> None:
        """What the carrier says of the parcels that are on their way."""
        if not self._unheard("parcel"):
            return
        self._heard("parcel")
        carrier = self._goods_plan.carrier
        if not carrier or self._reading is None:
            return
        for shipment in self._reading.dispatched():
            numbers = shipment.tracking_numbers()
            if not numbers or shipment.number in self._delivered:
                continue
            try:
                found = await self._do(
                    f"look at the parcels of {shipment.number}",
                    carrier,
                    Carriers.look_at_parcels,
                    partial(LookAtParcels, order_key=self._key, carrier=shipment.carrier, tracking=numbers),
                    may_skip=True,
                )
            except Skipped as skipped:
                self._skipped.append(str(skipped))
                continue
            self._hear_of_parcels(shipment, found.news)

    async def _request_transfer(self, task: RequestTransfer) -> Transfer:
        """Who asks is told at once what the ERP refuses. What it cannot say now is asked again, and may park."""
        step, plan = "request transfer", self._need_plan()
        swift = swift_step(plan, plan.erp, f"{step}: {self._key}")
        try:
            return await self._call(ErpFulfillment.request_transfer, task, swift)
        except ActivityError as err:
            if family_of(err) in (Family.NEEDS_PERSON.value, Family.REJECTED.value):
                refused = problem_of(err, step, plan.erp)
                self._note("heard", f"a transfer from {task.source} was refused: {refused.came_back}")
                raise ApplicationError(f"{refused.came_back}; {refused.do_next}", type="Impossible") from None
        try:
            return await self._do(step, plan.erp, ErpFulfillment.request_transfer, lambda: task, may_skip=True)
        except Skipped as skipped:
            self._skipped.append(str(skipped))
            raise ApplicationError(str(skipped), type="Impossible") from None
        except Stopped as stop:
            raise ApplicationError(str(stop), type="Impossible") from None

    async def _wait_for_news(self) -> None:
        """Until a feed tells, a person decides, a promised day passes, or there was silence for long."""
        self._stop_if_asked()
        wait = self._next_look() - workflow.now()
        self._idle = True
        try:
            await workflow.wait_condition(
                lambda: (
                    self._has_news()
                    or self._continue_now()
                    or self._ended()  # what ran beside, such as a case about money, was all that was left
                ),
                timeout=max(wait, timedelta(seconds=1)),
                timeout_summary="look without being told",
            )
        except TimeoutError:
            self._hints["fulfillment"] = self._hints.get("fulfillment", 0) + 1
            self._hints["parcel"] = self._hints.get("parcel", 0) + 1
        self._idle = False

    # ---- messages ----------------------------------------------------------------------------------------------------

    @workflow.signal
    def hint(self, what: str, reading: Reading | None = None) -> None:
        """Something may have changed: `fulfillment`, `parcel`, `shop-canceled` or `shop-lines`. Harmless when repeated.

        `again`: somebody doubts what the shop shows. The ERP is read, and every shipment is looked for in the shop.
        """
        self._hints[what] = self._hints.get(what, 0) + 1
        if what == "fulfillment" and reading is not None and reading.goods is not None:
            self._from_feed = (self._hints[what], workflow.now(), reading.goods)
        if what == "again":
            self._hints["fulfillment"] = self._hints.get("fulfillment", 0) + 1
        if what == "shop-canceled":
            self._hear_of_shop_cancellation(reading)
        self._carry_out_cancellations()

    @workflow.update
    async def cancel(self, request: CancelRequest) -> FulfillmentView:
        """Answered once it is carried out, or once a case at the ERP must be decided before: `asked` says which."""
        self._ask_to_cancel(request)
        self._carry_out_cancellations()
        await workflow.wait_condition(
            lambda: request not in self._to_cancel or self._case_at_erp() is not None or self._stopping()
        )
        return self.view()

    @workflow.update
    async def transfer(self, asked: AskTransfer) -> Transfer:
        """Goods from another warehouse. The run sees their arrival at the ERP, and that the order goes on."""
        self._transfers += 1
        skus = {line.line: line.sku for line in self._lines()}
        made = await self._request_transfer(
            RequestTransfer(
                key=self._key_of("transfer", self._transfers),
                order_key=self._key,
                source=asked.source,
                destination=asked.destination,
                portions=tuple(
                    Portion(line=line, sku=skus[line], quantity=quantity) for line, quantity in asked.lines.items()
                ),
                needed_by=asked.needed_by,
                reason=f"{asked.reason} ({asked.by})",
            )
        )
        by = f", needed by {made.expected_on}" if asked.needed_by is not None else ""
        self._note("did", f"{asked.by} asked for transfer {made.number} from {asked.source}{by}: {asked.reason}")
        self._hints["fulfillment"] = self._hints.get("fulfillment", 0) + 1
        return made

    @transfer.validator
    def _may_transfer(self, asked: AskTransfer) -> None:
        still_open = {line.line: line.open for line in self._lines() if line.open}
        for line, quantity in asked.lines.items():
            if quantity > still_open.get(line, ZERO):
                known = ", ".join(f"{each}: {left}" for each, left in still_open.items()) or "none"
                raise ApplicationError(
                    f"lines.{line}: {quantity} are asked for; open quantities by line are {known}", type="Impossible"
                )
        if asked.source == asked.destination:
            raise ApplicationError("source and destination are the same warehouse", type="Impossible")

    @cancel.validator
    def _may_cancel(self, request: CancelRequest) -> None:
        if self._reading is not None and not any(self._cancellable(line) for line in self._lines()):
            gone = self._state() is not State.CANCELLED
            raise ApplicationError(
                "everything has left the house; take it back as a return" if gone else "it is cancelled already",
                type=TOO_LATE,
            )
