"""Every write of our memory can be repeated, and the second time changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Table

from activities.ledger import tables as t
from activities.ledger.store import Ledger
from commerce.cases import CaseEvent, Changed
from commerce.documents import (
    Case,
    CheckoutResult,
    Decision,
    DecisionKind,
    Document,
    DocumentKind,
    OrderView,
    Stage,
)
from commerce.money import Money
from commerce.order import content
from tests.commerce.sample import full, order
from tests.ledger.rows import count, rows, run

ORDER = order(full())
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
INVOICE = Document(
    kind=DocumentKind.INVOICE, system="juston", id="I1", number="RE-1", key=ORDER.key, amount=ORDER.total, status="open"
)
RESULT = CheckoutResult(order_key=ORDER.key, outcome=Stage.COMPLETED, documents=(INVOICE,))
VIEW = OrderView(order_key=ORDER.key, store="de", number="1001", stage=Stage.COMPLETED, amount=ORDER.total)
DECISION = Decision(case_id="de:1001:1", kind=DecisionKind.RETRY, by="Dana", reason="period is open again")


def case(**changes: Any) -> Case:
    given = {
        "id": "de:1001:1",
        "order_key": ORDER.key,
        "store": "de",
        "number": "1001",
        "workflow_id": "checkout:de:1001",
        "step": "book receipt",
        "system": "erp",
        "family": "Rejected",
        "tried": "book receipt",
        "came_back": "period 2026/02 is closed",
        "do_next": "open it",
        "amount": ORDER.total,
        "opened_at": NOON,
    }
    return Case.model_validate(given | changes)


async def keep(ledger: Ledger) -> None:
    await ledger.keep_order(ORDER, "checkout:de:1001")


async def notify(ledger: Ledger) -> None:
    await ledger.keep_notification("shop", {"a": "b"}, b"{}", sender_id="M-1", source="shop:orders", reference="7")


WRITES: list[tuple[str, Table, Callable[[Ledger], Awaitable[Any]]]] = [
    ("order", t.orders, keep),
    ("document", t.documents, lambda ledger: ledger.close_order(VIEW, RESULT, hand_over=True)),
    ("hand-over", t.handovers, lambda ledger: ledger.close_order(VIEW, RESULT, hand_over=True)),
    ("case", t.cases, lambda ledger: ledger.open_case(case())),
    ("notification", t.notifications, notify),
    ("cursor", t.feeds, lambda ledger: ledger.keep_cursor("shop:orders", "c1")),
    ("seen state", t.seen, lambda ledger: ledger.remember_seen("shop:orders", "de:1001", "d1")),
    ("intent", t.intents, lambda ledger: ledger.begun("entry:de:1001")),
    ("link", t.links, lambda ledger: ledger.save_link("de:1001", "https://pay", "L1", "E1")),
    ("message", t.messages, lambda ledger: ledger.keep_message("m1", "mail", "de:1001", reference="<1@x>")),
]


@pytest.mark.parametrize(("table", "write"), [row[1:] for row in WRITES], ids=[row[0] for row in WRITES])
async def test_a_write_repeated_leaves_one_row_as_it_was(
    ledger: Ledger, table: Table, write: Callable[[Ledger], Awaitable[Any]]
) -> None:
    await keep(ledger)
    await write(ledger)
    before = await rows(ledger, table)
    assert len(before) == 1
    await write(ledger)
    await asyncio.gather(write(ledger), write(ledger), write(ledger))
    after = await rows(ledger, table)
    for row in (*before, *after):
        row.pop("at", None)  # a cursor and a seen state say when they were last kept
    assert after == before


async def test_an_order_is_remembered_as_it_came_in(ledger: Ledger) -> None:
    await keep(ledger)
    known = await ledger.order(ORDER.key)
    assert known is not None
    assert (known.store, known.number, known.workflow_id) == ("de", "1001", "checkout:de:1001")
    assert (known.digest, known.content, known.amount) == (ORDER.digest(), content(ORDER), ORDER.total)
    assert known.stage == ""
    assert await ledger.order("de:1002") is None


async def test_the_first_content_under_a_number_stays(ledger: Ledger) -> None:
    await keep(ledger)
    await ledger.keep_order(order(note="another"), "checkout:de:1001")
    known = await ledger.order(ORDER.key)
    assert known is not None
    assert known.digest == ORDER.digest()


async def test_an_order_is_found_by_its_number_its_key_and_its_documents(ledger: Ledger) -> None:
    await keep(ledger)
    await ledger.keep_order(order(store="us"), "checkout:us:1001")
    await ledger.close_order(VIEW, RESULT, hand_over=False)
    assert {known.key for known in await ledger.orders(number="1001")} == {"de:1001", "us:1001"}
    assert [known.key for known in await ledger.orders(number="us:1001")] == ["us:1001"]
    assert [known.key for known in await ledger.order_of_document("RE-1")] == ["de:1001"]
    assert await ledger.orders(number="x") == await ledger.order_of_document("RE-2") == []


async def test_a_closed_order_keeps_result_view_and_documents(ledger: Ledger) -> None:
    await keep(ledger)
    await ledger.close_order(VIEW, RESULT, hand_over=True)
    known = await ledger.order(ORDER.key)
    assert known is not None
    assert (known.stage, known.result, known.view) == ("completed", RESULT, VIEW)
    [row] = await rows(ledger, t.documents)
    assert (row["number"], row["amount_minor"], row["currency"]) == ("RE-1", 12400, "EUR")
    assert await ledger.handovers() == [ORDER.key]


async def test_a_document_that_got_its_number_later_is_still_one(ledger: Ledger) -> None:
    await keep(ledger)
    draft = RESULT.model_copy(update={"documents": (INVOICE.model_copy(update={"number": "", "status": "draft"}),)})
    await ledger.close_order(VIEW, draft, hand_over=False)
    await ledger.close_order(VIEW, RESULT, hand_over=False)
    [row] = await rows(ledger, t.documents)
    assert (row["number"], row["status"]) == ("RE-1", "open")


async def test_an_order_that_is_not_handed_over_waits_for_nobody(ledger: Ledger) -> None:
    await keep(ledger)
    await ledger.close_order(VIEW, RESULT, hand_over=False)
    assert await ledger.handovers() == []


async def test_a_case_is_open_until_somebody_decides_and_keeps_who_and_why(ledger: Ledger) -> None:
    await ledger.open_case(case())
    assert await ledger.open_cases() == [case()] == await ledger.open_cases(order_key=ORDER.key)
    await ledger.close_case("de:1001:1", DECISION, DECISION.reason, NOON)
    assert await ledger.open_cases() == []
    assert await ledger.case("de:1001:1") == (case(), False)
    [row] = await rows(ledger, t.cases)
    assert row["decision"]["by"] == "Dana"
    assert (row["reason"], row["closed_at"]) == ("period is open again", NOON)


async def test_the_first_decision_on_a_case_stays(ledger: Ledger) -> None:
    await ledger.open_case(case())
    await ledger.close_case("de:1001:1", DECISION, DECISION.reason, NOON)
    await ledger.close_case("de:1001:1", None, "cancelled", NOON + timedelta(hours=1))
    await ledger.open_case(case())  # the opening step repeated late does not open it again
    [row] = await rows(ledger, t.cases)
    assert (row["decision"]["by"], row["reason"], row["closed_at"]) == ("Dana", "period is open again", NOON)


async def test_what_happened_to_a_case_is_kept_in_order_and_a_late_repeat_changes_nothing_back(ledger: Ledger) -> None:
    await ledger.open_case(case())
    moves = [
        (
            case().model_copy(update={"assignee": name}),
            number,
            CaseEvent(at=NOON + timedelta(hours=number), what="reassigned", by="Dana", text=f"to {name}"),
        )
        for number, name in ((1, "anna"), (2, "kim"))
    ]
    for move in (*moves, moves[0]):
        await ledger.note_case(*move)
    assert [opened.assignee for opened in await ledger.open_cases()] == ["kim"]
    changed = Changed(field="lines[0].sku", before='"OLD"', after='"NEW"')
    await ledger.close_case("de:1001:1", DECISION, DECISION.reason, NOON + timedelta(days=1), (changed,))
    history = await ledger.case_history("de:1001:1")
    assert [(event.what, event.by, event.text) for event in history] == [
        ("opened", "holdfast", case().came_back),
        ("reassigned", "Dana", "to anna"),
        ("reassigned", "Dana", "to kim"),
        ("decided", "Dana", f"{DECISION.kind.value}: {DECISION.reason}"),
    ]
    assert history[-1].changes == (changed,)
    assert await ledger.decision_on("de:1001:1") == DECISION
    assert await ledger.case_history("unknown") == []


async def test_a_notification_is_kept_once_for_each_sender_and_id(ledger: Ledger) -> None:
    async def keep_it(system: str, sender_id: str | None) -> int | None:
        return await ledger.keep_notification(system, {}, b"{}", sender_id=sender_id, source="s", reference="7")

    kept = await asyncio.gather(*(keep_it("shop", "M-1") for _ in range(4)))
    assert sorted(number is None for number in kept) == [False, True, True, True]
    assert await keep_it("other", "M-1") is not None
    assert await keep_it("shop", None) != await keep_it("shop", None)
    assert await count(ledger, t.notifications) == 4


async def test_a_notification_waits_for_its_own_feed_in_the_order_it_came(ledger: Ledger) -> None:
    for number in ("1", "2", "3"):
        await ledger.keep_notification("pay", {}, b"raw", sender_id=number, source="pay:entries", reference=number)
    await ledger.keep_notification("pay", {}, b"raw", sender_id="4", source="pay:invoices", reference="4")
    waiting = await ledger.waiting_notifications("pay", "pay:entries")
    assert [(row.reference, row.body, row.tries) for row in waiting] == [
        ("1", "raw", 0),
        ("2", "raw", 0),
        ("3", "raw", 0),
    ]
    await ledger.settle_notification(waiting[0].id)
    assert [row.reference for row in await ledger.waiting_notifications("pay", "pay:entries")] == ["2", "3"]


async def test_a_postponed_notification_comes_back_with_its_reason(ledger: Ledger) -> None:
    await notify(ledger)
    [row] = await ledger.waiting_notifications("shop", "shop:orders")
    await ledger.postpone_notification(row.id, "the shop is away", timedelta(hours=1))
    assert await ledger.waiting_notifications("shop", "shop:orders") == []
    await run(ledger, "UPDATE notifications SET due_at = due_at - interval '1 hour'")
    [again] = await ledger.waiting_notifications("shop", "shop:orders")
    assert (again.tries, again.reason) == (1, "the shop is away")


async def test_what_cannot_be_read_is_quarantined_with_body_and_reason(ledger: Ledger) -> None:
    await ledger.keep_notification("shop", {"h": "1"}, b"\xff\xfe no JSON", quarantine="not JSON")
    await notify(ledger)
    [row] = await ledger.waiting_notifications("shop", "shop:orders")
    await ledger.settle_notification(row.id, quarantine="no order has this id")
    assert [(row.reason, row.state) for row in await ledger.quarantined()] == [
        ("no order has this id", "quarantined"),
        ("not JSON", "quarantined"),
    ]
    assert await ledger.waiting_notifications("shop", "shop:orders") == []
    unreadable, _ = await rows(ledger, t.notifications)
    assert bytes(unreadable["body"]) == b"\xff\xfe no JSON"


async def test_a_character_that_postgresql_cannot_hold_stops_nothing(ledger: Ledger) -> None:
    await ledger.open_case(case(came_back="odd\x00answer", id="de:1001:2"))
    await ledger.keep_notification("shop", {}, b"\x00", sender_id="M\x00", source="s", reference="7\x00")
    assert [opened.came_back for opened in await ledger.open_cases()] == ["odd�answer"]
    [row] = await rows(ledger, t.notifications)
    assert (row["reference"], bytes(row["body"])) == ("7�", b"\x00")


async def test_a_cursor_is_where_the_feed_was_left(ledger: Ledger) -> None:
    assert await ledger.cursor("shop:orders") is None
    await ledger.keep_cursor("shop:orders", "c1")
    await ledger.keep_cursor("shop:orders", "c2")
    await ledger.keep_cursor("pay:entries", "p1")
    assert (await ledger.cursor("shop:orders"), await ledger.cursor("pay:entries")) == ("c2", "p1")


async def test_a_state_is_news_until_it_is_remembered_and_again_when_it_comes_back(ledger: Ledger) -> None:
    async def is_news(digest: str) -> bool:
        return await ledger.is_news("shop:orders", "de:1001", digest)

    assert await is_news("open")
    await ledger.remember_seen("shop:orders", "de:1001", "open")
    assert not await is_news("open")
    assert await ledger.is_news("pay:entries", "de:1001", "open")
    await ledger.remember_seen("shop:orders", "de:1001", "paid")
    assert await is_news("open")


async def test_only_the_first_to_begin_a_write_is_told_so(ledger: Ledger) -> None:
    told = await asyncio.gather(*(ledger.begun("entry:de:1001") for _ in range(4)))
    assert [moment is None for moment in told].count(True) == 1
    moments = {moment for moment in told if moment is not None}
    assert len(moments) == 1
    assert next(iter(moments)).tzinfo is not None
    assert await ledger.begun("entry:de:1001") in moments
    await ledger.forget_begun("entry:de:1001")
    assert await ledger.begun("entry:de:1001") is None


async def test_a_link_is_the_last_one_that_was_made(ledger: Ledger) -> None:
    assert await ledger.load_link("de:1001") is None
    await ledger.save_link("de:1001", "https://pay/1", "L1", "E1")
    await ledger.save_link("de:1001", "https://pay/2", "L2", "E2")
    assert await ledger.load_link("de:1001") == ("https://pay/2", "L2", "E2")


async def test_a_message_is_delivered_once_it_is_kept(ledger: Ledger) -> None:
    assert not await ledger.delivered("m1")
    await ledger.keep_message("m1", "mail", "de:1001")
    assert await ledger.delivered("m1")


async def test_the_largest_amount_has_room(ledger: Ledger) -> None:
    most = Money(minor=2**53 - 1, currency="EUR")
    huge = order(
        total=most.model_dump(), payments=[{"method": "link", "amount": most.model_dump(), "state": "due"}], store="us"
    )
    await ledger.keep_order(huge, "checkout:us:1001")
    known = await ledger.order("us:1001")
    assert known is not None
    assert known.amount == most
