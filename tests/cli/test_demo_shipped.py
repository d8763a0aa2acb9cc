"""Goods have left and arrived for right books only: each kind of mistake, made alone, turns the verdict."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.test_demo_verdict import Lists, parcel, right_books, right_goods, sent, told, verdict

ERP, SHOP, CARRIER = ("salesforce", "shipments"), ("magento", "shipments"), ("carrier", "shipments")
INVOICES = ("magento", "invoices")


def _take(place: tuple[str, str], id: str) -> Callable[[Lists], None]:
    def change(lists: Lists) -> None:
        lists[place] = [document for document in lists[place] if document["id"] != id]

    return change


def _add(place: tuple[str, str], document: dict[str, Any]) -> Callable[[Lists], None]:
    return lambda lists: lists[place].append(document)


def _change(place: tuple[str, str], id: str, **values: Any) -> Callable[[Lists], None]:
    def change(lists: Lists) -> None:
        lists[place] = [document | values if document["id"] == id else document for document in lists[place]]

    return change


def _pieces(place: tuple[str, str], id: str, quantity: str) -> Callable[[Lists], None]:
    def change(lists: Lists) -> None:
        (document,) = (document for document in lists[place] if document["id"] == id)
        document["lines"][0]["quantity"] = quantity

    return change


def _line_open(lists: Lists) -> None:
    lists["salesforce", "orders"][0]["lines"][0]["shipped"] = "2"


# What is wrong, what the verdict says of it, and how many orders count as shipped and as delivered then.
WRONG: dict[str, tuple[Callable[[Lists], None], str, tuple[int, int]]] = {
    "nothing left of a portal's order": (_take(ERP, "SH3"), "missing: 2 of HF-2 for de:2 did not", (2, 2)),
    "a part did not leave": (_take(ERP, "SH2"), "missing: 1 of HF-1 for de:1 did not", (2, 2)),
    "more left than was ordered": (_add(ERP, sent("SH9", "de:2", HF_2=1)), "too much: 3 of HF-2 for de:2", (2, 2)),
    "other goods left": (_add(ERP, sent("SH9", "de:2", HF_7=1)), "too much: 1 of HF-7 for de:2", (2, 2)),
    "picked, but not shipped": (_change(ERP, "SH3", status="Queued"), "not shipped: shipment in Fin", (2, 3)),
    "a line that the ERP has open": (_line_open, "open: HF-1 of sales order SO1 for de:1 is shipped 2 of 3", (2, 3)),
    "not in the shop": (_take(SHOP, "MS2"), "missing: shipment in Magento over shipment SH2 for de:1", (2, 3)),
    "twice in the shop": (
        _add(SHOP, told("TWIN", "de:1", "SH2", HF_1=1)),
        "duplicate: shipment in Magento over shipment SH2 for de:1 exists 2 times: MS2, TWIN",
        (2, 3),
    ),
    "other quantity in the shop": (_pieces(SHOP, "MS1", "1"), "wrong quantity: shipment in Magento over", (2, 3)),
    "only in the shop": (_add(SHOP, told("X", "de:1", "SH9", HF_1=1)), "stranger: shipment in Magento X", (2, 3)),
    "in the shop by hand": (_add(SHOP, told("X", "de:1", "", HF_1=1)), "stranger: shipment in Magento X", (2, 3)),
    "a track that the shop lacks": (
        _change(SHOP, "MS2", refs={"order_key": "de:1", "tracks": []}),
        "tracks: the shop has T1 for de:1, the carrier T1, T2",
        (2, 3),
    ),
    "a track twice": (
        _change(SHOP, "MS2", refs={"order_key": "de:1", "tracks": ["T2", "T2"]}),
        "tracks: the shop has T1, T2, T2 for de:1",
        (2, 3),
    ),
    "not invoiced on shipment": (_take(INVOICES, "MI5"), "missing: invoice in Magento over shipment SH5", (2, 3)),
    "more invoiced than shipped": (_pieces(INVOICES, "MI5", "2"), "wrong quantity: invoice in Magento over", (2, 3)),
    "invoiced over another amount": (
        _change(INVOICES, "MI5", total_minor=301),
        "wrong amount: invoice in Magento for jp:3 sum up to 701 JPY, expected 700 JPY",
        (2, 3),
    ),
    "invoiced once more": (
        _add(INVOICES, right_books()[INVOICES][2] | {"id": "TWIN", "number": "TWIN"}),
        "duplicate: invoice in Magento over shipment SH5 for jp:3 exists 2 times: MI5, TWIN",
        (2, 3),
    ),
    "no parcel": (_take(CARRIER, "T1"), "missing: 1 x parcel at the carrier for de:1", (2, 2)),
    "a parcel on its way": (_change(CARRIER, "T4", status="in transit"), "not delivered: parcel T4 of de:2", (3, 2)),
    "a parcel of no order": (_add(CARRIER, parcel("T9", "SO99")), "stranger: parcel at the carrier T9", (3, 3)),
    "a parked order in the ERP": (_add(ERP, sent("SH9", "de:4", HF_1=1)), "sent: shipment in FinancialForce", (3, 3)),
    "a cancelled order in the shop": (_add(SHOP, told("X", "de:5", "SH9")), "sent: shipment in Magento X", (3, 3)),
    "a refunded order's parcel": (_add(CARRIER, parcel("T9", "SO6")), "sent: parcel at the carrier T9", (3, 3)),
}


@pytest.mark.parametrize("case", WRONG)
def test_goods_that_are_not_where_they_should_be_are_named_and_not_counted(case: str) -> None:
    change, said, counted = WRONG[case]
    lists = right_books()
    change(lists)
    found = verdict(lists)
    assert [problem for problem in found.problems if problem.startswith(said)], found.problems
    assert (found.orders["shipped"], found.orders["delivered"]) == counted
    assert bool(found.missing) == said.startswith("missing")
    assert found.duplicates == said.startswith("duplicate")


def test_a_portals_order_has_no_shipment_in_the_shop() -> None:
    lists = right_books()
    lists[SHOP].append(told("X", "de:2", "SH3", HF_2=2))
    found = verdict(lists)
    assert [problem for problem in found.problems if problem.startswith("stranger: shipment in Magento X for de:2")]
    assert found.orders["shipped"] == 2


def test_a_shipment_that_the_erp_took_back_is_none() -> None:
    lists = right_books()
    lists[ERP].append(sent("SH9", "de:2", HF_2=2) | {"status": "Cancelled"})
    assert verdict(lists).problems == []


def _shown(**values: Any) -> dict[str, Any]:
    goods = right_goods()
    goods["de:2"] |= values
    return goods


@pytest.mark.parametrize(
    ("goods", "said"),
    [
        (_shown(state="dispatched"), "not delivered: Holdfast shows the goods of de:2 as dispatched"),
        (_shown(ended=False), "not delivered: Holdfast shows the goods of de:2 as delivered"),
        (_shown(shipments=[]), "shown wrong: Holdfast shows shipments of de:2 none, the books have SH3"),
        (
            _shown(shipments=[{"number": "SH3", "tracks": [{"number": "T3"}]}]),
            "shown wrong: Holdfast shows parcels of de:2 T3, the books have T3, T4",
        ),
        ({**right_goods(), "de:2": {}}, "not delivered: Holdfast shows the goods of de:2 as not known"),
    ],
    ids=["on the way", "not at its end", "no shipment", "a parcel less", "nothing"],
)
def test_what_holdfast_shows_must_be_what_the_books_say(goods: dict[str, Any], said: str) -> None:
    found = verdict(right_books(), goods=goods)
    assert [problem for problem in found.problems if problem.startswith(said)], found.problems
    assert (found.orders["shipped"], found.orders["delivered"]) == (3, 2)
