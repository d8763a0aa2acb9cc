"""Reading and writing the ledger. Every write can be repeated."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.ledger import tables as t
from activities.ledger.database import transaction
from activities.ledger.documents import documents_of, put_documents
from commerce.cases import HOLDFAST, CaseEvent, Changed
from commerce.documents import Case, CheckoutResult, Decision, Document, DocumentKind, OrderView
from commerce.model import Model, UtcDatetime
from commerce.money import Money
from commerce.order import Order, content


class KnownOrder(Model):
    """An order as the ledger remembers it. `stage` is empty while its run is open."""

    key: str
    store: str
    number: str
    workflow_id: str
    digest: str
    content: dict[str, Any]
    amount: Money
    stage: str
    view: OrderView | None = None
    result: CheckoutResult | None = None
    received_at: UtcDatetime


class Notification(Model):
    id: int
    system: str
    source: str
    reference: str
    state: Literal["waiting", "done", "quarantined", "dropped"]
    reason: str
    tries: int
    received_at: UtcDatetime
    body: str
    releases: tuple[dict[str, Any], ...] = ()


class Ledger:
    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    # ---- orders ------------------------------------------------------------------------------------------------------

    async def keep_order(self, order: Order, workflow_id: str) -> None:
        row = {
            "key": order.key,
            "store": order.store,
            "number": order.number,
            "shop_id": order.shop_id,
            "workflow_id": workflow_id,
            "digest": order.digest(),
            "content": content(order),
            "amount_minor": order.total.minor,
            "currency": order.currency,
            "stage": "",
            "replaces": order.replaces,
        }
        async with transaction(self.engine) as db:
            await db.execute(insert(t.orders).values(row).on_conflict_do_nothing())

    async def order(self, key: str) -> KnownOrder | None:
        async with transaction(self.engine) as db:
            row = (await db.execute(select(t.orders).where(t.orders.c.key == key))).mappings().one_or_none()
        return _known(row) if row is not None else None

    async def orders(self, *, number: str | None = None, limit: int = 100) -> list[KnownOrder]:
        """Newest first; with `number`, those that carry it in any store or as the whole key."""
        query = select(t.orders).order_by(t.orders.c.received_at.desc()).limit(limit)
        if number is not None:
            query = query.where((t.orders.c.number == number) | (t.orders.c.key == number))
        async with transaction(self.engine) as db:
            return [_known(row) for row in (await db.execute(query)).mappings()]

    async def order_of_document(self, number: str) -> list[KnownOrder]:
        """Orders that have a document with this number in any system."""
        keys = select(t.documents.c.order_key).where(t.documents.c.number == number)
        async with transaction(self.engine) as db:
            rows = await db.execute(select(t.orders).where(t.orders.c.key.in_(keys)).limit(20))
            return [_known(row) for row in rows.mappings()]

    async def close_order(self, view: OrderView, result: CheckoutResult, *, hand_over: bool) -> None:
        async with transaction(self.engine) as db:
            await db.execute(
                update(t.orders)
                .where(t.orders.c.key == view.order_key)
                .values(
                    stage=result.outcome.value,
                    view=view.model_dump(mode="json"),
                    result=result.model_dump(mode="json"),
                    closed_at=func.coalesce(t.orders.c.closed_at, func.now()),
                )
            )
            await put_documents(db, view.order_key, result.documents)
            if hand_over:
                row = {"order_key": view.order_key, "result": result.model_dump(mode="json")}
                await db.execute(insert(t.handovers).values(row).on_conflict_do_nothing())

    async def keep_documents(self, order_key: str, documents: tuple[Document, ...]) -> None:
        """Documents that were made after the order's run had ended."""
        async with transaction(self.engine) as db:
            await put_documents(db, order_key, documents)

    async def documents(self, order_key: str, *kinds: DocumentKind) -> tuple[Document, ...]:
        """The order's documents of these kinds, in the order in which they were kept."""
        async with transaction(self.engine) as db:
            return await documents_of(db, order_key, kinds)

    async def handovers(self, *, limit: int = 1000) -> list[str]:
        """Orders that were handed over and that no fulfillment has taken up, oldest first."""
        query = select(t.handovers.c.order_key).where(t.handovers.c.taken_at.is_(None)).order_by(t.handovers.c.at)
        async with transaction(self.engine) as db:
            return list((await db.execute(query.limit(limit))).scalars())

    async def mark_shop_lines(self, order_key: str) -> None:
        """Note that quantities of the order were cancelled in the shop, for the run that follows its goods."""
        async with transaction(self.engine) as db:
            await db.execute(insert(t.shop_lines).values(order_key=order_key).on_conflict_do_nothing())

    # ---- parked cases ------------------------------------------------------------------------------------------------

    async def open_case(self, case: Case) -> None:
        row = {
            "id": case.id,
            "order_key": case.order_key,
            "workflow_id": case.workflow_id,
            "body": case.model_dump(mode="json"),
            "opened_at": case.opened_at,
        }
        async with transaction(self.engine) as db:
            await db.execute(insert(t.cases).values(row).on_conflict_do_nothing())

    async def note_case(self, case: Case, number: int, event: CaseEvent) -> None:
        """Keep what happened to an open case, and the case as it is now. A note repeated late changes nothing back."""
        row = {"case_id": case.id, "number": number, "event": event.model_dump(mode="json")}
        newer = select(t.case_notes.c.number).where(t.case_notes.c.case_id == case.id, t.case_notes.c.number > number)
        async with transaction(self.engine) as db:
            await db.execute(insert(t.case_notes).values(row).on_conflict_do_nothing())
            await db.execute(
                update(t.cases)
                .where(t.cases.c.id == case.id, ~newer.exists())
                .values(body=case.model_dump(mode="json"))
            )

    async def close_case(
        self,
        case_id: str,
        decision: Decision | None,
        reason: str,
        at: datetime,
        changes: tuple[Changed, ...] = (),
    ) -> None:
        values = {
            "decision": decision.model_dump(mode="json") if decision else None,
            "reason": reason,
            "changes": [change.model_dump(mode="json") for change in changes],
            "closed_at": at,
        }
        async with transaction(self.engine) as db:
            await db.execute(
                update(t.cases).where(t.cases.c.id == case_id, t.cases.c.closed_at.is_(None)).values(values)
            )

    async def open_cases(self, *, order_key: str | None = None) -> list[Case]:
        query = select(t.cases.c.body).where(t.cases.c.closed_at.is_(None)).order_by(t.cases.c.opened_at)
        if order_key is not None:
            query = query.where(t.cases.c.order_key == order_key)
        async with transaction(self.engine) as db:
            return [Case.model_validate(body) for body in (await db.execute(query)).scalars()]

    async def case(self, case_id: str) -> tuple[Case, bool] | None:
        """The case and whether it is still open."""
        async with transaction(self.engine) as db:
            row = (await db.execute(select(t.cases).where(t.cases.c.id == case_id))).mappings().one_or_none()
        return (Case.model_validate(row["body"]), row["closed_at"] is None) if row is not None else None

    async def decision_on(self, case_id: str) -> Decision | None:
        """The decision that closed the case; None while it is open, and where its process went on without one."""
        query = select(t.cases.c.decision).where(t.cases.c.id == case_id)
        async with transaction(self.engine) as db:
            found = (await db.execute(query)).scalar_one_or_none()
        return Decision.model_validate(found) if found else None

    async def case_history(self, case_id: str) -> list[CaseEvent]:
        """Who did what to the case, when and why, from its opening to its end."""
        notes = select(t.case_notes.c.event).where(t.case_notes.c.case_id == case_id).order_by(t.case_notes.c.number)
        async with transaction(self.engine) as db:
            row = (await db.execute(select(t.cases).where(t.cases.c.id == case_id))).mappings().one_or_none()
            events = [CaseEvent.model_validate(event) for event in (await db.execute(notes)).scalars()]
        return case_story(row, events) if row is not None else []

    # ---- notifications -----------------------------------------------------------------------------------------------

    async def keep_notification(
        self,
        system: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        sender_id: str | None = None,
        source: str = "",
        reference: str = "",
        quarantine: str = "",
    ) -> int | None:
        """Keep a notification before it is acknowledged. None: the sender sent this one before."""
        row = {
            "system": system,
            "sender_id": sender_id,
            "source": source,
            "reference": reference,
            "headers": dict(headers),
            "body": body,
            "state": "quarantined" if quarantine else "waiting",
            "reason": quarantine,
        }
        async with transaction(self.engine) as db:
            statement = insert(t.notifications).values(row).on_conflict_do_nothing().returning(t.notifications.c.id)
            kept: int | None = (await db.execute(statement)).scalar_one_or_none()
            return kept

    async def waiting_notifications(self, system: str, source: str, *, limit: int = 50) -> list[Notification]:
        table = t.notifications
        query = (
            select(table)
            .where(
                table.c.system == system,
                table.c.source == source,
                table.c.state == "waiting",
                table.c.due_at <= func.now(),
            )
            .order_by(table.c.id)
            .limit(limit)
        )
        async with transaction(self.engine) as db:
            return [notification_of(row) for row in (await db.execute(query)).mappings()]

    async def quarantined(self, *, limit: int = 1000) -> list[Notification]:
        table = t.notifications
        query = select(table).where(table.c.state == "quarantined").order_by(table.c.id.desc()).limit(limit)
        async with transaction(self.engine) as db:
            return [notification_of(row) for row in (await db.execute(query)).mappings()]

    async def settle_notification(self, notification_id: int, *, quarantine: str = "") -> None:
        """What was waiting is done with, or quarantined. What was quarantined meanwhile stays so."""
        async with transaction(self.engine) as db:
            await db.execute(
                update(t.notifications)
                .where(t.notifications.c.id == notification_id, t.notifications.c.state == "waiting")
                .values(state="quarantined" if quarantine else "done", reason=quarantine, done_at=func.now())
            )

    async def postpone_notification(self, notification_id: int, reason: str, wait: timedelta) -> None:
        async with transaction(self.engine) as db:
            await db.execute(
                update(t.notifications)
                .where(t.notifications.c.id == notification_id)
                .values(reason=reason, tries=t.notifications.c.tries + 1, due_at=func.now() + wait)
            )

    async def is_refused(self, system: str, source: str) -> bool:
        """Whether a notification waits that was tried and could not be read."""
        table = t.notifications.c
        waits = (table.system == system, table.source == source, table.state == "waiting", table.tries > 0)
        async with transaction(self.engine) as db:
            return bool((await db.execute(select(exists().where(*waits)))).scalar_one())

    # ---- change feeds ------------------------------------------------------------------------------------------------

    async def cursor(self, source: str) -> str | None:
        async with transaction(self.engine) as db:
            found = await db.execute(select(t.feeds.c.cursor).where(t.feeds.c.source == source))
            return found.scalar_one_or_none()

    async def keep_cursor(self, source: str, cursor: str) -> None:
        async with transaction(self.engine) as db:
            statement = insert(t.feeds).values(source=source, cursor=cursor)
            await db.execute(
                statement.on_conflict_do_update(index_elements=["source"], set_={"cursor": cursor, "at": func.now()})
            )

    async def is_news(self, source: str, reference: str, digest: str) -> bool:
        """Whether this state was not passed on before. Pass it on first, then `remember_seen`."""
        query = select(t.seen.c.digest).where(t.seen.c.source == source, t.seen.c.reference == reference)
        async with transaction(self.engine) as db:
            return (await db.execute(query)).scalar_one_or_none() != digest

    async def remember_seen(self, source: str, reference: str, digest: str) -> None:
        statement = insert(t.seen).values(source=source, reference=reference, digest=digest)
        async with transaction(self.engine) as db:
            await db.execute(
                statement.on_conflict_do_update(
                    index_elements=["source", "reference"], set_={"digest": digest, "at": func.now()}
                )
            )

    # ---- writes that were begun, links and messages ------------------------------------------------------------------

    async def begun(self, key: str) -> datetime | None:
        """Note that the write under `key` begins now; when it was first begun, or None if this is the first time."""
        async with transaction(self.engine) as db:
            new = await db.execute(
                insert(t.intents).values(key=key).on_conflict_do_nothing().returning(t.intents.c.key)
            )
            if new.scalar_one_or_none() is not None:
                return None
            found = await db.execute(select(t.intents.c.begun_at).where(t.intents.c.key == key))
            moment: datetime = found.scalar_one()
            return moment

    async def forget_begun(self, key: str) -> None:
        """The write under `key` was refused for certain: the next one is a first one again."""
        async with transaction(self.engine) as db:
            await db.execute(delete(t.intents).where(t.intents.c.key == key))

    async def save_link(self, key: str, link: str, link_id: str, entry_id: str) -> None:
        row = {"key": key, "link": link, "link_id": link_id, "entry_id": entry_id}
        async with transaction(self.engine) as db:
            statement = insert(t.links).values(row)
            await db.execute(statement.on_conflict_do_update(index_elements=["key"], set_=row))

    async def load_link(self, key: str) -> tuple[str, str, str] | None:
        """Link, link id and entry id."""
        async with transaction(self.engine) as db:
            row = (await db.execute(select(t.links).where(t.links.c.key == key))).mappings().one_or_none()
        return (row["link"], row["link_id"], row["entry_id"]) if row is not None else None

    async def delivered(self, key: str) -> bool:
        query = select(t.messages.c.delivered).where(t.messages.c.key == key)
        async with transaction(self.engine) as db:
            return bool((await db.execute(query)).scalar_one_or_none())

    async def keep_message(self, key: str, kind: str, order_key: str, *, reference: str = "") -> None:
        row = {"key": key, "kind": kind, "order_key": order_key, "delivered": True, "reference": reference}
        async with transaction(self.engine) as db:
            await db.execute(insert(t.messages).values(row).on_conflict_do_nothing())


