"""Fills the payments role with JustOn Cash Management: entries with links, their state, and their cancellation."""

import itertools
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from temporalio import activity

from activities.changes import Intents
from activities.juston.book import CashBook, live
from activities.juston.hosted import HostedClient, LinkAnswer
from activities.juston.mapping import EntryRecord, entry_differences, link_request, same_record
from activities.juston.settings import JustOnSettings
from activities.roles import CancelEntry, EnsureEntry, Entry, EntryCancelled, LookAtEntry, Payments
from activities.salesforce.client import SalesforceClient
from activities.steps import step
from commerce.failures import Family, SystemFailure
from commerce.model import Model
from commerce.money import Money
from commerce.payment import Collected, EntryState, EntryStatus

# An entry that is there but not visible after this many tries under one key will not become visible by waiting.
MOST_REFUSALS = 3


class Link(Model):
    """What an answer told: only it carries the link. `open` is False once Holdfast has canceled the entry."""

    link: str
    link_id: str
    entry_id: str
    amount: Money
    open: bool = True


class Links(Protocol):
    """Our own memory of payment links by assignment key: the org shows an entry, but not its link."""

    async def load(self, key: str) -> Link | None: ...

    async def save(self, key: str, link: Link) -> None:
        """Replaces what was known under the key."""
        ...


