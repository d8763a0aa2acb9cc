"""Fills the payments role with JustOn Cash Management: entries with links, their state, and their cancellation."""

import itertools
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from temporalio import activity

from activities.changes import Intents
from activities.juston.book import CashBook, live
from activities.juston.hosted import HostedClient, LinkAnswer
from activities.juston.mapping import REASON, EntryRecord, entry_differences, link_request, same_record
from activities.juston.responses import withheld
from activities.juston.settings import JustOnSettings
from activities.roles import CancelEntry, EnsureEntry, Entry, EntryCancelled, LookAtEntry, Payments
from activities.salesforce.client import SalesforceClient
from activities.steps import step
from commerce.failures import Family, SystemFailure
from commerce.money import Money
from commerce.payment import Collected, EntryState, EntryStatus
from commerce.text import shorten

# An entry that is there but not visible after this many tries under one key will not become visible by waiting.
MOST_REFUSALS = 3
# An entry whose answer arrived exists: it is waited for so many times longer before a person looks for it.
MISSING_FACTOR = 10
_NOTHING_HAPPENED = frozenset({Family.TRANSIENT, Family.REJECTED})


class Memory(Intents, Protocol):
    """What Holdfast itself must remember: which requests were begun, and the links, which the org does not show."""

    async def forget_begun(self, key: str) -> None:
        """The write under `key` was refused for certain, or never sent."""
        ...

    async def load_link(self, key: str) -> tuple[str, str, str] | None:
        """Link, link id and entry id kept under an assignment key."""
        ...

    async def save_link(self, key: str, link: str, link_id: str, entry_id: str) -> None:
        """Replaces what was kept under the key."""
        ...


