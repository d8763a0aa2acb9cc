"""The verdict is good for right books only: each kind of mistake, made alone, turns it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from cli.demo.books import Books
from cli.demo.expected import Expected
from cli.demo.orders import Fate
from cli.demo.verdict import Verdict, judge

Lists = dict[tuple[str, str], list[dict[str, Any]]]
LAMP, MUG = "HF-1", "HF-2"
PAID = Expected(
    *("de:1", "by link, in the shop", Fate.COMPLETED, "EUR", 9000, 10_000, 9000),
    in_shop=True,
    goods={LAMP: Decimal(3), MUG: Decimal(1)},
)
SPLIT = Expected(
    *("de:2", "split", Fate.COMPLETED, "EUR", 500, 500, 0),
    captured=(("a-1", 300), ("a-2", 200)),
    goods={MUG: Decimal(2)},
)
ACCOUNT = Expected(
    *("jp:3", "on account", Fate.COMPLETED, "JPY", 700, 700, 0),
    on_account=True,
    in_shop=True,
    goods={LAMP: Decimal(2)},
)
PARKED = Expected("de:4", "unmapped", Fate.PARKED, "EUR", 100, 100, due=100)
CANCELLED = Expected("de:5", "cancelled", Fate.CANCELLED, "EUR", 100, 100, due=100)
REFUNDED = Expected("de:6", "refunded", Fate.REFUNDED, "EUR", 250, 250, due=250)
ALL = (PAID, SPLIT, ACCOUNT, PARKED, CANCELLED, REFUNDED)
WAITING = {"de:4": ["the ERP has no item"]}


def row(id: str, key: str, minor: int, currency: str = "EUR", status: str = "open", **more: Any) -> dict[str, Any]:
    refs = more.pop("refs", {})
    return {
        "id": id,
        "number": id,
        "key": key,
        "total_minor": minor,
        "currency": currency,
        "status": status,
        "refs": refs,
        **more,
    }


def cash(id: str, minor: int, transaction: str) -> dict[str, Any]:
    return row(id, "EXTERNAL", minor, refs={"reference": transaction})


def payment(id: str, key: str, minor: int, transaction: str, refunded: int = 0) -> dict[str, Any]:
    return row(id, key, minor, refunded_minor=refunded, refs={"transaction": transaction})


def lines(**quantities: int) -> list[dict[str, Any]]:
    """`HF_1=3` is three pieces of HF-1."""
    return [{"sku": sku.replace("_", "-"), "quantity": str(pieces)} for sku, pieces in quantities.items()]


def sold(**quantities: int) -> list[dict[str, Any]]:
    """Lines of a sales order that has been shipped."""
    return [line | {"shipped": f"{line['quantity']}.0"} for line in lines(**quantities)]


def sent(id: str, key: str, **quantities: int) -> dict[str, Any]:
    return row(id, key, 1, status="Shipped", lines=lines(**quantities))


def told(id: str, key: str, shipment: str, *tracks: str, **quantities: int) -> dict[str, Any]:
    """A shipment in the shop."""
    refs = {"order_key": key, "tracks": list(tracks)}
    return row(id, shipment, 0, status="", refs=refs, lines=lines(**quantities))


def parcel(number: str, order: str) -> dict[str, Any]:
    return {"id": number, "number": number, "key": order, "status": "delivered"}


def right_goods() -> dict[str, Any]:
    """Where Holdfast shows the goods to be when all goes well."""

    def view(**shipments: tuple[str, ...]) -> dict[str, Any]:
        shown = [{"number": name, "tracks": [{"number": n} for n in tracks]} for name, tracks in shipments.items()]
        return {"state": "delivered", "ended": True, "shipments": shown}

    return {
        "de:1": view(SH1=("T1",), SH2=("T2",)),
        "de:2": view(SH3=("T3", "T4")),
        "jp:3": view(SH4=("T5",), SH5=("T6",)),
    }


def right_books() -> Lists:
    """What six orders leave behind when all goes well."""
    return {
        ("salesforce", "orders"): [
            row("SO1", "de:1", 10_000, lines=sold(HF_1=3, HF_2=1, SHIPPING=1)),
            row("SO2", "de:2", 500, lines=sold(HF_2=2)),
            row("SO3", "jp:3", 700, "JPY", lines=sold(HF_1=2)),
            row("SO6", "de:6", 250, status="Cancelled", lines=[]),
        ],
        ("salesforce", "shipments"): [
            sent("SH1", "de:1", HF_1=2, HF_2=1),
            sent("SH2", "de:1", HF_1=1),
            sent("SH3", "de:2", HF_2=2),
            sent("SH4", "jp:3", HF_1=1),
            sent("SH5", "jp:3", HF_1=1),
        ],
        ("magento", "shipments"): [
            told("MS1", "de:1", "SH1", "T1", HF_1=2, HF_2=1),
            told("MS2", "de:1", "SH2", "T2", HF_1=1),
            told("MS4", "jp:3", "SH4", "T5", HF_1=1),
            told("MS5", "jp:3", "SH5", "T6", HF_1=1),
        ],
        ("carrier", "shipments"): [
            *(parcel("T1", "SO1"), parcel("T2", "SO1"), parcel("T3", "SO2"), parcel("T4", "SO2")),
            *(parcel("T5", "SO3"), parcel("T6", "SO3")),
        ],
        ("salesforce", "payments"): [
            cash("C1", 9000, "t-1"),
            cash("C2", 300, "a-1"),
            cash("C3", 200, "a-2"),
            cash("C4", 250, "t-6"),
            cash("C5", -250, "t-6"),
        ],
        ("juston", "entries"): [
            row("E1", "de:1", 9000, status="Balanced", refs={"invoice": "I1"}),
            row("E3", "I3", 700, "JPY", refs={"invoice": "I3"}),
            row("E5", "de:5", 100, status="Canceled"),
            row("E6", "de:6", 250, status="Canceled"),
        ],
        ("juston", "payments"): [
            payment("P1", "de:1", 9000, "t-1"),
            payment("P0", "de:1", 0, "t-0"),  # an attempt that failed
            payment("P6", "de:6", 250, "t-6", refunded=250),
        ],
        ("juston", "orders"): [
            row("W1", "de:1", 10_000),
            row("W2", "de:2", 500),
            row("W3", "jp:3", 700, "JPY"),
        ],
        ("juston", "invoices"): [row("I1", "de:1", 10_000), row("I2", "de:2", 500), row("I3", "jp:3", 700, "JPY")],
        ("magento", "orders"): [
            row("M1", "de:1", 9000, refs={"comments": ["Invoice I1"]}),
            row("M3", "jp:3", 700, "JPY", refs={"comments": ["ERP order SO3, invoice I3"]}),
        ],
        ("magento", "invoices"): [
            row("MI1", "I1", 9000, refs={"order_key": "de:1"}, lines=lines(HF_1=3, HF_2=1)),
            row("MI4", "SH4", 400, "JPY", refs={"order_key": "jp:3"}, lines=lines(HF_1=1)),
            row("MI5", "SH5", 300, "JPY", refs={"order_key": "jp:3"}, lines=lines(HF_1=1)),
        ],
    }


def verdict(lists: Lists, parked: dict[str, list[str]] | None = None, goods: dict[str, Any] | None = None) -> Verdict:
    books = Books({place: tuple(rows) for place, rows in lists.items()})
    return judge(ALL, books, WAITING if parked is None else parked, right_goods() if goods is None else goods)


def test_right_books_are_good_and_counted() -> None:
    found = verdict(right_books())
    assert found.problems == []
    assert found.ok
    assert (found.duplicates, found.missing) == (0, 0)
    assert found.orders == {
        "placed": 6,
        "paid": 2,
        "booked": 3,
        "invoiced": 3,
        "written_back": 2,
        "shipped": 3,
        "delivered": 3,
        "parked": 1,
        "cancelled": 2,
    }
    assert found.money["EUR"]["salesforce"] == {"orders": 10_500, "payments": 9500}
    assert found.money["EUR"]["juston"] == {"orders": 10_500, "payments": 9000, "invoices": 10_500}
    assert found.money["JPY"]["magento"] == {"orders": 700, "invoices": 700}
    assert found.goods == {"shipments": 5, "shop_shipments": 4, "parcels": 6}


PLACES = sorted(right_books())
SHIPMENTS = [place for place in PLACES if place[1] == "shipments"]
OPEN_DOCUMENTS = [
    (place, document["id"])
    for place in PLACES
    for document in right_books()[place]
    if place not in SHIPMENTS and document["status"] == "open" and document["id"] not in ("P0", "P6", "C4", "C5")
]


@pytest.mark.parametrize(("place", "id"), OPEN_DOCUMENTS)
def test_a_second_document_is_a_duplicate(place: tuple[str, str], id: str) -> None:
    lists = right_books()
    lists[place] += [{**document, "id": "TWIN", "number": "TWIN"} for document in lists[place] if document["id"] == id]
    found = verdict(lists)
    assert not found.ok
    assert found.duplicates == 1
    assert any("duplicate" in problem and "TWIN" in problem for problem in found.problems)


@pytest.mark.parametrize(("place", "id"), OPEN_DOCUMENTS)
def test_a_document_that_is_not_there_is_missing(place: tuple[str, str], id: str) -> None:
    lists = right_books()
    lists[place] = [document for document in lists[place] if document["id"] != id]
    found = verdict(lists)
    assert not found.ok
    assert found.missing >= 1


@pytest.mark.parametrize(("place", "id"), OPEN_DOCUMENTS)
def test_one_minor_unit_too_much_is_wrong(place: tuple[str, str], id: str) -> None:
    lists = right_books()
    lists[place] = [
        {**document, "total_minor": document["total_minor"] + (document["id"] == id)} for document in lists[place]
    ]
    found = verdict(lists)
    assert not found.ok
    assert (found.duplicates, found.missing) == (0, 0)


@pytest.mark.parametrize("place", PLACES)
def test_a_document_of_no_order_is_a_stranger(place: tuple[str, str]) -> None:
    lists = right_books()
    refs = {"reference": "t-99", "order_key": "de:99", "transaction": "t-99", "comments": []}
    lists[place].append(row("X", "de:99", 1, refunded_minor=0, refs=refs, lines=[]))
    found = verdict(lists)
    assert any(problem.startswith("stranger") for problem in found.problems)


def _reopen(place: tuple[str, str], id: str) -> Callable[[Lists], None]:
    def change(lists: Lists) -> None:
        lists[place] = [{**d, "status": "New"} if d["id"] == id else d for d in lists[place]]

    return change


def _keep_money(lists: Lists) -> None:
    lists["juston", "payments"][2]["refunded_minor"] = 0


def _forget_refund(lists: Lists) -> None:
    lists["salesforce", "payments"].pop()


def _invoice_cancelled(lists: Lists) -> None:
    lists["juston", "invoices"].append(row("I6", "de:6", 250))


def _book_parked(lists: Lists) -> None:
    lists["salesforce", "orders"].append(row("SO4", "de:4", 100, lines=[]))


def _shop_not_told(lists: Lists) -> None:
    lists["magento", "orders"][1]["refs"] = {"comments": []}


def _other_currency(lists: Lists) -> None:
    lists["salesforce", "orders"][0]["currency"] = "USD"


@pytest.mark.parametrize(
    "change",
    [
        _reopen(("salesforce", "orders"), "SO6"),
        _reopen(("juston", "entries"), "E5"),
        _reopen(("juston", "entries"), "E6"),
        _keep_money,
        _forget_refund,
        _invoice_cancelled,
        _book_parked,
        _shop_not_told,
        _other_currency,
    ],
)
def test_what_is_left_open_kept_or_not_told_is_named(change: Callable[[Lists], None]) -> None:
    lists = right_books()
    change(lists)
    assert not verdict(lists).ok


def test_a_cancelled_order_with_a_credited_invoice_is_undone() -> None:
    lists = right_books()
    _invoice_cancelled(lists)
    lists["juston", "credit_notes"] = [row("CN6", "de:6", -250)]
    assert verdict(lists).problems == []


def test_parking_must_be_planned_and_planned_parking_must_happen() -> None:
    assert not verdict(right_books(), {}).ok
    found = verdict(right_books(), {**WAITING, "de:2": ["the ERP is cross"]})
    assert found.problems == ["parked: de:2 waits for a person: the ERP is cross"]
    assert [(case["order"], case["expected"]) for case in found.parked] == [("de:4", True), ("de:2", False)]
