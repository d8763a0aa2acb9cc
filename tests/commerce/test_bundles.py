"""Parts of bundles count under the shipment with which they left, wherever the shop shows them."""

from decimal import Decimal

import pytest

from commerce.bundles import as_they_left

A, B = "12", "13"


def counted(*shipments: tuple[str, dict[str, int]]) -> dict[str, dict[str, Decimal]]:
    return {number: {line: Decimal(count) for line, count in lines.items()} for number, lines in shipments}


@pytest.mark.parametrize(
    ("left", "shown", "found"),
    [
        (
            counted(("1", {A: 1}), ("2", {B: 1})),
            counted(("2", {A: 1, B: 1})),
            counted(("1", {A: 1}), ("2", {A: 0, B: 1})),
        ),
        (
            counted(("1", {A: 2, "9": 1}), ("2", {B: 1}), ("3", {A: 1, B: 2})),
            counted(("1", {"9": 1}), ("2", {A: 1, B: 1}), ("3", {A: 2, B: 2})),
            counted(("1", {A: 2, "9": 1}), ("2", {A: 0, B: 1}), ("3", {A: 1, B: 2})),
        ),
        (counted(("1", {A: 1}), ("2", {A: 1})), counted(("2", {A: 3})), counted(("1", {A: 1}), ("2", {A: 2}))),
        (counted(("1", {A: 1})), counted(("by hand", {A: 1})), counted(("by hand", {A: 1}))),
        (counted(("1", {A: 1}), ("2", {A: 1})), counted(("1", {A: 2})), counted(("1", {A: 2}))),
    ],
    ids=["one bundle", "several, in parts", "one too many", "not by our number", "before it left"],
)
def test_what_left_earlier_is_moved_there_and_nothing_else(
    left: dict[str, dict[str, Decimal]], shown: dict[str, dict[str, Decimal]], found: dict[str, dict[str, Decimal]]
) -> None:
    assert as_they_left(left, shown, [A, B]) == found