class JustOnPayments(Payments):
    """How one entry per key is kept, although JustOn takes no idempotency key:

    - The first try asks the hosted service at once, so that a buyer gets a link while the org is down.
    - Every further try looks the entry up by its assignment key first. An entry that was asked for becomes visible
      in the org within `visible_after_seconds`; until then a missing one is waited for, afterwards it is asked for
      again. Each try is noted before it is sent, so that the wait counts from the last one; a try that the service
      refused, or that never reached it, is forgotten again. An entry whose answer arrived is never asked for twice.
    - An entry that differs in amount or currency waits for a person; so do two entries that are not canceled.
    - An entry whose link was lost with its answer is of no use, unless the org keeps the link in a field of it
      (`entry_link`). Else `lost_link` says what happens: `replace` cancels it, only if it is Open, nothing is assigned
      and no payment was ever begun, and asks for a new one under the same key (JustOn is taken to refuse a second entry
      only while the first is not canceled); `ask-again` first repeats the request and takes the link from the refusal;
      everything else waits for a person.
    """

    def __init__(
        self,
        settings: JustOnSettings,
        *,
        system: str,
        salesforce: SalesforceClient,
        hosted: HostedClient,
        memory: Memory,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._system = system
        self._client = salesforce
        self._hosted = hosted
        self._memory = memory
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
        body = link_request(task, self._settings)
        asked_at = self._now()
        if await self._memory.begun(self._intent(task.key, 0, 1)) is None:
            return await self._create(task, body, canceled=0, turn=1, tried=tried)
        records = await self._book.by_key(task.key, tried=tried, order_key=order_key)
        there = live(records)
        if there:
            return await self._adopt(task, body, there, len(records) - len(there), tried=tried)
        await self._wait_for_known(task.key, records, asked_at, tried)
        turn = await self._turn(task.key, len(records), asked_at, tried)
        return await self._create(task, body, canceled=len(records), turn=turn, tried=tried)

    async def _create(
        self, task: EnsureEntry, body: Mapping[str, Any], *, canceled: int, turn: int, tried: str
    ) -> Entry:
        try:
            answer = await self._hosted.entry_link(body, tried=tried, order_key=task.order.key)
        except SystemFailure as failure:
            if failure.family in _NOTHING_HAPPENED:
                await self._memory.forget_begun(self._intent(task.key, canceled, turn))
            raise
        if not answer.duplicate:
            return await self._remember(task, answer, adopted=False)
        records = await self._book.by_key(task.key, tried=tried, order_key=task.order.key)
        there = live(records)
        if there:
            return await self._adopt(task, body, there, len(records) - len(there), tried=tried, told=answer)
        if turn >= MOST_REFUSALS:
            raise self._park(
                tried,
                f"JustOn says that an entry under {task.key} is there, but the org shows "
                + ("only canceled ones" if canceled else "none"),
                "duplicate",
                "find the entry in JustOn and give its key free or make it visible, then decide 'retry'",
            )
        raise self._not_visible(tried, task.key, self._patience)

    async def _adopt(
        self,
        task: EnsureEntry,
        body: Mapping[str, Any],
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
        known = await self._memory.load_link(task.key)
        if known is not None and same_record(known[2], state.entry_id):
            return Entry(entry_id=known[2], key=task.key, link=known[0], link_id=known[1], adopted=True)
        if record.link:
            return await self._remember(task, LinkAnswer(state.entry_id, "", record.link), adopted=True)
        if told is None and self._settings.lost_link == "ask-again":
            told = await self._hosted.entry_link(body, tried=tried, order_key=task.order.key)
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
        return await self._create(task, body, canceled=canceled + 1, turn=turn, tried=tried)

    async def _remember(self, task: EnsureEntry, answer: LinkAnswer, *, adopted: bool) -> Entry:
        await self._memory.save_link(task.key, answer.link, answer.link_id, answer.entry_id)
        return Entry(entry_id=answer.entry_id, key=task.key, link=answer.link, link_id=answer.link_id, adopted=adopted)

    async def _turn(
        self, key: str, canceled: int, asked_at: datetime, tried: str, *, patience: timedelta | None = None
    ) -> int:
        """Note the next try under the key and return its number; TRANSIENT while the last one may become visible.

        Tries are counted apart for every canceled entry, because each cancellation gives the key free again.
        """
        for turn in itertools.count(1):
            begun = await self._memory.begun(self._intent(key, canceled, turn))
            if begun is None:
                return turn
            wait = (patience or self._patience) - (asked_at - begun)
            if wait > timedelta():
                raise self._not_visible(tried, key, wait)
        raise AssertionError("unreachable")

    async def _wait_for_known(self, key: str, records: list[EntryRecord], asked_at: datetime, tried: str) -> None:
        """An entry whose answer arrived exists, whatever the org shows yet: it is waited for, then a person looks."""
        known = await self._unseen(key, records)
        if known:
            turn = await self._turn(key, len(records), asked_at, tried, patience=self._patience * MISSING_FACTOR)
            await self._memory.forget_begun(self._intent(key, len(records), turn))
            raise self._park(
                tried,
                f"JustOn made entry {known}, but the org does not show it",
                "gone",
                "restore the entry in the org, or ask for the money by hand and decide 'skip'",
            )

    async def _unseen(self, key: str, records: list[EntryRecord]) -> str:
        """Id of the entry that JustOn last made under the key, while the org does not show it; else empty."""
        known = await self._memory.load_link(key)
        if known is None or any(same_record(record.state.entry_id, known[2]) for record in records):
            return ""
        return known[2]

    # ---- look --------------------------------------------------------------------------------------------------------

    @activity.defn(name="payments.look_at_entry")
    @step
    async def look_at_entry(self, task: LookAtEntry) -> EntryState:
        tried = f"look at the payment entry of order {task.order_key}"
        records = await self._book.by_key(task.key, tried=tried, order_key=task.order_key)
        there = live(records)
        if there:
            return self._the_one(there, task.key, tried).state
        # A canceled entry may have a successor that is not visible yet.
        if records and not await self._unseen(task.key, records):
            return records[0].state
        raise self._not_visible(tried, task.key, self._patience)

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
            await self._wait_for_known(task.key, records, asked_at, tried)
            turn = await self._turn(task.key, len(records), asked_at, tried)
            await self._memory.forget_begun(self._intent(task.key, len(records), turn))
            if not records:
                return EntryCancelled(done=False)
            record = records[0]
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
            [{"entryId": entry_id, "cancellationReason": shorten(reason, REASON), "cancellationCBS": settlement}],
            tried=tried,
            order_key=order_key,
        )
        now = (await self._book.by_ids([entry_id], tried=tried, order_key=order_key))[:1]
        if now and now[0].state.status is EntryStatus.CANCELED:
            # The payments as they were before are part of the answer: a cancellation may take its items away.
            return now[0] if now[0].payment_ids else _with_payments(now[0], record)
        answer = answers[0] if answers else {}
        code = str(answer.get("code", "")).removesuffix(".0")
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
        detail = withheld(str(answer.get("detail") or "without a reason"))
        raise self._park(
            tried,
            f"JustOn refused to cancel entry {entry_id}: {code} {detail}",
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
            if timedelta() <= self._now() - record.modified_at < self._patience:
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

    @property
    def _patience(self) -> timedelta:
        return timedelta(seconds=self._settings.visible_after_seconds)

    def _not_visible(self, tried: str, key: str, wait: timedelta) -> SystemFailure:
        return SystemFailure(
            Family.TRANSIENT,
            tried,
            f"no entry under {key} is visible in the org yet",
            system=self._system,
            code="not visible",
            retry_after=max(1, min(math.ceil(wait.total_seconds()), 5)),
            do_next="nothing: it is looked for again by itself",
        )

    def _park(self, tried: str, came_back: str, code: str, do_next: str) -> SystemFailure:
        return SystemFailure(Family.NEEDS_PERSON, tried, came_back, system=self._system, code=code, do_next=do_next)


def _with_payments(now: EntryRecord, before: EntryRecord) -> EntryRecord:
    state = now.state.model_copy(update={"collected": before.state.collected})
    return EntryRecord(state, now.invoice_id, before.refunded, before.payment_ids, now.modified_at)
