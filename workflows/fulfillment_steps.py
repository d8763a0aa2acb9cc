"""The steps that the story in `order_fulfillment_tracking.py` names in passing: begin, end, follow, tell."""

from datetime import date, timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.fulfillment import (
        FulfillmentControl,
        FulfillmentView,
        GoodsNews,
        GoodsTemplate,
        NoteGoods,
        ParcelNews,
        ShopNotes,
        TellOfGoods,
        TrackView,
    )
    from activities.roles import Notify, TellPortal
    from commerce.documents import Decision
    from commerce.fulfillment import LineProgress, Portion, Shipment, State
    from commerce.goods import goods
    from commerce.quantities import QuantityLedger
    from workflows.fulfillment_cancel import FulfillmentCancel
    from workflows.fulfillment_state import ENDED, SoFar
    from workflows.names import NOTIFY
    from workflows.parking import Problem, Skipped


class FulfillmentSteps(FulfillmentCancel):
    # ---- begin and end -----------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        taken_up = await self._control(FulfillmentControl.take_up, self._key, f"take up {self._key}")
        self._plan = taken_up.plan
        self._goods_plan = taken_up.fulfillment
        self._order = taken_up.order
        self._invoice_number = taken_up.invoice_number
        self._quantities = QuantityLedger({line.id: line.quantity for line in goods(self._order)}, self._entries)
        if taken_up.ended_before is not None:
            self._settled = {line.line: line.cancelled for line in taken_up.ended_before.lines}
            self._skipped = [*taken_up.ended_before.skipped]  # what a person decided stays decided
        if taken_up.look_at_shop and taken_up.ended_before is None and self._input.so_far is None:
            self._hints["shop-lines"] = self._hints.get("shop-lines", 0) + 1
        if not self._timeline:
            self._note("heard", f"taken up from checkout, sales order {taken_up.erp_number}")
        self._carry_out_cancellations()  # asked for before there was an order to cancel

    def _ended(self) -> bool:
        if self._reading is None or any(not task.done() for task in self._beside):
            return False
        state = self._state()
        if state in ENDED:
            return True
        if state is not State.DISPATCHED:
            return False
        last = max(shipment.dispatched_at or self._reading.changed_at for shipment in self._reading.dispatched())
        return workflow.now() >= last + timedelta(days=self._goods_plan.delivery_days)

    async def _close(self) -> FulfillmentView | None:
        """None where news came meanwhile: then the run goes on."""
        state = self._state()
        self._reason = {
            State.CANCELLED: "everything that was open was cancelled",
            State.DELIVERED: "everything was delivered" if self._gone() else "nothing of it is shipped",
        }.get(state, f"{self._goods_plan.delivery_days:g} days passed since the last shipment")
        self._note("did", f"ended: {self._reason}")
        async with self._keeping:
            view = self.view().model_copy(update={"ended": True})
            await self._control(FulfillmentControl.keep, view, f"keep {self._key}")
        self._show(view.state.value, "")
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._has_news() or not self._ended():
            self._reason = ""
            self._note("heard", "news came while the run ended: it goes on")
            return None
        return view

    def _leave_for_a_new_run(self) -> None:
        """A long life in short histories. Not while a case is open: its decision would find nobody."""
        if not self._continue_now():
            return
        so_far = SoFar(
            reading=self._reading,
            written=self._written,
            also=self._also,
            waits=self._waits,
            missing=self._missing,
            left_out=tuple(sorted(self._left_out)),
            entries=self._quantities.entries(),
            news=self._news,
            delivered=tuple(sorted(self._delivered)),
            told=tuple(sorted(self._told)),
            cancelled_known=self._cancelled_known,
            documents=tuple(self._documents),
            timeline=tuple(self._timeline[-200:]),
            skipped=tuple(self._skipped),
            cases=self._case_count,
            cancels=self._cancels,
            transfers=self._transfers,
            replaced_by=self._replaced_by,
            disputed=tuple(sorted(self._disputed)),
        )
        workflow.continue_as_new(self._input.model_copy(update={"so_far": so_far}))

    def _continue_now(self) -> bool:
        return (
            workflow.info().is_continue_as_new_suggested()
            and not self._cases
            and not self._asked_to_cancel()
            and all(task.done() for task in self._beside)
            and workflow.all_handlers_finished()
        )

    # ---- following ---------------------------------------------------------------------------------------------------

    def _hear_of_parcels(self, shipment: Shipment, news: tuple[ParcelNews, ...]) -> None:
        for parcel in news:
            known = self._news.get(parcel.tracking)
            if known is None or (known.at <= parcel.at and known != parcel and not known.delivered):
                self._news[parcel.tracking] = parcel
                self._note("heard", f"parcel {parcel.tracking}: {parcel.state}")
        numbers = shipment.tracking_numbers()
        if all(number in self._news and self._news[number].delivered for number in numbers):
            self._delivered.add(shipment.number)
            self._note("did", f"shipment {shipment.number} was delivered")

    def _leave_out(self, shipment: str, why: str) -> None:
        self._left_out.add(shipment)
        self._skipped.append(why)

    # ---- telling -----------------------------------------------------------------------------------------------------

    async def _tell(self) -> None:
        """Buyer and portal hear of each dispatch, each delay and each delivery, once."""
        if self._reading is None:
            return
        for shipment in self._reading.dispatched():
            await self._tell_once(
                "dispatched",
                shipment.number,
                tracks=tuple(self._track(shipment, number) for number in shipment.tracking_numbers()),
                shipment=shipment,
            )
            if shipment.number in self._delivered:
                await self._tell_once("delivered", shipment.number, shipment=shipment)
        for line in self._lines():
            if self._is_late(line):
                await self._tell_once("delayed", f"{line.line}:{line.promised_on or 'open'}", line=line)

    def _is_late(self, line: LineProgress) -> bool:
        overdue = line.promised_on is not None and line.promised_on < workflow.now().date()
        return bool(line.open) and (overdue or bool(line.back_ordered))

    def _expected_on(self, line: LineProgress) -> date | None:
        """The day that was promised, as long as it can be kept."""
        day = line.promised_on
        return day if day is not None and day >= workflow.now().date() else None

    async def _tell_once(
        self,
        template: GoodsTemplate,
        about: str,
        *,
        tracks: tuple[TrackView, ...] = (),
        shipment: Shipment | None = None,
        line: LineProgress | None = None,
    ) -> None:
        key = f"{self._key}:{template}:{about}"
        if key in self._told:
            return
        self._told.add(key)
        portions = shipment.portions if shipment else ()
        data = {"shipment": shipment.number if shipment else "", "carrier": shipment.carrier if shipment else ""}
        if tracks:
            data["tracking"] = ", ".join(track.number for track in tracks)
            data["tracking_links"] = " ".join(track.link for track in tracks if track.link)
        if line is not None:
            data = {"line": line.line, "sku": line.sku, "expected_on": str(self._expected_on(line) or "")}
        portal = TellPortal(
            key=key, store=self._store, event=f"order.{template}", order_key=self._key, number=self._number, data=data
        )
        if self._goods_plan.customer_mail:
            mail = TellOfGoods(
                key=key,
                template=template,
                order=self._order,
                tracks=tracks,
                portions=portions,
                expected_on=self._expected_on(line) if line else None,
            )
            await self._do_or_skip(f"mail {template}", NOTIFY, GoodsNews.goods, mail)
        if self._need_plan().portal_messages:
            await self._do_or_skip(f"tell portal: order.{template}", NOTIFY, Notify.portal, portal)

    async def _tell_shop(self) -> None:
        """The shop's order carries the same news as comments, where the store wants them. Each once, by its key."""
        if self._goods_plan.shop_notes == "off" or not self._in_shop() or self._reading is None:
            return
        for shipment in self._reading.dispatched():
            tracks = tuple(self._track(shipment, number) for number in shipment.tracking_numbers())
            await self._note_once("dispatched", shipment.number, shipment.portions, shipment=shipment, tracks=tracks)
            if shipment.number in self._delivered:
                await self._note_once("delivered", shipment.number, shipment.portions, shipment=shipment)
        for line in self._lines():
            if self._is_late(line):
                waits = Portion(line=line.line, sku=line.sku, quantity=line.open)
                about = f"{line.line}:{line.promised_on or 'open'}"
                await self._note_once("delayed", about, (waits,), expected_on=self._expected_on(line))
            if line.cancelled and self._state() is not State.CANCELLED:
                gone = Portion(line=line.line, sku=line.sku, quantity=line.cancelled)
                await self._note_once("lines-cancelled", f"{line.line}:{line.cancelled}", (gone,))

    async def _note_once(
        self,
        template: GoodsTemplate,
        about: str,
        portions: tuple[Portion, ...],
        *,
        shipment: Shipment | None = None,
        tracks: tuple[TrackView, ...] = (),
        expected_on: date | None = None,
    ) -> None:
        told = ":".join((f"note:{template}:{about}", *(track.number for track in tracks)))
        if told in self._told:
            return
        self._told.add(told)
        note = NoteGoods(
            key=f"{template}:{about}",
            template=template,
            order=self._order,
            shipment=shipment.number if shipment else "",
            carrier=shipment.carrier if shipment else "",
            tracks=tracks,
            portions=portions,
            expected_on=expected_on,
            visible=self._goods_plan.shop_notes != "internal",
            mailed=self._goods_plan.shop_notes == "mailed",
        )
        await self._do_or_skip(f"note {note.key}", self._need_plan().storefront, ShopNotes.note_goods, note)

    async def _do_or_skip(self, step: str, system: str, method: Any, task: Any) -> None:
        try:
            await self._do(step, system, method, lambda: task, may_skip=True)
        except Skipped as skipped:
            self._skipped.append(str(skipped))

    async def _keep_parcels(self) -> None:
        """New numbers are kept before the carrier is asked: news that comes after the asking then finds the order."""
        numbers = [number for shipment in self._gone() for number in shipment.tracking_numbers()]
        new = set(numbers) - self._known_numbers
        if new and self._goods_plan.carrier:
            await self._keep()
            self._known_numbers |= new
            self._hints["parcel"] = self._hints.get("parcel", 0) + 1

    def _rests(self, system: str) -> None:
        """What the ERP has told is shown while a system is waited for, such as goods that the shop was not told of; and
        what was asked for and waits.
        """
        super()._rests(system)
        if self._kept is not self._reading or self._asked_to_cancel():
            self._keep_beside()

    async def _park(self, step: str, problem: Problem, *, may_skip: bool, family: str) -> Decision:
        """Shown from the moment on when it waits, and again when it was decided: both run once this one has to wait."""
        self._keep_beside()
        try:
            decision = await super()._park(step, problem, may_skip=may_skip, family=family)
        except Skipped:
            self._keep_beside()
            raise
        self._keep_beside()
        return decision
