"""A person's correction changes what it names and nothing else, and never what the buyer or others were told."""

import re
from typing import Any

import pytest

from commerce.corrections import corrected, merge
from commerce.order import content, differences
from tests.commerce.sample import full, order


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [  # the examples of RFC 7396, appendix A, that do not meet our rule for arrays
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        # ours: elements of an array by index
        ({"a": [1, 2, 3]}, {"a": {"1": 9}}, {"a": [1, 9, 3]}),
        ({"a": [{"b": 1, "c": 2}]}, {"a": {"0": {"b": 3}}}, {"a": [{"b": 3, "c": 2}]}),
        ({"a": [1, 2, 3]}, {"a": {"0": None, "2": 7}}, {"a": [2, 7]}),
    ],
)
def test_a_merge_patch_does_what_the_rfc_says(target: Any, patch: Any, result: Any) -> None:
    assert merge(target, patch) == result


@pytest.mark.parametrize("index", ["1", "-1", "x", "²", "", "99999999999999999999"])
def test_an_index_that_is_not_there_is_refused(index: str) -> None:
    with pytest.raises(ValueError, match="is not an index below 1"):
        merge([1], {index: 2})


def test_a_correction_changes_what_it_names_and_nothing_else() -> None:
    before = order(full())
    after = corrected(before, {"lines": {"3": {"sku": "BULB-2"}}, "billing": {"city": "Bonn"}}, money_asked=True)
    assert differences(content(before), content(after)) == [
        'billing.city: known "Köln", given "Bonn"',
        'lines[3].sku: known "BULB", given "BULB-2"',
    ]
    assert (after.key, after.placed_at) == (before.key, before.placed_at)


def test_a_discount_can_be_taken_out() -> None:
    paid = {"total": "125.00 EUR", "payments": {"1": {"amount": "25.00 EUR"}}, "base_total": "156.25 USD"}
    after = corrected(order(full()), {"discounts": {"0": None}, **paid}, money_asked=True)
    assert [discount.level.value for discount in after.discounts] == ["order", "customer", "shipping"]


@pytest.mark.parametrize(
    ("patch", "told"),
    [
        (None, "a correction names what to change"),
        ({}, "a correction names what to change"),
        ({"number": "1002"}, "number cannot be corrected; cancel the order and place it anew"),
        ({"store": "us", "currency": "USD"}, "currency, store cannot be corrected"),
        ({"shop_id": "1"}, "shop_id cannot be corrected"),
        ({"placed_at": "2026-01-01T00:00:00Z"}, "placed_at cannot be corrected"),
        ({"lines": {"9": {"sku": "X"}}}, "'9' is not an index below 4"),
        ({"lines": {"0": {"sku": ""}}}, "lines.0.sku: '' is not allowed: String should have at least 1 character"),
        ({"lines": {"0": {"skew": "X"}}}, "lines.0.skew: 'X' is not allowed: Extra inputs are not permitted"),
        ({"lines": []}, "lines: Tuple should have at least 1 item"),
        ({"total": {"minor": 1.5}}, "total.minor: Input should be a valid integer"),
        ({"total": "1.00 USD"}, "is not in the order currency EUR"),
        ({"billing": None}, "billing: Field required"),
        ({"total": "124.01 EUR"}, "the corrected order does not add up: total: the parts add up to 124.00 EUR"),
        (
            {"billing": {"country": "de"}, "customer": {"email": "x"}},
            "customer.email: 'x' is not allowed: String should match pattern",
        ),
    ],
)
def test_a_correction_that_cannot_be_applied_says_why(patch: dict[str, Any] | None, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        corrected(order(full()), patch, money_asked=False)


def test_all_mistakes_of_a_correction_are_told_at_once() -> None:
    with pytest.raises(ValueError, match=r"lines\.0\.sku.*; lines\.1\.sku"):
        corrected(order(full()), {"lines": {"0": {"sku": ""}, "1": {"sku": ""}}}, money_asked=False)


def test_what_the_buyer_was_asked_for_cannot_change() -> None:
    less = {"payments": {"0": {"amount": "90.00 EUR"}}, "total": "114.00 EUR", "base_total": None}
    less |= {"gift_cards": {"0": {"amount": "20.00 EUR"}}}
    with pytest.raises(ValueError, match=r"was asked for 100\.00 EUR; the correction would make 90\.00 EUR"):
        corrected(order(full()), less, money_asked=True)
    assert str(corrected(order(full()), less, money_asked=False).total) == "114.00 EUR"
