"""States of goods: what may follow what, what a line's quantities mean, and which readings cannot be true."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce.fulfillment import (
    LEFT_THE_HOUSE,
    MOVES,
    Fulfillment,
    LineProgress,
    Parcel,
    Portion,
    Shipment,
    State,
    may_become,
    overall,
    problems,
)

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def line(id_: str = "1", ordered: int = 5, **counts: int) -> LineProgress:
    return LineProgress.model_validate({"line": id_, "sku": f"SKU-{id_}", "ordered": ordered, **counts})


def shipment(number: str = "SH1", state: State = State.DISPATCHED, **more: Any) -> Shipment:
    quantities = more.pop("quantities", {"1": 2})
    portions = tuple(Portion(line=id_, sku=f"SKU-{id_}", quantity=Decimal(n)) for id_, n in quantities.items())
    return Shipment(number=number, id=number, state=state, portions=portions, **more)


def reading(*lines: LineProgress, shipments: tuple[Shipment, ...] = (), **more: Any) -> Fulfillment:
    return Fulfillment(
        order_key="de:1", number="SO1", id="a1", lines=lines, shipments=shipments, changed_at=NOW, **more
    )


@pytest.mark.parametrize("left", sorted(LEFT_THE_HOUSE))
@pytest.mark.parametrize("back", sorted(set(State) - LEFT_THE_HOUSE))
def test_what_left_the_house_never_goes_back(left: State, back: State) -> None:
    assert not may_become(left, back)


@given(st.lists(st.sampled_from(list(State)), min_size=1, max_size=8))
def test_a_chain_of_legal_moves_may_be_skipped_and_nothing_else(path: list[State]) -> None:
    walked = [path[0]]
    for state in path[1:]:
        if state in MOVES[walked[-1]]:
            walked.append(state)
    assert may_become(walked[0], walked[-1])


def test_cancelled_and_closed_are_ends() -> None:
    for end in (State.CANCELLED, State.CLOSED):
        assert [state for state in State if may_become(end, state)] == [end]


@pytest.mark.parametrize(
    ("counts", "state"),
    [
        ({}, State.BOOKED),
        ({"allocated": 5}, State.ALLOCATED),
        ({"allocated": 3}, State.BOOKED),
        ({"allocated": 3, "back_ordered": 2}, State.BACK_ORDERED),
        ({"allocated": 5, "picked": 2}, State.PICKING),
        ({"allocated": 5, "picked": 5, "packed": 5}, State.PACKED),
        ({"shipped": 2, "allocated": 3}, State.ALLOCATED),
        ({"shipped": 2, "back_ordered": 3}, State.BACK_ORDERED),
        ({"shipped": 5}, State.DISPATCHED),
        ({"shipped": 2, "cancelled": 3}, State.DISPATCHED),
        ({"cancelled": 5}, State.CANCELLED),
    ],
)
def test_a_lines_state_is_that_of_what_is_still_open(counts: dict[str, int], state: State) -> None:
    assert line("1", 5, **counts).state is state


def test_an_order_is_as_far_as_its_last_line_and_delivered_with_its_last_shipment() -> None:
    two = (shipment("SH1"), shipment("SH2", quantities={"1": 3}))
    assert overall(reading(line(shipped=5), line("2"), shipments=two)) is State.BOOKED
    gone = reading(line(shipped=5), line("2", cancelled=5), shipments=two)
    assert overall(gone) is State.DISPATCHED
    assert overall(gone, frozenset({"SH1"})) is State.DISPATCHED
    assert overall(gone, frozenset({"SH1", "SH2"})) is State.DELIVERED
    assert overall(reading(line(cancelled=5))) is State.CANCELLED


def test_goods_that_left_cannot_vanish_change_or_come_back() -> None:
    before = reading(line(shipped=2), shipments=(shipment(),))
    assert problems(None, before) == problems(before, before) == []
    assert problems(before, reading(line(allocated=5))) == [
        "shipment SH1 had left the house and is no longer there",
    ]
    assert problems(before, reading(line(), shipments=(shipment(state=State.PACKED),))) == [
        "shipment SH1 was dispatched and is now packed"
    ]
    other = reading(line(shipped=3), shipments=(shipment(quantities={"1": 3}),))
    assert problems(before, other) == ["shipment SH1 had left with 2 of line 1 and now says 3 of line 1"]


def test_a_reading_that_ships_more_than_was_ordered_or_does_not_add_up_is_named() -> None:
    too_much = reading(line(ordered=1, shipped=2), shipments=(shipment(),))
    assert problems(None, too_much) == ["2 of line 1 (SKU-1) left the house, 1 were to be shipped"]
    uneven = reading(line(shipped=1), shipments=(shipment(),))
    assert problems(None, uneven) == ["line 1 (SKU-1) counts 1 shipped, its shipments hold 2"]
    foreign = reading(line(), shipments=(shipment(quantities={"7": 1}),))
    assert problems(None, foreign) == ["line 7 was shipped and is no line of the order"]


def test_every_box_has_its_number_and_a_shipment_without_boxes_its_own() -> None:
    boxes = (Parcel(number="B1", tracking="T1"), Parcel(number="B2", tracking="T2"), Parcel(number="B3", tracking="T1"))
    assert shipment(tracking="T0", parcels=boxes).tracking_numbers() == ("T1", "T2")
    assert shipment(tracking="T0", parcels=(Parcel(number="B1"),)).tracking_numbers() == ("T0",)
    assert shipment().tracking_numbers() == ()