class JustOnPayments(Payments):
    """How one entry per key is kept, although JustOn takes no idempotency key:

    - The first try asks the hosted service at once, so that a buyer gets a link while the org is down.
    - Every further try looks the entry up by its assignment key first. An entry that was asked for becomes visible
      in the org within `visible_after_seconds`; until then a missing one is waited for, afterwards it is asked for
      again. Each try is noted before it is sent, so that the wait counts from the last one.
    - An entry that differs in amount or currency waits for a person; so do two entries that are not canceled.
    - An entry whose link was lost with its answer is of no use. `lost_link` says what happens: `replace` cancels it,
      only if it is Open, nothing is assigned and no payment was ever begun, and asks for a new one under the same key
      (JustOn is taken to refuse a second entry only while the first is not canceled); `ask-again` first repeats the
      request and takes the link from the refusal; everything else waits for a person.
    """

    def __init__(
        self,
        settings: JustOnSettings,
        *,
        system: str,
        salesforce: SalesforceClient,
        hosted: HostedClient,
        intents: Intents,
        links: Links,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._system = system
        self._client = salesforce
        self._hosted = hosted
        self._intents = intents
        self._links = links
        self._now = now
        self._book = CashBook(salesforce, settings, system=system)

    async def probe(self) -> None:
        """The hosted service alone: links can be had while the org is down."""
        await self._hosted.probe()

    # ---- ensure ------------------------------------------------------------------------------------------------------

    @activity.defn(name="payments.ensure_entry")
    @step
    async def ensure_entry(self, task: EnsureEntry) -> Entry:
        order_key = task.order.key
        tried = f"ask for {task.amount} by payment link for order {order_key}"
        asked_at = self._now()
        known = await self._links.load(task.key)
        if known is None and await self._intents.begun(self._intent(task.key, 0, 1)) is None:
            return await self._create(task, canceled=0, turn=1, tried=tried)
        try:
            records = await self._book.by_key(task.key, tried=tried, order_key=order_key)
        except SystemFailure as failure:
            if failure.family is Family.TRANSIENT and known is not None and known.open and known.amount == task.amount:
                # The link went into our memory before the step could report it: the buyer need not wait for the org.
                return _entry(task.key, known, adopted=True)
            raise
        there = live(records)
        if there:
            return await self._adopt(task, there, len(records) - len(there), tried=tried)
        unseen = (
            known is not None and known.open and not any(same_record(r.state.entry_id, known.entry_id) for r in records)
        )
        if known is not None and unseen and known.amount == task.amount:
            return _entry(task.key, known, adopted=True)
        turn = await self._turn(task.key, len(records), asked_at, tried)
        return await self._create(task, canceled=len(records), turn=turn, tried=tried)

    async def _create(self, task: EnsureEntry, *, canceled: int, turn: int, tried: str) -> Entry:
        answer = await self._hosted.entry_link(
            link_request(task, self._settings), tried=tried, order_key=task.order.key
        )
        if not answer.duplicate:
            return await self._remember(task, answer, adopted=False)
        records = await self._book.by_key(task.key, tried=tried, order_key=task.order.key)
        there = live(records)
        if there:
            return await self._adopt(task, there, len(records) - len(there), tried=tried, told=answer)
        if turn >= MOST_REFUSALS:
            raise self._park(
                tried,
                f"JustOn says that an entry under {task.key} is there, but the org shows "
                + ("only canceled ones" if canceled else "none"),
                "duplicate",
                "find the entry in JustOn and give its key free or make it visible, then decide 'retry'",
            )
        raise self._not_visible(tried, task.key, self._settings.visible_after_seconds)

    async def _adopt(
        self,
        task: EnsureEntry,
        there: list[EntryRecord],
        canceled: int,
        *,
        tried: str,
        told: LinkAnswer | None = None,
    ) -> Entry:
        """Take the entry that is there, when it is the one asked for and its link can be had."""
        record = self._the_one(there, task.key, tried)
        state = record.state
        differences = entry_differences(state, task)
        if differences:
            raise self._park(
                tried,
                f"entry {state.entry_id} is there, but {'; '.join(differences)}",
                "differs",
                "cancel the entry in JustOn, or correct the order, then decide 'retry'",
            )
        known = await self._links.load(task.key)
        if known is not None and same_record(known.entry_id, state.entry_id):
            return _entry(task.key, known, adopted=True)
        if told is None and self._settings.lost_link == "ask-again":
            told = await self._hosted.entry_link(
                link_request(task, self._settings), tried=tried, order_key=task.order.key
            )
            if not told.duplicate and not same_record(told.entry_id, state.entry_id):
                raise self._park(
                    tried,
                    f"JustOn made entry {told.entry_id} beside {state.entry_id} under one key",
                    "two entries",
                    "cancel one of the two entries, set lost_link = 'replace', then decide 'retry'",
                )
        if told is not None and told.link and (not told.entry_id or same_record(told.entry_id, state.entry_id)):
            answer = LinkAnswer(state.entry_id, told.link_id, told.link)
            return await self._remember(task, answer, adopted=True)
        if self._settings.lost_link == "person" or not record.untouched:
            raise self._park(
                tried,
                f"entry {state.entry_id} is there ({state.status.value}, {state.assigned} of {state.amount} assigned), "
                "but its link is not known",
                "link lost",
                "settle or cancel the entry in JustOn, then decide 'retry'",
            )
        await self._cancel(
            record, f"link of entry {state.entry_id} was lost", "keep", tried=tried, order_key=task.order.key
        )
        turn = await self._turn(task.key, canceled + 1, self._now(), tried)
        return await self._create(task, canceled=canceled + 1, turn=turn, tried=tried)

    async def _remember(self, task: EnsureEntry, answer: LinkAnswer, *, adopted: bool) -> Entry:
        link = Link(link=answer.link, link_id=answer.link_id, entry_id=answer.entry_id, amount=task.amount)
        await self._links.save(task.key, link)
        return _entry(task.key, link, adopted=adopted)

    async def _turn(self, key: str, canceled: int, asked_at: datetime, tried: str) -> int:
        """Note the next try under the key and return its number; TRANSIENT while the last one may become visible.

        Tries are counted apart for every canceled entry, because each cancellation gives the key free again.
        """
        for turn in itertools.count(1):
            begun = await self._intents.begun(self._intent(key, canceled, turn))
            if begun is None:
                return turn
            wait = self._settings.visible_after_seconds - (asked_at - begun).total_seconds()
            if wait > 0:
                raise self._not_visible(tried, key, wait)
        raise AssertionError("unreachable")

    # ---- look --------------------------------------------------------------------------------------------------------

    @activity.defn(name="payments.look_at_entry")
    @step
    async def look_at_entry(self, task: LookAtEntry) -> EntryState:
        tried = f"look at the payment entry of order {task.order_key}"
        records = await self._book.by_key(task.key, tried=tried, order_key=task.order_key)
        there = live(records)
        if there:
            return self._the_one(there, task.key, tried).state
        if records:
            return records[0].state
        raise self._not_visible(tried, task.key, self._settings.visible_after_seconds)

    # ---- cancel ------------------------------------------------------------------------------------------------------

    @activity.defn(name="payments.cancel_entry")
    @step
    async def cancel_entry(self, task: CancelEntry) -> EntryCancelled:
        tried = f"cancel the payment entry of order {task.order_key}"
        asked_at = self._now()
        records = await self._book.by_key(task.key, tried=tried, order_key=task.order_key)
        there = live(records)
        if there:
            record = self._the_one(there, task.key, tried)
            record = await self._cancel(record, task.reason, task.money, tried=tried, order_key=task.order_key)
        else:
            # An entry that was asked for a moment ago may still appear; nobody would cancel it then.
            await self._turn(task.key, len(records), asked_at, tried)
            if not records:
                return EntryCancelled(done=False)
            record = records[0]
        known = await self._links.load(task.key)
        if known is not None and known.open:
            await self._links.save(task.key, known.model_copy(update={"open": False}))
        refunded: tuple[Collected, ...] = ()
        if task.money == "refund":
            refunded = await self._refunded(record, tried=tried, order_key=task.order_key)
        return EntryCancelled(state=record.state, refunded=refunded, done=True)

    async def _cancel(self, record: EntryRecord, reason: str, money: str, *, tried: str, order_key: str) -> EntryRecord:
        """The entry, read again after its cancellation. Whatever the action says, the record decides."""
        fields = self._settings.fields.cash
        settlement = fields.cancel_refund if money == "refund" else fields.cancel_keep
        entry_id = record.state.entry_id
        answers = await self._client.action(
            fields.cancel_action,
            [{"entryId": entry_id, "cancellationReason": reason[:255], "cancellationCBS": settlement}],
            tried=tried,
            order_key=order_key,
        )
        now = (await self._book.by_ids([entry_id], tried=tried, order_key=order_key))[:1]
        if now and now[0].state.status is EntryStatus.CANCELED:
            # The payments as they were before are part of the answer: a cancellation may take its items away.
            return now[0] if now[0].payment_ids else _with_payments(now[0], record)
        answer = answers[0] if answers else {}
        code = str(answer.get("code", ""))
        if code == "200":
            raise SystemFailure(
                Family.TRANSIENT,
                tried,
                f"JustOn took the cancellation of {entry_id}, but the entry is not canceled yet",
                system=self._system,
                code=code,
                retry_after=5,
                do_next="nothing: the entry is looked at again by itself",
            )
        raise self._park(
            tried,
            f"JustOn refused to cancel entry {entry_id}: {code} {answer.get('detail') or 'without a reason'}",
            code or "no answer",
            "cancel the entry in JustOn, or clear what it names, then decide 'retry'",
        )

    async def _refunded(self, record: EntryRecord, *, tried: str, order_key: str) -> tuple[Collected, ...]:
        """The money that goes back; a person is asked when some of it was kept."""
        state, fields = record.state, self._settings.fields.cash
        if not fields.refund or not record.payment_ids:
            return record.refunded + state.collected
        back = await self._book.paid_back(record, tried=tried, order_key=order_key)
        zero = Money.zero(state.amount.currency)
        kept = [
            f"{payment.amount - back.get(payment.id, zero)} of payment {payment.id}"
            for payment in state.collected
            if back.get(payment.id, zero) < payment.amount
        ]
        if kept:
            age = (self._now() - record.modified_at).total_seconds()
            if 0 <= age < self._settings.visible_after_seconds:
                raise SystemFailure(
                    Family.TRANSIENT,
                    tried,
                    f"entry {state.entry_id} is canceled, its refund is not visible yet",
                    system=self._system,
                    code="not visible",
                    retry_after=5,
                    do_next="nothing: the refund is looked for again by itself",
                )
            raise self._park(
                tried,
                f"entry {state.entry_id} is canceled, but {', '.join(kept)} has no refund",
                "money kept",
                "refund it in JustOn, then decide 'retry'",
            )
        gone = tuple(
            one.model_copy(update={"amount": back[one.id]}) if not one.amount and one.id in back else one
            for one in record.refunded
        )
        return gone + state.collected

    # ---- helpers -----------------------------------------------------------------------------------------------------

    def _the_one(self, there: list[EntryRecord], key: str, tried: str) -> EntryRecord:
        if len(there) == 1:
            return there[0]
        named = ", ".join(f"{r.state.entry_id} ({r.state.amount}, {r.state.assigned} assigned)" for r in there)
        raise self._park(
            tried,
            f"{len(there)} entries carry the key {key}: {named}",
            "two entries",
            "cancel all but one of them in JustOn, then decide 'retry'",
        )

    def _intent(self, key: str, canceled: int, turn: int) -> str:
        return f"{self._system}:entry:{key}:{canceled}:{turn}"

    def _not_visible(self, tried: str, key: str, wait: float) -> SystemFailure:
        return SystemFailure(
            Family.TRANSIENT,
            tried,
            f"no entry under {key} is visible in the org yet",
            system=self._system,
            code="not visible",
            retry_after=max(1, min(math.ceil(wait), 5)),
            do_next="nothing: it is looked for again by itself",
        )

    def _park(self, tried: str, came_back: str, code: str, do_next: str) -> SystemFailure:
        return SystemFailure(Family.NEEDS_PERSON, tried, came_back, system=self._system, code=code, do_next=do_next)


def _entry(key: str, link: Link, *, adopted: bool) -> Entry:
    return Entry(entry_id=link.entry_id, key=key, link=link.link, link_id=link.link_id, adopted=adopted)


def _with_payments(now: EntryRecord, before: EntryRecord) -> EntryRecord:
    state = now.state.model_copy(update={"collected": before.state.collected})
    return EntryRecord(state, now.invoice_id, before.refunded, before.payment_ids, now.modified_at)
