"""The storefront role against a shop: one document for each event, whatever happens to the answers."""

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.magento.comments import mentions
from commerce.failures import Family
from commerce.money import Money
from tests.activities.juston.desk import as_engine
from tests.activities.magento.conftest import Shop

LOST = {"kind": "lose-reply", "match": {"method": "POST"}, "times": 1}


def family(caught: pytest.ExceptionInfo[ApplicationError]) -> str | None:
    return caught.value.type


def said(caught: pytest.ExceptionInfo[ApplicationError]) -> dict[str, Any]:
    details: dict[str, Any] = caught.value.details[0]
    return details


async def test_the_payment_link_is_announced_once_and_visible_to_the_buyer(shop: Shop) -> None:
    order = await shop.place()
    first = await shop.does.announce_payment(order.announce())
    again = await shop.does.announce_payment(order.announce())
    assert (first.adopted, again.adopted, again.id) == (False, True, first.id)
    entity = await shop.entity(order.shop_id)
    notes = [n for n in entity["status_histories"] if "https://pay.example/l/1" in (n["comment"] or "")]
    assert [int(note["is_visible_on_front"]) for note in notes] == [1]
    assert entity["status"] == "pending"  # pending_payment is no status of state new


async def test_an_order_in_pending_payment_keeps_that_status(shop: Shop) -> None:
    order = await shop.place(state="pending_payment")
    await shop.does.announce_payment(order.announce())
    assert (await shop.entity(order.shop_id))["status"] == "pending_payment"


async def test_an_order_that_changes_between_look_and_comment_is_looked_at_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await shop.place(state="pending_payment")
    look, looks = shop.does._order, 0

    async def change_after_the_first_look(*given: Any) -> dict[str, Any]:
        nonlocal looks
        looks += 1
        found = await look(*given)
        if looks == 1:
            await shop.does.ensure_invoice(order.invoice())
        return found

    monkeypatch.setattr(shop.does, "_order", change_after_the_first_look)
    made = await as_engine(shop.does.announce_payment, order.announce())
    assert made.status == "processing"
    assert len([c for c in await shop.comments(order) if "pay.example" in c]) == 1


async def test_a_longer_link_is_another_link(shop: Shop) -> None:
    order = await shop.place()
    await shop.does.announce_payment(order.announce("https://pay.example/l/12?a=1&b=2"))
    second = await shop.does.announce_payment(order.announce("https://pay.example/l/1"))
    assert not second.adopted
    assert len([c for c in await shop.comments(order) if "pay.example" in c]) == 2


async def test_the_invoice_is_written_once_with_our_number(shop: Shop) -> None:
    order = await shop.place()
    first = await shop.does.ensure_invoice(order.invoice())
    again = await shop.does.ensure_invoice(order.invoice())
    assert (first.adopted, again.adopted, again.id, first.amount) == (False, True, first.id, order.total)
    assert [row["total_minor"] for row in shop.invoices(order)] == [order.total.minor]
    assert (await shop.entity(order.shop_id))["state"] == "processing"


@pytest.mark.parametrize("store", ["de", "us", "jp", "kw", "ch"])
async def test_the_invoice_equals_the_order_in_every_currency(shop: Shop, store: str) -> None:
    items = [{"sku": "HF-2000-S", "qty": 3}, {"sku": "HF-3000", "qty": 2}, {"sku": "HF-1004", "qty": 1}]
    order = await shop.place(store, items=items)
    document = await shop.does.ensure_invoice(order.invoice())
    assert document.amount == order.total
    assert len(shop.invoices(order)) == 1


async def test_a_lost_answer_leaves_exactly_one_announcement(shop: Shop) -> None:
    order = await shop.place()
    shop.faults(LOST)
    with pytest.raises(ApplicationError) as caught:
        await shop.does.announce_payment(order.announce())
    assert family(caught) == Family.OUTCOME_UNKNOWN
    assert (await shop.does.announce_payment(order.announce())).adopted
    assert len([c for c in await shop.comments(order) if "pay.example" in c]) == 1


@pytest.mark.parametrize(
    "fault",
    [
        LOST,
        {"kind": "garble", "match": {"method": "POST"}, "times": 1},
        {"kind": "html", "status": 502, "match": {"method": "POST"}, "times": 1},
        {"kind": "html", "status": 200, "match": {"method": "POST"}, "times": 1},
        {"kind": "status", "status": 500, "match": {"method": "POST"}, "times": 1},
        {"kind": "status", "status": 503, "match": {"method": "POST"}, "times": 1},
        {"kind": "cut-request", "match": {"method": "POST"}, "times": 1},
    ],
    ids=["lost", "garbled", "html 502", "html 200", "500", "503", "cut before"],
)
async def test_an_unknown_outcome_ends_in_exactly_one_invoice(shop: Shop, fault: dict[str, Any]) -> None:
    order = await shop.place()
    shop.faults(fault)
    with pytest.raises(ApplicationError) as caught:
        await shop.does.ensure_invoice(order.invoice())
    assert family(caught) == Family.OUTCOME_UNKNOWN
    assert not caught.value.non_retryable
    document = await as_engine(shop.does.ensure_invoice, order.invoice())
    assert [row["id"] for row in shop.invoices(order)] == [document.id]


