"""Cancelling what has not left the house: asked for by a person, the shop or the ERP; and naming its money.

It runs beside the run's own way: goods that nobody wants any more do not leave the house because a shipment of the same
order waits for the shop or for a person.
"""

from collections.abc import Callable, Coroutine, Iterator, Mapping
from decimal import Decimal
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.changes import Reading
    from activities.fulfillment import (
        CancelLines,
        ErpFulfillment,
        LookAtShop,
        ShopFulfillment,
        ShopProgress,
    )
    from commerce.documents import CancelRequest
    from commerce.fulfillment import ZERO
    from commerce.goods import cancelled_goods, goods
    from commerce.money import Money, rounded
    from commerce.quantities import Entry, Kind
    from commerce.totals import is_on_account
    from workflows.fulfillment_erp import CANCEL, FulfillmentAtErp
    from workflows.parking import Problem, Skipped

SHOP = "shop"


class FulfillmentCancel(FulfillmentAtErp):
    def _hear_of_shop_cancellation(self, reading: Reading | None) -> None:
        """The whole order was cancelled in the shop, by itself or because it was changed into another one."""
        self._replaced_by = self._replaced_by or (reading.replaced_by if reading is not None else "")
        reason = f"replaced by order {self._replaced_by}" if self._replaced_by else "cancelled"
        self._shop_knows = True
        self._ask_to_cancel(CancelRequest(by=SHOP, reason=f"{reason} in the shop"))

    def _ask_to_cancel(self, request: CancelRequest) -> None:
        if request not in self._to_cancel:
            self._to_cancel.append(request)
            self._note("heard", f"{request.by} asked to cancel what is open: {request.reason}")
            if self._at_erp.locked():
                self._keep_beside()  # it waits, and is shown

    def _asked_to_cancel(self) -> bool:
        return bool(self._to_cancel) or self._unheard("shop-lines")

    def _asked(self) -> tuple[str, ...]:
        case, system = self._case_at_erp(), self._plan.erp if self._plan is not None else "the ERP"
        waits = (
            f"is carried out once case {case.id} is decided" if case else f"is carried out as soon as {system} answers"
        )
        return tuple(f"cancel what is open ({each.by}: {each.reason}): {waits}" for each in self._to_cancel)

    def _carry_out_cancellations(self) -> None:
        """Each in its turn, beside the run's own way. The shop's own look may wait for the shop; people do not."""
        if self._plan is None:
            return  # begun once the order is taken up
        if self._to_cancel:
            self._carry_out("asked for", self._cancel_what_was_asked)
        if self._unheard("shop-lines"):
            self._carry_out("in the shop", self._follow_shop_lines)

    def _carry_out(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        running = self._under_way.get(name)
        if running is None or running.done():
            self._under_way[name] = self._begin_beside(work())
            self._beside = [*(task for task in self._beside if not task.done()), self._under_way[name]]

    async def _follow_shop_lines(self) -> None:
        """Quantities that were cancelled in the shop are cancelled at the ERP, as far as they are open there.

        Both sides count everything that was ever cancelled. So what the ERP cancelled first is not cancelled again when
        somebody does the same in the shop, and neither side answers the other.
        """
        look = LookAtShop(order_key=self._key, store=self._store, number=self._number, shop_id=self._order.shop_id)
        while self._unheard("shop-lines"):
            self._heard("shop-lines")  # before the look: what comes during it is looked at again
            if not self._in_shop():
                return
            shown: ShopProgress = await self._do(
                "look at the order in the shop",
                self._need_plan().storefront,
                ShopFulfillment.look_at_order,
                lambda: look,
            )
            gone = {row.line: row.cancelled for row in shown.lines if row.cancelled}
            async with self._at_erp:
                await self._look_at_erp()
                await self._cancel_as_in_shop(cancelled_goods(self._order, gone))

    async def _cancel_as_in_shop(self, asked: Mapping[str, Decimal]) -> None:
        quantities: dict[str, Decimal] = {}
        too_late: list[str] = []
        for line in self._lines():
            more = asked.get(line.line, ZERO) - line.cancelled
            left = self._cancellable(line)
            if more > 0 and left:
                quantities[line.line] = min(more, left)
            if more > left:
                too_late.append(f"{more - left} of line {line.line} ({line.sku})")
        self._dispute(", ".join(too_late))
        if quantities:
            said = ", ".join(f"{quantity} of line {line}" for line, quantity in quantities.items())
            self._note("heard", f"cancelled in the shop: {said}")
            self._shop_knows = True
            await self._cancel_at_erp(quantities, "cancelled in the shop (shop)")

    def _dispute(self, too_late: str) -> None:
        """What the shop cancelled although it is no longer open at the ERP is said to a person once."""
        if not too_late or too_late in self._disputed:
            return
        self._disputed.add(too_late)
        self._beside.append(self._begin_beside(self._agree_with_shop(too_late)))

    async def _agree_with_shop(self, too_late: str) -> None:
        async def by_hand() -> None:
            raise Problem(
                f"cancel at the ERP what was cancelled in the shop of order {self._key}",
                f"{too_late} was cancelled in the shop, and is not open at the ERP any more: it has left the house, or "
                "is a service",
                "take it back as a return and credit it, or settle it with the buyer; then decide 'skip' with the "
                "reason",
                system=self._need_plan().erp,
            )

        try:
            await self._check("agree with the shop's cancellation", by_hand, may_skip=True)
        except Skipped as skipped:
            self._skipped.append(str(skipped))

    async def _cancel_what_was_asked(self) -> None:
        """Open quantities are cancelled at the ERP; what has left stays. Money for them is a person's matter, below."""
        while self._to_cancel:
            request = self._to_cancel[0]
            async with self._at_erp:
                await self._look_at_erp()  # what left the house a moment ago may have told nobody yet
                quantities = {line.line: left for line in self._lines() if (left := self._cancellable(line))}
                if request.by == SHOP:
                    self._dispute(", ".join(self._beyond_reach()))
                if quantities:
                    await self._cancel_at_erp(quantities, f"{request.reason} ({request.by})")
                else:
                    self._note("did", "nothing was open to cancel")
                self._to_cancel.remove(request)

    def _beyond_reach(self) -> Iterator[str]:
        """What the shop cancelled as a whole and the ERP cannot."""
        for line in self._lines():
            gone = line.ordered - line.cancelled - self._cancellable(line)
            if gone > 0:
                yield f"{gone} of line {line.line} ({line.sku})"

    async def _cancel_at_erp(self, quantities: dict[str, Decimal], reason: str) -> None:
        """Whoever calls has the turn, and a reading that was made in it."""
        self._cancels += 1
        task = CancelLines(
            key=self._key_of("cancel", self._cancels), order_key=self._key, quantities=quantities, reason=reason
        )
        try:
            undone = await self._do(
                CANCEL,
                self._need_plan().erp,
                ErpFulfillment.cancel_lines,
                lambda: task,
                may_skip=True,
            )
            self._note("undid", undone.what)
        except Skipped as skipped:
            self._skipped.append(str(skipped))
        await self._look_at_erp()
        self._follow_cancelled_lines()
        if not self._idle:
            self._keep_beside()  # the run's own way may wait for long

    def _follow_cancelled_lines(self) -> None:
        """Lines that were cancelled, here or by somebody at the ERP: they never ship, and money may have to go back."""
        new: dict[str, Decimal] = {}
        for line in self._lines():
            known = self._cancelled_known.get(line.line, ZERO)
            more = line.cancelled - known
            if more > 0:
                unsettled = line.cancelled - max(known, self._settled.get(line.line, ZERO))
                if unsettled > 0:
                    new[line.line] = unsettled
                document = f"erp:{line.line}:{line.cancelled}"
                self._quantities.take(Entry(kind=Kind.CANCEL, document=document, quantities={line.line: more}))
                self._cancelled_known[line.line] = line.cancelled
        if new:
            said = ", ".join(f"{quantity} of line {line}" for line, quantity in new.items())
            self._note("heard", f"cancelled at the ERP: {said}")
            self._beside.append(self._begin_beside(self._settle_cancelled(new, said)))

    async def _settle_cancelled(self, cancelled: Mapping[str, Decimal], said: str) -> None:
        worth = self._worth(cancelled)
        if self._nothing_ships() and self._order.shipping is not None:
            worth += self._order.shipping.amount + self._order.shipping.tax
            said += " with the delivery, because nothing of the order ships,"

        account = is_on_account(self._order)
        had = f"invoiced as {self._invoice_number}" if account else "paid"
        changed = f"; the order was changed and goes on as order {self._replaced_by}" if self._replaced_by else ""
        discounted = "; the amount is without the order's own discounts" if self._order.discounts else ""
        in_shop = "" if self._shop_knows else "cancel the rest in the shop, "
        plan = self._need_plan()

        async def by_hand() -> None:
            raise Problem(
                f"{'credit' if account else 'pay back'} {worth} for order {self._key}",
                f"{said} will not ship, and was {had}{changed}{discounted}",
                f"{'' if account else 'refund it in the payment system and '}credit the invoice in the billing system, "
                f"{in_shop}then decide 'skip' with the references as the reason",
                system=plan.billing if account else plan.payments,
                amount=worth,
            )

        try:
            await self._check("refund what was cancelled", by_hand, may_skip=True)
        except Skipped as skipped:
            self._skipped.append(str(skipped))

    def _nothing_ships(self) -> bool:
        services = {line.line for line in self._lines() if line.intangible}
        shipped = [line for line in goods(self._order) if line.id not in services]
        return all(self._cancelled_known.get(line.id, 0) >= line.quantity for line in shipped)

    def _worth(self, quantities: Mapping[str, Decimal]) -> Money:
        """What the buyer paid for these quantities, tax included, before discounts of the whole order."""
        worth = Money.zero(self._order.currency)
        for line in goods(self._order):
            if line.id in quantities:
                share = (line.total + line.tax).decimal() * quantities[line.id] / line.quantity
                worth += rounded(share, self._order.currency)
        return worth
