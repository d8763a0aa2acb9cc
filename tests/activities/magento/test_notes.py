"""Comments about goods on the shop's order: each once by its key, in the buyer's language, seen by whom it is for."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from activities.fulfillment import NoteGoods, TrackView
from activities.goods_notes import note_text
from activities.magento.client import MagentoClient
from activities.magento.notes import MagentoNotes
from commerce.fulfillment import Portion
from commerce.order import Order
from tests.activities.juston.desk import Notes, as_engine
from tests.activities.magento.conftest import Placed, Shop
from tests.flow.orders import line, portal_order

TRACK = TrackView(number="JD01", link="https://track.example/JD01")


@pytest.fixture
def notes(shop: Shop, client: MagentoClient) -> MagentoNotes:
    return MagentoNotes(client, system="shop", memory=Notes())


def of(placed: Placed) -> Order:
    return portal_order(store=placed.store, number=placed.number, shop_id=placed.shop_id)


def dispatched(order: Order, *tracks: TrackView, **more: Any) -> NoteGoods:
    goods = (Portion(line="1", sku="HF-1001", quantity=Decimal(1)),)
    given = {"shipment": "SH1", "carrier": "DHL", "tracks": tracks, "portions": goods, **more}
    return NoteGoods(key="dispatched:SH1", template="dispatched", order=order, **given)


async def test_a_note_whose_answer_is_lost_stands_once_and_changes_no_status(shop: Shop, notes: MagentoNotes) -> None:
    placed = await shop.place()
    before = (await shop.entity(placed.shop_id))["status"]
    shop.faults({"kind": "lose-reply", "match": {"method": "POST", "path": "/comments$"}, "times": 1})
    made = await as_engine(notes.note_goods, dispatched(of(placed), TRACK))
    assert (await notes.note_goods(dispatched(of(placed), TRACK))).id == made.id
    assert len(await shop.comments(placed)) == 1
    assert (await shop.entity(placed.shop_id))["status"] == before


async def test_a_number_that_comes_later_is_noted_once_more_and_then_no_more(shop: Shop, notes: MagentoNotes) -> None:
    placed = await shop.place()
    for tracks in ((), (TRACK,), (TRACK,), ()):
        await notes.note_goods(dispatched(of(placed), *tracks))
    said = sorted(await shop.comments(placed), key=len)
    assert [("JD01" in text, text.endswith("[dispatched:SH1]")) for text in said] == [(False, True), (True, True)]


@pytest.mark.parametrize(("visible", "mailed"), [(False, False), (True, False), (True, True)])
async def test_a_note_is_seen_by_whom_it_is_meant_for(
    shop: Shop, notes: MagentoNotes, visible: bool, mailed: bool
) -> None:
    placed = await shop.place()
    await notes.note_goods(dispatched(of(placed), visible=visible, mailed=mailed))
    (entry,) = [each for each in (await shop.entity(placed.shop_id))["status_histories"] if each["comment"]]
    assert (bool(entry["is_visible_on_front"]), bool(entry["is_customer_notified"])) == (visible, mailed)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("de", "Lieferung SH1 hat unser Lager verlassen, mit DHL: 1/2 × Leselampe Aurora. Sendungsverfolgung: JD01 "),
        ("en_US", "Shipment SH1 has left our warehouse with DHL: 1/2 × Leselampe Aurora. Tracking: JD01 "),
        ("fr", "Shipment SH1 has left our warehouse with DHL: 1/2 × Leselampe Aurora. Tracking: JD01 "),
        ("ja", "発送 SH1(DHL)を出荷しました。1/2 × Leselampe Aurora 追跡番号: JD01 "),
    ],
)
def test_a_note_speaks_the_language_of_the_order(language: str, said: str) -> None:
    text = note_text(dispatched(portal_order(language=language), TRACK))
    assert text == f"{said}https://track.example/JD01 [dispatched:SH1]"


def test_a_delay_names_the_day_where_there_is_one() -> None:
    order = portal_order(language="en")
    goods = (Portion(line="1", sku="HF-1001", quantity=Decimal(2)),)
    task = NoteGoods(key="delayed:1:open", template="delayed", order=order, portions=goods)
    assert "2 × Leselampe Aurora. There is no new date yet." in note_text(task)
    dated = task.model_copy(update={"expected_on": date(2026, 12, 1)})
    assert "We expect to ship it on 2026-12-01." in note_text(dated)


def test_a_long_list_of_goods_is_cut_and_the_key_stays() -> None:
    order = portal_order(lines=[line(str(number), f"HF-{number}") for number in range(1, 31)])
    goods = tuple(Portion(line=str(number), sku="x", quantity=Decimal(2)) for number in range(1, 31))
    text = note_text(dispatched(order, portions=goods))
    assert "und 10 weitere" in text
    assert text.endswith("[dispatched:SH1]")
