"""How far the goods of every order are, as their runs left it: for portals, and for the lists of what is late."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity

from activities.control import Plan
from activities.fulfillment import FulfillmentControl, FulfillmentPlan, FulfillmentView, TakenUp
from activities.ledger import tables as t
from activities.ledger.database import transaction
from activities.steps import patient_step
from commerce.documents import CheckoutResult, DocumentKind
from commerce.failures import Family, SystemFailure
from commerce.fulfillment import LEFT_THE_HOUSE
from commerce.model import Model, UtcDatetime
from commerce.money import Money
from commerce.order import Order

Lateness = Literal["promised but not shipped", "shipped but not written back", "dispatched but not delivered"]


class Late(Model):
    """One order that is late, and since when."""

    order_key: str
    store: str
    number: str
    what: Lateness
    since: UtcDatetime
    state: str
    waiting_on: str
    amount: Money


class FulfillmentBook:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def handed_over(self, order_key: str) -> tuple[Order, CheckoutResult] | None:
        """The order as its checkout left it, and notes that it is taken up. None: it was never handed over."""
        query = (
            select(t.orders.c.content, t.orders.c.shop_id, t.handovers.c.result)
            .join(t.handovers, t.handovers.c.order_key == t.orders.c.key)
            .where(t.orders.c.key == order_key)
        )
        async with transaction(self._engine) as db:
            row = (await db.execute(query)).mappings().one_or_none()
            if row is None:
                return None
            await db.execute(
                update(t.handovers)
                .where(t.handovers.c.order_key == order_key, t.handovers.c.taken_at.is_(None))
                .values(taken_at=func.now())
            )
        order = Order.model_validate({**row["content"], "shop_id": row["shop_id"]})
        return order, CheckoutResult.model_validate(row["result"])

    async def is_handed_over(self, order_key: str) -> bool:
        """Whether a checkout left the order's goods to be followed."""
        query = select(t.handovers.c.order_key).where(t.handovers.c.order_key == order_key)
        async with transaction(self._engine) as db:
            return (await db.execute(query)).scalar_one_or_none() is not None

    async def lines_cancelled_in_shop(self, order_key: str) -> bool:
        """Whether quantities of the order were ever cancelled in the shop."""
        query = select(t.shop_lines.c.order_key).where(t.shop_lines.c.order_key == order_key)
        async with transaction(self._engine) as db:
            return (await db.execute(query)).scalar_one_or_none() is not None

    async def keep(self, view: FulfillmentView) -> None:
        row = {
            "order_key": view.order_key,
            "state": view.state.value,
            "waiting_on": view.waiting_on,
            "view": view.model_dump(mode="json"),
            **_late_facts(view),
        }
        statement = insert(t.fulfillments).values(row)
        async with transaction(self._engine) as db:
            await db.execute(
                statement.on_conflict_do_update(index_elements=["order_key"], set_={**row, "at": func.now()})
            )
            numbers = [track.number for shipment in view.shipments for track in shipment.tracks]
            if numbers:
                named = [{"tracking": number, "order_key": view.order_key} for number in numbers]
                await db.execute(insert(t.parcels).values(named).on_conflict_do_nothing())

    async def view(self, order_key: str) -> FulfillmentView | None:
        query = select(t.fulfillments.c.view).where(t.fulfillments.c.order_key == order_key)
        async with transaction(self._engine) as db:
            found = (await db.execute(query)).scalar_one_or_none()
        return FulfillmentView.model_validate(found) if found is not None else None

    async def orders_of_parcels(self, numbers: tuple[str, ...]) -> dict[str, str]:
        """Order key by tracking number, for those that are ours."""
        query = select(t.parcels.c.tracking, t.parcels.c.order_key).where(t.parcels.c.tracking.in_(numbers))
        async with transaction(self._engine) as db:
            return {row.tracking: row.order_key for row in await db.execute(query)}

    async def late(self, now: datetime, *, write_back: timedelta, delivery: timedelta) -> list[Late]:
        """What is late at `now`, oldest first. `write_back` and `delivery`: how long shop and door may take."""
        table = t.fulfillments
        order = (t.orders.c.key, t.orders.c.store, t.orders.c.number, t.orders.c.amount_minor, t.orders.c.currency)
        found: list[Late] = []
        lists: tuple[tuple[Lateness, Any, Any], ...] = (
            ("promised but not shipped", table.c.promised_on, table.c.promised_on < now.date()),
            ("shipped but not written back", table.c.unwritten_since, table.c.unwritten_since < now - write_back),
            ("dispatched but not delivered", table.c.undelivered_since, table.c.undelivered_since < now - delivery),
        )
        async with transaction(self._engine) as db:
            for what, since, condition in lists:
                query: Select[Any] = (
                    select(*order, table.c.state, table.c.waiting_on, since.label("since"))
                    .join(t.orders, t.orders.c.key == table.c.order_key)
                    .where(condition, table.c.ended_at.is_(None))
                    .order_by(since)
                )
                found += [_late(what, row) for row in (await db.execute(query)).mappings()]
        return sorted(found, key=lambda each: (each.since, each.order_key))


