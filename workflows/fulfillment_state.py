"""What a run knows of an order's goods, and how that is shown."""

import asyncio
from datetime import datetime, time, timedelta
from decimal import Decimal

from pydantic import Field
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.fulfillment import (
        FulfillmentControl,
        FulfillmentPlan,
        FulfillmentView,
        ParcelNews,
        ShipmentView,
        TrackView,
    )
    from commerce.documents import CancelRequest, Document, Event
    from commerce.fulfillment import Fulfillment, LineProgress, Portion, Shipment, State, overall, problems
    from commerce.model import Model
    from commerce.order import Order
    from commerce.quantities import Entry, QuantityLedger
    from commerce.totals import is_on_account
    from workflows.parking import ParkingWorkflow
    from workflows.running import FRESH

ENDED = frozenset({State.DELIVERED, State.CLOSED, State.CANCELLED})


class SoFar(Model):
    """What a run takes along into the next one of the same order."""

    reading: Fulfillment | None = None
    written: dict[str, list[str]] = Field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    news: dict[str, ParcelNews] = Field(default_factory=dict)
    also: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    waits: dict[str, tuple[Portion, ...]] = Field(default_factory=dict)
    missing: tuple[Portion, ...] = ()
    delivered: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    cancelled_known: dict[str, Decimal] = Field(default_factory=dict)
    documents: tuple[Document, ...] = ()
    timeline: tuple[Event, ...] = ()
    skipped: tuple[str, ...] = ()
    cases: int = 0
    cancels: int = 0
    transfers: int = 0
    replaced_by: str = ""
    disputed: tuple[str, ...] = ()


class FulfillmentInput(Model):
    order_key: str
    store: str
    number: str
    so_far: SoFar | None = None