def _known(row: Mapping[Any, Any]) -> KnownOrder:
    return KnownOrder(
        key=row["key"],
        store=row["store"],
        number=row["number"],
        workflow_id=row["workflow_id"],
        digest=row["digest"],
        content=row["content"],
        amount=Money(minor=row["amount_minor"], currency=row["currency"]),
        stage=row["stage"],
        view=OrderView.model_validate(row["view"]) if row["view"] else None,
        result=CheckoutResult.model_validate(row["result"]) if row["result"] else None,
        received_at=row["received_at"],
    )


def case_story(row: Mapping[Any, Any], notes: list[CaseEvent]) -> list[CaseEvent]:
    """The whole history of a case from its row and its notes."""
    case = Case.model_validate(row["body"])
    events = [CaseEvent(at=row["opened_at"], what="opened", by=HOLDFAST, text=case.came_back), *notes]
    if row["closed_at"] is not None:
        decision = Decision.model_validate(row["decision"]) if row["decision"] else None
        changes = tuple(Changed.model_validate(change) for change in row["changes"])
        events.append(
            CaseEvent(
                at=row["closed_at"],
                what="decided" if decision else "ended",
                by=decision.by if decision else HOLDFAST,
                text=f"{decision.kind.value}: {row['reason']}" if decision else row["reason"],
                changes=changes,
            )
        )
    return events


def notification_of(row: Mapping[Any, Any]) -> Notification:
    return Notification(
        id=row["id"],
        system=row["system"],
        source=row["source"],
        reference=row["reference"],
        state=row["state"],
        reason=row["reason"],
        tries=row["tries"],
        received_at=row["received_at"],
        body=bytes(row["body"]).decode("utf-8", "replace"),
        releases=tuple(row["releases"]),
    )