class FulfillmentLedger(FulfillmentControl):
    """`plans` and `goods` by store."""

    def __init__(self, book: FulfillmentBook, plans: Mapping[str, Plan], goods: Mapping[str, FulfillmentPlan]) -> None:
        self._book = book
        self._plans = plans
        self._goods = goods

    @activity.defn(name="fulfillment.take_up")
    @patient_step
    async def take_up(self, order_key: str) -> TakenUp:
        store = order_key.partition(":")[0]
        plan, goods = self._plans.get(store), self._goods.get(store)
        found = await self._book.handed_over(order_key)
        if plan is None or goods is None or found is None:
            missing = f"no [stores.{store}] is configured" if plan is None else "no checkout handed it over"
            raise SystemFailure(
                Family.TRANSIENT,
                f"take up order {order_key}",
                missing,
                system="holdfast",
                do_next=f"configure store {store} and restart the worker" if plan is None else "terminate this run",
            )
        order, result = found
        earlier = await self._book.view(order_key)
        numbers = {document.kind: document.number for document in result.documents}
        return TakenUp(
            plan=plan,
            fulfillment=goods,
            order=order,
            erp_number=numbers.get(DocumentKind.SALES_ORDER, ""),
            invoice_number=numbers.get(DocumentKind.INVOICE, ""),
            look_at_shop=await self._book.lines_cancelled_in_shop(order_key),
            ended_before=earlier if earlier is not None and earlier.ended else None,
        )

    @activity.defn(name="fulfillment.keep")
    @patient_step
    async def keep(self, view: FulfillmentView) -> None:
        await self._book.keep(view)


def _late_facts(view: FulfillmentView) -> dict[str, Any]:
    promised = [line.promised_on for line in view.lines if line.promised_on is not None and line.open]
    gone = [each for each in view.shipments if each.state in LEFT_THE_HOUSE and each.dispatched_at is not None]
    unwritten = [
        each.dispatched_at for each in gone if view.in_shop and each.portions and not (each.written_back or each.waits)
    ]
    on_the_way = [each.dispatched_at for each in gone if any(track.delivered_at is None for track in each.tracks)]
    return {
        "promised_on": min(promised, default=None),
        "unwritten_since": min((at for at in unwritten if at), default=None),
        "undelivered_since": min((at for at in on_the_way if at), default=None),
        "ended_at": datetime.now(UTC) if view.ended else None,
    }


def _late(what: Lateness, row: Mapping[Any, Any]) -> Late:
    since = row["since"]
    if not isinstance(since, datetime):  # a promised day ends at midnight
        since = datetime.combine(since, datetime.min.time(), tzinfo=UTC) + timedelta(days=1)
    return Late(
        order_key=row["key"],
        store=row["store"],
        number=row["number"],
        what=what,
        since=since,
        state=row["state"],
        waiting_on=row["waiting_on"],
        amount=Money(minor=row["amount_minor"], currency=row["currency"]),
    )