class FulfillmentState(ParkingWorkflow):
    _order: Order
    _goods_plan: FulfillmentPlan
    _invoice_number: str
    _quantities: QuantityLedger

    def __init__(self, given: FulfillmentInput) -> None:
        super().__init__(given.store, given.number)
        so_far = given.so_far or SoFar()
        self._input = given
        self._reading = so_far.reading
        self._written = dict(so_far.written)  # by shipment: the tracks that the shop was given
        self._also = dict(so_far.also)  # by shipment: earlier ones that brought parts of its bundles
        self._waits = dict(so_far.waits)  # by shipment: what the shop shows once the rest of a bundle has left
        self._missing = so_far.missing  # that rest
        self._broken: set[str] = set()  # shipments of which a person was asked, because the rest stays
        self._services_due = False  # the shop is asked to invoice what is never shipped
        self._left_out = set(so_far.left_out)  # shipments, and the invoice beside them, kept out by a person
        self._entries = so_far.entries
        self._news = dict(so_far.news)  # by tracking number
        self._delivered = set(so_far.delivered)
        self._told = set(so_far.told)
        self._known_numbers = {number for numbers in so_far.written.values() for number in numbers}
        self._cancelled_known = dict(so_far.cancelled_known)
        self._settled: dict[str, Decimal] = {}  # cancelled quantities whose money an earlier run has settled
        self._documents = list(so_far.documents)
        self._timeline = list(so_far.timeline)
        self._skipped = list(so_far.skipped)
        self._case_count = so_far.cases
        self._cancels = so_far.cancels
        self._transfers = so_far.transfers
        self._replaced_by = so_far.replaced_by  # the number of the order that an edit put in this one's place
        self._to_cancel: list[CancelRequest] = []
        self._beside: list[asyncio.Task[None]] = []
        self._keeping = asyncio.Lock()
        self._at_erp = asyncio.Lock()
        self._under_way: dict[str, asyncio.Task[None]] = {}  # cancellations that are being carried out, by who asked
        self._kept: Fulfillment | None = None  # the reading that the ledger's view shows
        self._followed: Fulfillment | None = None  # the reading that shop, customer and portal are brought to
        # The first look needs no hint: what happened before the run began told nobody.
        self._hints = {"fulfillment": 1, "parcel": 1}
        self._hints_heard: dict[str, int] = {}
        # What the feed has read, with the number of the hint that brought it and when that was.
        self._from_feed: tuple[int, datetime, Fulfillment] | None = None
        self._disputed = set(so_far.disputed)  # what the shop cancelled too late, as it was said to a person
        self._shop_knows = False  # what is cancelled was cancelled in the shop
        self._idle = False  # nothing is to be done until there is news
        self._shown: tuple[str, str] = ("", "")
        self._reason = ""

    # ---- state -------------------------------------------------------------------------------------------------------

    def _case_name(self, count: int) -> str:
        # The checkout and every run of an order's goods have cases of their own.
        return f"goods-{workflow.info().workflow_start_time:%Y%m%d%H%M%S}-{count}"

    def _key_of(self, what: str, count: int) -> str:
        """The key of a write that a person asked for: another run of the same goods must not take it for done."""
        return f"{self._key}:{what}:{workflow.info().workflow_start_time:%Y%m%d%H%M%S}-{count}"

    def _why_not_give_up(self) -> str:
        return (
            "what has left the house cannot be undone; cancel what has not with `starter.py cancel`, then decide this "
            "case by retry, or by skip where it may be left out"
        )

    def _stage_shown(self) -> str:
        return self._shown[0]

    def _gone(self) -> tuple[Shipment, ...]:
        return self._reading.dispatched() if self._reading is not None else ()

    def _lines(self) -> tuple[LineProgress, ...]:
        return self._reading.lines if self._reading is not None else ()

    def _services_open(self) -> bool:
        """On account, what is never shipped is the buyer's once the shop has invoiced it; prepaid, from the begin."""
        if self._reading is None or not self._in_shop() or not is_on_account(self._order):
            return False
        number = self._reading.number
        return (
            not self._services_due
            and number not in self._left_out
            and all(each.key != number for each in self._documents)
        )

    def _cancellable(self, line: LineProgress) -> Decimal:
        """Services too, until the first goods have left: then their invoice is due, and the ERP counts them as done."""
        return line.undelivered if line.intangible and self._services_open() and not self._gone() else line.open

    def _state(self) -> State:
        return overall(self._reading, frozenset(self._delivered)) if self._reading is not None else State.BOOKED

    def _waits_for(self) -> str:
        state = self._state()
        if state in ENDED:
            return ""
        if state is State.DISPATCHED:
            return "carrier"
        moving = [transfer for transfer in self._reading.transfers if not transfer.done] if self._reading else []
        if moving:
            return f"transfer {moving[0].number} from {moving[0].source}"
        return "goods" if state is State.BACK_ORDERED else "warehouse"

    def _asked(self) -> tuple[str, ...]:
        """What was asked for and is not carried out yet, in words."""
        return ()

    def _in_shop(self) -> bool:
        return bool(self._order.shop_id) and bool(self._need_plan().storefront)

    def _unheard(self, *what: str) -> bool:
        return any(self._hints.get(kind, 0) > self._hints_heard.get(kind, 0) for kind in what)

    def _has_news(self) -> bool:
        """Also what was read beside the run's own way, once that is done with the ERP."""
        beside = self._reading is not self._followed and not self._at_erp.locked()
        return beside or self._unheard("fulfillment", "parcel")

    def _heard(self, what: str) -> None:
        self._hints_heard[what] = self._hints.get(what, 0)

    def _as_told(self) -> Fulfillment | None:
        """The goods as the feed has just read them, where no other news came after that, and they go on from what is
        known. All else is looked at.
        """
        told, self._from_feed = self._from_feed, None
        if told is None or self._reading is None:
            return None
        hint, at, reading = told
        latest = hint == self._hints["fulfillment"] and workflow.now() - at <= FRESH
        newer = reading.changed_at >= self._reading.changed_at
        return reading if latest and newer and not problems(self._reading, reading) else None

    def _add(self, document: Document) -> None:
        self._documents = [known for known in self._documents if (known.kind, known.id) != (document.kind, document.id)]
        self._documents.append(document)

    def _next_look(self) -> datetime:
        """The end of the next promised day, or of the wait for the carrier; else after days of silence."""
        looks = [workflow.now() + timedelta(days=self._goods_plan.look_again_days)]
        for line in self._lines():
            if line.promised_on is not None and line.open:
                end = datetime.combine(line.promised_on, time(0), tzinfo=workflow.now().tzinfo) + timedelta(days=1)
                if end > workflow.now():
                    looks.append(end)
        if self._state() is State.DISPATCHED and self._reading is not None:
            last = max(each.dispatched_at or self._reading.changed_at for each in self._reading.dispatched())
            looks.append(max(last + timedelta(days=self._goods_plan.delivery_days), workflow.now()))
        return min(looks)

    def _track(self, shipment: Shipment, number: str) -> TrackView:
        links = self._goods_plan.links
        pattern = links.get(shipment.carrier.lower(), links.get("", ""))
        news = self._news.get(number)
        return TrackView(
            number=number,
            link=pattern.replace("{number}", number),
            said=news.state if news else "",
            expected_at=news.expected_on if news else None,
            delivered_at=news.at if news and news.delivered else None,
        )

    # ---- what everybody can read -------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """The ledger's lists are as fresh as the last change. One at a time: an older view never comes last."""
        async with self._keeping:
            view = self.view()
            self._kept = self._reading
            self._show(view.state.value, view.waiting_on)
            await self._control(FulfillmentControl.keep, view, f"keep {self._key}")

    def _keep_beside(self) -> None:
        self._kept = self._reading
        self._beside = [*(task for task in self._beside if not task.done()), self._begin_beside(self._keep())]

    def _show(self, state: str, waiting_on: str) -> None:
        if (state, waiting_on) != self._shown:
            self._shown = (state, waiting_on)
            self._waiting_on = waiting_on
            waiting = f", waiting for {waiting_on}" if waiting_on else ""
            workflow.set_current_details(f"**{state}**{waiting}")
            self._publish()

    @workflow.query
    def view(self) -> FulfillmentView:
        shipments = self._reading.shipments if self._reading is not None else ()
        return FulfillmentView(
            order_key=self._key,
            store=self._store,
            number=self._number,
            state=self._state(),
            waiting_on=self._waits_for(),
            in_shop=self._plan is not None and self._in_shop(),
            lines=self._lines(),
            shipments=tuple(
                ShipmentView(
                    number=shipment.number,
                    state=State.DELIVERED if shipment.number in self._delivered else shipment.state,
                    carrier=shipment.carrier,
                    service=shipment.service,
                    tracks=tuple(self._track(shipment, number) for number in shipment.tracking_numbers()),
                    portions=shipment.portions,
                    dispatched_at=shipment.dispatched_at,
                    written_back=shipment.number in self._written and shipment.number not in self._waits,
                    waits=self._waits.get(shipment.number, ()),
                )
                for shipment in shipments
                if shipment.state is not State.CANCELLED
            ),
            transfers=self._reading.transfers if self._reading is not None else (),
            documents=tuple(self._documents),
            timeline=tuple(self._timeline),
            cases=tuple(case for case in self._cases.values() if case.id not in self._decisions),
            skipped=tuple(self._skipped),
            asked=self._asked(),
            reason=self._reason,
        )
