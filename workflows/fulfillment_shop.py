"""The shop is brought to where the ERP is: each shipment with its tracks, and on account its invoice, one at a time.

A bundle that the shop sends as a whole is shown when its last part has left; until then what left waits, and is told to
the buyer all the same.
"""

from collections.abc import Iterable
from decimal import Decimal
from itertools import dropwhile, takewhile

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.fulfillment import InvoiceShipped, ShopFulfillment, ShownShipment, WriteShipment
    from commerce.cases import HOLDFAST
    from commerce.documents import Decision, DecisionKind, DocumentKind
    from commerce.fulfillment import ZERO, Portion, Shipment
    from commerce.quantities import Entry, Kind
    from commerce.totals import is_on_account
    from workflows.fulfillment_steps import FulfillmentSteps
    from workflows.parking import Problem, Skipped

SHOW_REST = "show the rest of shipment"


class FulfillmentInShop(FulfillmentSteps):
    async def _write_shipments(self) -> None:
        """Each dispatched shipment into the shop, with its tracks; then, on account, its invoice. One at a time."""
        if not self._in_shop() or self._reading is None:
            return
        in_doubt = self._unheard("again")
        self._heard("again")
        if in_doubt:
            self._note("heard", "somebody asked to look for every shipment in the shop again")
        for shipment in self._for_the_shop():
            if in_doubt or self._written.get(shipment.number) != self._tracks_of(shipment):
                await self._write_shipment(shipment)
        self._ask_for_broken_bundles()

    def _for_the_shop(self) -> tuple[Shipment, ...]:
        """What left the house and is to be shown, oldest first. What people added at the ERP is none of the shop's."""
        return tuple(one for one in self._gone() if one.portions and one.number not in self._left_out)

    def _tracks_of(self, shipment: Shipment) -> list[str]:
        """What the shop's shipment is to carry: also the numbers of those that brought parts of its bundles."""
        return self._tracks_with(shipment, self._gone())

    def _tracks_with(self, shipment: Shipment, before: tuple[Shipment, ...]) -> list[str]:
        also = self._also.get(shipment.number, ())
        brought_by = (shipment, *(one for one in before if one.number in also))
        return list(dict.fromkeys(number for one in brought_by for number in one.tracking_numbers()))

    async def _write_shipment(self, shipment: Shipment) -> None:
        entry = Entry(kind=Kind.SHIP, document=shipment.number, quantities=_quantities(shipment.portions))

        async def fits() -> None:
            beyond = self._quantities.would(entry)
            if beyond:
                raise Problem(
                    f"write shipment {shipment.number} of order {self._key} to the shop",
                    "; ".join(each.words() for each in beyond),
                    "find out what left the house; correct the ERP and decide 'retry', or 'skip' this shipment",
                    system=self._need_plan().erp,
                    may_skip=True,
                )

        new, before = shipment.number not in self._written, self._before(shipment)
        try:
            await self._check(f"ship {shipment.number}", fits)
            shown: ShownShipment = await self._do(
                f"write shipment {shipment.number}",
                self._need_plan().storefront,
                ShopFulfillment.ensure_shipment,
                lambda: WriteShipment(
                    order_key=self._key,
                    store=self._store,
                    number=self._number,
                    shop_id=self._order.shop_id,
                    shipment=shipment,
                    before=before,
                    tell_customer=self._goods_plan.shop_mail,
                ),
                may_skip=True,
            )
        except Skipped as skipped:
            self._leave_out(shipment.number, str(skipped))
            return
        self._quantities.take(entry)
        self._take_shown(shipment, shown, before, new=new)
        if new and is_on_account(self._order):
            step = f"invoice shipment {shipment.number} in the shop"
            await self._invoice_in_shop(step, shipment.number, shipment.portions)

    def _before(self, shipment: Shipment) -> tuple[Shipment, ...]:
        """What left earlier, for orders with bundles: a part may have to wait for the others."""
        if not any(line.kind == "bundle" for line in self._order.lines):
            return ()
        return tuple(takewhile(lambda one: one.number != shipment.number, self._for_the_shop()))

    def _take_shown(self, shipment: Shipment, shown: ShownShipment, before: tuple[Shipment, ...], *, new: bool) -> None:
        later = list(dropwhile(lambda one: one.number != shipment.number, self._for_the_shop()))[1:]
        if not any(one.number in self._written for one in later):  # else it is known what became of the parts
            self._waits, self._missing = dict(shown.waits), shown.missing
        self._also[shipment.number] = shown.also
        self._written[shipment.number] = self._tracks_with(shipment, before)
        if shown.document is not None:
            self._add(shown.document)
            self._note("did", f"shipment {shipment.number} is in the shop{'' if new else ' with its tracks'}")
        elif new:
            rest = _said(shown.missing)
            self._note(
                "heard", f"shipment {shipment.number} is shown in the shop once {rest} of its bundle has left too"
            )

    def _ask_for_broken_bundles(self) -> None:
        """A person is asked, once, about each shipment with a part whose bundle will never be whole."""
        for number in self._waits:
            if number not in self._broken and self._rest_that_stays(number):
                self._broken.add(number)
                self._beside.append(self._begin_beside(self._settle_broken(number)))
        asked = {f"{SHOW_REST} {number}": number for number in self._broken}
        for case in self._cases.values():
            undecided = case.step in asked and case.id not in self._decisions
            if undecided and not self._rest_that_stays(asked[case.step]):
                why = "the rest of its bundle leaves after all"
                self._decisions[case.id] = Decision(case_id=case.id, kind=DecisionKind.RETRY, by=HOLDFAST, reason=why)

    def _rest_that_stays(self, number: str) -> str:
        """What the bundles of a shipment's parts miss and will not leave any more; empty where all of it may."""
        heads = {row.id: row.parent for row in self._order.lines}
        broken = {heads.get(part.line) for part in self._waits.get(number, ())}
        still_open = {line.line: line.open for line in self._lines()}
        short = ((each, each.quantity - still_open.get(each.line, ZERO)) for each in self._missing)
        stays = [
            each.model_copy(update={"quantity": n}) for each, n in short if n > 0 and heads.get(each.line) in broken
        ]
        return _said(stays)

    async def _settle_broken(self, number: str) -> None:
        async def by_hand() -> None:
            rest = self._rest_that_stays(number)
            if rest:
                raise Problem(
                    f"show all of shipment {number} of order {self._key} in the shop",
                    f"{_said(self._waits[number])} left with it as a part of a bundle, which the shop sends as a whole "
                    f"only, and {rest} of it will not leave any more",
                    "settle the bundle with the buyer, ship or refund it in the shop by hand, then decide 'skip' with "
                    "the reason; when the rest leaves after all, the bundle is shown by itself",
                    system=self._need_plan().storefront,
                    may_skip=True,
                )

        try:
            await self._check(f"{SHOW_REST} {number}", by_hand)
            self._broken.discard(number)
        except Skipped as skipped:
            self._waits.pop(number, None)
            if any((one.kind, one.key) == (DocumentKind.SHOP_SHIPMENT, number) for one in self._documents):
                self._skipped.append(str(skipped))
            else:  # nothing of it was shown
                self._written.pop(number, None)
                self._leave_out(number, str(skipped))
            self._keep_beside()

    async def _invoice_what_never_ships(self) -> None:
        """On account, services and downloads have one invoice of their own: after the first shipment's, because the
        shop charges the delivery with its first invoice, or at once where nothing is to ship.
        """
        if self._reading is None or not self._services_open():
            return
        number = self._reading.number
        waits = any(line.open for line in self._lines()) and not self._reading.dispatched()
        portions = tuple(
            Portion(line=line.line, sku=line.sku, quantity=line.ordered - line.cancelled)
            for line in self._lines()
            if line.intangible and line.ordered > line.cancelled
        )
        if waits or not portions:
            return
        self._services_due = True
        step = "invoice what is not shipped in the shop"
        if not await self._invoice_in_shop(step, number, portions, services=True):
            self._left_out.add(number)

    async def _invoice_in_shop(
        self, step: str, key: str, portions: tuple[Portion, ...], *, services: bool = False
    ) -> bool:
        """Whether it was written; a person may leave it out."""
        try:
            document = await self._do(
                step,
                self._need_plan().storefront,
                ShopFulfillment.invoice_shipped,
                lambda: InvoiceShipped(
                    order_key=self._key,
                    store=self._store,
                    number=self._number,
                    shop_id=self._order.shop_id,
                    key=key,
                    portions=portions,
                    services=services,
                ),
                may_skip=True,
            )
        except Skipped as skipped:
            self._skipped.append(str(skipped))
            return False
        self._quantities.take(Entry(kind=Kind.INVOICE, document=key, quantities=_quantities(portions)))
        self._add(document)
        return True


def _quantities(portions: tuple[Portion, ...]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for portion in portions:
        found[portion.line] = found.get(portion.line, ZERO) + portion.quantity
    return found


def _said(portions: Iterable[Portion]) -> str:
    return ", ".join(f"{portion.quantity} of {portion.sku}" for portion in portions)
