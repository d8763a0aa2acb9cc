"""Orders that were edited in the shop: it cancels the order and places another one in its place.

The new order is checked out as the order that it is; the replaced one is undone as with any cancellation, and says by
what it was replaced. Both may be heard of in any order. What may not happen is that both are paid, invoiced and sent:
an order waits, and then asks a person, where the one that it replaces was completed and its goods are not cancelled.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.changes import Reading
    from activities.control import Control, KnownOutcome
    from commerce.documents import Stage
    from commerce.fulfillment import State
    from workflows.checkout_undo import CheckoutUndo
    from workflows.names import checkout_id
    from workflows.parking import Problem, Skipped, Stopped

# The goods of the replaced order hear of its cancellation in the shop by the same feed; the ERP may be slow or away.
OTHER_MAY_TAKE = timedelta(minutes=10)
LOOK_AGAIN, AT_MOST = timedelta(seconds=2), timedelta(minutes=2)  # the pause doubles
SHOP = "cancelled in the shop"


class CheckoutEdit(CheckoutUndo):
    # ---- the order that is replaced ----------------------------------------------------------------------------------

    def _hear_of_shop_cancellation(self, reading: Reading | None) -> None:
        """Harmless when repeated; the number of the new order may be told later than the cancellation."""
        replaced_by = reading.replaced_by if reading is not None else ""
        if replaced_by and not self._replaced_by:
            self._replaced_by = replaced_by
            self._note("heard", f"the order was changed in the shop and goes on as order {replaced_by}")
        elif self._stop is None and self._stage is not Stage.COMPLETED:
            self._note("heard", "the order was cancelled in the shop")
        if self._stage is Stage.COMPLETED:
            return
        if self._stop is None or self._stop.reason == SHOP:
            self._stop = Stopped(
                Stage.CANCELLED, f"replaced by order {self._replaced_by}" if self._replaced_by else SHOP
            )

    # ---- the order that takes its place ------------------------------------------------------------------------------

    async def _tell_replaced_order(self) -> None:
        """What the shop's cancellation says too, in case that this order is heard of first, or came from a portal."""
        if not self._order.replaces:
            return
        other = self._other()
        self._note("heard", f"takes the place of order {self._order.replaces}")
        run = workflow.get_external_workflow_handle(checkout_id(other))
        told = Reading(at=workflow.now(), replaced_by=self._number)
        try:
            await run.signal("hint", args=["shop-canceled", told])
        except FailureError as err:
            if is_cancelled_exception(err):
                raise
            # It has ended or never was: what became of it is looked up next.

    async def _take_the_place(self) -> None:
        """Before money is asked for, and again before anything is booked: the other one may have ended meanwhile."""
        if not self._order.replaces or self._both_stand:
            return
        try:
            await self._check("take the place of the replaced order", self._other_is_out_of_the_way, may_skip=True)
        except Skipped as skipped:
            self._both_stand = True
            self._skipped.append(str(skipped))

    async def _other_is_out_of_the_way(self) -> None:
        until, pause = workflow.now() + OTHER_MAY_TAKE, LOOK_AGAIN
        while True:
            known = await self._control(Control.known_outcome, self._other(), f"what became of {self._other()}")
            if _is_out_of_the_way(known):
                return
            if known.left or workflow.now() >= until:
                raise self._both_would_stand(known)
            self._enter(self._stage, f"the goods of order {self._order.replaces} to be cancelled", rests=True)
            try:
                await workflow.wait_condition(
                    self._stopping, timeout=pause, timeout_summary=f"look at {self._other()} again"
                )
            except TimeoutError:
                pause = min(2 * pause, AT_MOST)
                continue
            self._stop_if_asked()

    def _both_would_stand(self, known: KnownOutcome) -> Problem:
        replaced = self._order.replaces
        gone = f", and its goods have left the house ({', '.join(known.left)})" if known.left else ""
        invoiced = (
            f"invoiced as {known.invoice} over {known.amount}" if known.invoice else f"completed over {known.amount}"
        )
        cancel = f"cancel what is open of it (`starter.py cancel {self._other()}`), " if not known.left else ""
        return Problem(
            f"check out order {self._number} in the place of order {replaced}",
            f"order {replaced} is {invoiced}{gone}; with this one the buyer would get and pay both",
            f"give this order up if the first one stays as it is; else {cancel}take back and credit what was sent, "
            "then decide 'skip' to go on with this one",
            amount=self._order.total,
        )

    def _other(self) -> str:
        return f"{self._store}:{self._order.replaces}"


def _is_out_of_the_way(known: KnownOutcome) -> bool:
    """An open one was told; one that has ended without being completed was undone."""
    if known.stage != Stage.COMPLETED.value:
        return True
    return known.goods == State.CANCELLED.value and not known.left