async def test_an_answer_later_than_our_second_try_is_adopted(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first try commits between our look and our write: the shop refuses the write, and the look finds it."""
    order = await shop.place()
    original = shop.client.post

    async def late(template: str, body: Any, **more: Any) -> Any:
        await original(template, body, **more)
        return await original(template, body, **more)

    monkeypatch.setattr(shop.client, "post", late)
    document = await shop.does.ensure_invoice(order.invoice())
    assert [row["id"] for row in shop.invoices(order)] == [document.id]


async def test_lost_answers_leave_one_stamp_and_one_note(shop: Shop) -> None:
    order = await shop.place()
    for _ in range(2):
        shop.faults(LOST)
        with pytest.raises(ApplicationError):
            await shop.does.write_references(order.references())
    assert (await shop.does.write_references(order.references())).adopted
    entity = await shop.entity(order.shop_id)
    assert (entity["ext_order_id"], entity["increment_id"]) == ("SO-000077", order.number)
    assert len([c for c in await shop.comments(order) if "SO-000077" in c and "RE-1001" in c]) == 1


async def test_references_touch_neither_totals_nor_items(shop: Shop) -> None:
    order = await shop.place()
    before = await shop.entity(order.shop_id)
    await shop.does.write_references(order.references())
    after = await shop.entity(order.shop_id)
    for name in ("grand_total", "state", "status", "items", "customer_email", "payment"):
        assert after[name] == before[name], name


async def test_another_erp_number_on_the_order_is_never_overwritten(shop: Shop) -> None:
    order = await shop.place()
    await shop.does.write_references(order.references())
    with pytest.raises(ApplicationError) as caught:
        await shop.does.write_references(order.references(erp_number="SO-000099"))
    assert family(caught) == Family.NEEDS_PERSON
    assert "SO-000077" in said(caught)["came_back"]
    assert "SO-000099" in said(caught)["came_back"]
    assert (await shop.entity(order.shop_id))["ext_order_id"] == "SO-000077"


async def test_nothing_to_refer_to_writes_nothing(shop: Shop) -> None:
    order = await shop.place()
    mark = shop.last_request()
    document = await shop.does.write_references(order.references(erp_number="", invoice_number=""))
    assert document.status == "nothing to write"
    assert shop.writes(mark) == []


async def test_an_erp_number_too_long_for_the_shop_is_refused_not_cut(shop: Shop) -> None:
    order = await shop.place()
    with pytest.raises(ApplicationError) as caught:
        await shop.does.write_references(order.references(erp_number="S" * 33))
    assert family(caught) == Family.REJECTED
    assert not (await shop.entity(order.shop_id)).get("ext_order_id")


async def test_an_invoice_without_our_number_parks_by_name(shop: Shop) -> None:
    order = await shop.place()
    await shop.client.post("order/{id}/invoice", {"capture": False}, tried="invoice by hand", id=order.shop_id)
    with pytest.raises(ApplicationError) as caught:
        await shop.does.ensure_invoice(order.invoice())
    assert family(caught) == Family.NEEDS_PERSON
    assert shop.invoices(order)[0]["number"] in said(caught)["came_back"]
    assert str(order.total) in said(caught)["came_back"]
    assert len(shop.invoices(order)) == 1


async def test_an_invoice_with_our_number_over_another_amount_parks(shop: Shop) -> None:
    order = await shop.place()
    await shop.does.ensure_invoice(order.invoice())
    other = order.total + Money(minor=1, currency=order.total.currency)
    with pytest.raises(ApplicationError) as caught:
        await shop.does.ensure_invoice(order.invoice(total=other))
    assert family(caught) == Family.NEEDS_PERSON
    assert str(order.total) in said(caught)["came_back"]
    assert str(other) in said(caught)["came_back"]


async def test_an_order_over_another_amount_is_not_invoiced(shop: Shop) -> None:
    order = await shop.place()
    mark = shop.last_request()
    with pytest.raises(ApplicationError) as caught:
        await shop.does.ensure_invoice(order.invoice(total=Money(minor=1, currency="EUR")))
    assert family(caught) == Family.NEEDS_PERSON
    assert shop.writes(mark) == []


async def test_a_partly_invoiced_order_is_left_to_a_person(shop: Shop) -> None:
    order = await shop.place()
    item = (await shop.entity(order.shop_id))["items"][0]["item_id"]
    body = {"capture": False, "items": [{"order_item_id": int(item), "qty": 1}]}
    await shop.client.post("order/{id}/invoice", body, tried="invoice one by hand", id=order.shop_id)
    with pytest.raises(ApplicationError) as caught:
        await shop.does.ensure_invoice(order.invoice())
    assert family(caught) == Family.NEEDS_PERSON
    assert len(shop.invoices(order)) == 1


async def test_a_held_order_parks_with_the_next_step(shop: Shop) -> None:
    order = await shop.place()
    await shop.client.post("orders/{id}/hold", {}, tried="hold", id=order.shop_id)
    with pytest.raises(ApplicationError) as caught:
        await shop.does.ensure_invoice(order.invoice())
    assert family(caught) == Family.NEEDS_PERSON
    assert "holded" in said(caught)["came_back"]
    assert said(caught)["do_next"]
    with pytest.raises(ApplicationError) as caught:
        await shop.does.cancel_order(order.cancel())
    assert family(caught) == Family.NEEDS_PERSON  # the shop answers 200 false


async def test_an_order_is_canceled_once(shop: Shop) -> None:
    order = await shop.place()
    first, again = await shop.does.cancel_order(order.cancel()), await shop.does.cancel_order(order.cancel())
    assert first.done
    assert again.done
    assert first.document is not None
    assert again.document is not None
    assert (first.document.adopted, again.document.adopted) == (False, True)
    assert (await shop.entity(order.shop_id))["state"] == "canceled"


async def test_a_lost_answer_to_cancel_ends_canceled(shop: Shop) -> None:
    order = await shop.place()
    shop.faults(LOST)
    with pytest.raises(ApplicationError) as caught:
        await shop.does.cancel_order(order.cancel())
    assert family(caught) == Family.OUTCOME_UNKNOWN
    assert (await shop.does.cancel_order(order.cancel())).done


async def test_an_invoiced_order_is_not_canceled_and_its_invoice_is_named(shop: Shop) -> None:
    order = await shop.place()
    invoice = await shop.does.ensure_invoice(order.invoice())
    with pytest.raises(ApplicationError) as caught:
        await shop.does.cancel_order(order.cancel())
    assert family(caught) == Family.NEEDS_PERSON
    assert invoice.number in said(caught)["came_back"]


async def test_a_canceled_order_is_not_asked_for_money(shop: Shop) -> None:
    order = await shop.place()
    await shop.does.cancel_order(order.cancel())
    with pytest.raises(ApplicationError) as caught:
        await shop.does.announce_payment(order.announce())
    assert family(caught) == Family.NEEDS_PERSON


async def test_an_id_that_belongs_to_another_order_number_is_never_written(shop: Shop) -> None:
    order, other = await shop.place(), await shop.place()
    mark = shop.last_request()
    mixed = order.invoice().model_copy(update={"shop_id": other.shop_id})
    with pytest.raises(ApplicationError) as caught:
        await shop.does.ensure_invoice(mixed)
    assert family(caught) == Family.NEEDS_PERSON
    assert shop.writes(mark) == []


async def test_an_order_that_is_gone_parks(shop: Shop) -> None:
    order = await shop.place()
    gone = order.announce().model_copy(update={"shop_id": "999999"})
    with pytest.raises(ApplicationError) as caught:
        await shop.does.announce_payment(gone)
    assert family(caught) == Family.NEEDS_PERSON


async def test_a_deadlock_is_tried_again(shop: Shop) -> None:
    order = await shop.place()
    shop.faults({"kind": "lock", "match": {"method": "POST"}, "times": 1})
    with pytest.raises(ApplicationError) as caught:
        await shop.does.ensure_invoice(order.invoice())
    assert family(caught) == Family.TRANSIENT
    await shop.does.ensure_invoice(order.invoice())
    assert len(shop.invoices(order)) == 1


@pytest.mark.parametrize(
    ("comment", "value", "found"),
    [
        ("Invoice RE-1001", "RE-1001", True),
        ("Invoice RE-10012", "RE-1001", False),
        ("Invoice XRE-1001", "RE-1001", False),
        ("Invoice RE-1001.", "RE-1001", True),
        ("Invoice RE-1001-2", "RE-1001", False),
        ("Rechnung 請求書42 / 42", "42", True),
        ("pay https://p.example/a?x=1&amp;y=2 now", "https://p.example/a?x=1&y=2", True),
        ("pay https://p.example/ab", "https://p.example/a", False),
        ("", "RE-1", False),
    ],
)
def test_a_number_is_found_only_as_a_whole(comment: str, value: str, found: bool) -> None:
    assert mentions(comment, value) is found
