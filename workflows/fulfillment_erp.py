"""How far the ERP is with an order's goods. One at a time asks it or changes something there: who waits for a person or
for the ERP keeps the turn, so that nothing is cancelled on a reading that does not hold.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.fulfillment import ErpFulfillment, LookAtFulfillment
    from commerce.documents import Case
    from commerce.fulfillment import Fulfillment, problems
    from workflows.fulfillment_state import FulfillmentState
    from workflows.parking import Problem

LOOK, AGREE, CANCEL = "look at fulfillment", "agree with the ERP", "cancel open quantities"
# Whose case keeps the turn.
AT_ERP = frozenset({LOOK, AGREE, CANCEL})


class FulfillmentAtErp(FulfillmentState):
    async def _read_erp(self) -> None:
        """One whole reading, checked in itself and against the one before, where there is news: what the feed has read,
        or else a look.
        """
        if self._unheard("fulfillment"):
            async with self._at_erp:
                told = self._as_told()
                if told is None:
                    await self._look_at_erp()
                else:
                    self._heard("fulfillment")
                    self._take(told)
        self._followed = self._reading

    async def _look_at_erp(self) -> None:
        """The ERP itself is asked. Whoever calls has the turn."""
        self._heard("fulfillment")  # before the look: what comes during it is looked at again

        async def read() -> Fulfillment:
            reading: Fulfillment = await self._do(
                LOOK,
                self._need_plan().erp,
                ErpFulfillment.look_at_fulfillment,
                lambda: LookAtFulfillment(order_key=self._key),
            )
            wrong = problems(self._reading, reading)
            if wrong:
                raise Problem(
                    f"follow the goods of order {self._key}",
                    "; ".join(wrong),
                    "correct the ERP's documents and decide 'retry'; nothing was written to the shop",
                    system=self._need_plan().erp,
                )
            return reading

        self._take(await self._check(AGREE, read))

    def _take(self, reading: Fulfillment) -> None:
        before = self._state()
        earlier = {shipment.number for shipment in self._gone()}
        self._reading = reading
        for shipment in reading.dispatched():
            if shipment.number not in earlier:
                by = f" by {shipment.carrier}" if shipment.carrier else ""
                self._note("heard", f"shipment {shipment.number} left {shipment.source or 'the warehouse'}{by}")
        if self._state() is not before:
            self._note("heard", f"the goods are {self._state().value}")

    def _case_at_erp(self) -> Case | None:
        """The case that everybody who wants something of the ERP waits for."""
        return next((case for case in self._cases.values() if case.step in AT_ERP and case.id in self._listed), None)
