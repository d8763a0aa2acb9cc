"""Money is whole minor units of an ISO 4217 currency; no digit is lost and no float comes near."""

import json
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from commerce.money import Money, decimals_of, exact, rounded, total

MOST = 2**53 - 1


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [("EUR", 2), ("USD", 2), ("JPY", 0), ("KRW", 0), ("ISK", 0), ("KWD", 3), ("BHD", 3), ("TND", 3), ("XCG", 2)],
)
def test_a_currency_has_the_decimals_of_iso_4217(currency: str, decimals: int) -> None:
    assert decimals_of(currency) == decimals
    assert str(Money(minor=5, currency=currency)) == f"{Decimal(5).scaleb(-decimals)} {currency}"


@pytest.mark.parametrize("code", ["eur", "EURO", "", "XXX", "DEM", "HRK", "BGN"])
def test_a_code_that_is_not_active_is_refused_by_name(code: str) -> None:
    with pytest.raises(ValueError, match=f"currency '{code}' is not an active ISO 4217 code; use three capital"):
        decimals_of(code)
    with pytest.raises(ValidationError):
        Money(minor=1, currency=code)


@pytest.mark.parametrize(
    ("text", "minor"),
    [("129.90 EUR", 12990), ("-0.01 EUR", -1), ("129 JPY", 129), ("1.234 KWD", 1234), ("1.5 KWD", 1500), ("0 EUR", 0)],
)
def test_an_amount_reads_as_people_write_it(text: str, minor: int) -> None:
    money = Money.model_validate(text)
    assert money.minor == minor
    assert Money.model_validate(str(money)) == money


@pytest.mark.parametrize(
    "text",
    [
        "129.90",
        "129,90 EUR",
        "EUR 129.90",
        "1.001 EUR",
        "1.5 JPY",
        "NaN EUR",
        "Infinity EUR",
        "1e30 EUR",
        "",
        "1e999999 EUR",
    ],
)
def test_a_text_that_is_no_amount_is_refused_and_not_guessed(text: str) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate(text)


@pytest.mark.parametrize("minor", [1.0, 129.9, True, "12990", Decimal("1"), None, math.nan])
def test_minor_units_are_whole_numbers_only(minor: Any) -> None:
    with pytest.raises(ValidationError):
        Money(minor=minor, currency="EUR")


def test_a_json_number_with_a_fraction_is_no_money() -> None:
    for text in ("129.90", "129.0", '{"minor": 129.0, "currency": "EUR"}', "12990"):
        with pytest.raises(ValidationError):
            Money.model_validate_json(text)


def test_an_amount_beyond_what_every_system_holds_exactly_is_refused() -> None:
    assert Money(minor=MOST, currency="JPY").decimal() == MOST
    for minor in (MOST + 1, -MOST - 1):
        with pytest.raises(ValidationError):
            Money(minor=minor, currency="JPY")
    with pytest.raises(ValidationError):
        Money(minor=MOST, currency="EUR") + Money(minor=1, currency="EUR")


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("0.005", "EUR", 1),
        ("-0.005", "EUR", -1),
        ("0.00499999999999999999999999999999999999", "EUR", 0),
        ("2.675", "USD", 268),
        ("0.5", "JPY", 1),
        ("0.0005", "KWD", 1),
        ("119.00000000001", "EUR", 11900),
    ],
)
def test_rounding_is_half_up_and_happens_once(amount: str, currency: str, minor: int) -> None:
    assert rounded(Decimal(amount), currency).minor == minor


def test_exact_refuses_what_it_would_have_to_round() -> None:
    assert exact(Decimal("1.10000"), "EUR").minor == 110
    for amount in ("1.001", "0.00000000000000000000000000000000001"):
        with pytest.raises(ValueError, match="has more decimals than EUR has \\(2\\)"):
            exact(Decimal(amount), "EUR")


def test_a_digit_far_behind_the_point_is_seen() -> None:
    with pytest.raises(ValueError, match="more decimals"):
        exact(Decimal("12345678901234.560000000000000000000000000001"), "EUR")


def test_two_currencies_are_never_added_or_compared() -> None:
    euro, yen = Money(minor=1, currency="EUR"), Money(minor=1, currency="JPY")
    assert euro != yen
    for act in (lambda: euro + yen, lambda: euro - yen, lambda: euro < yen, lambda: total([euro, yen], "EUR")):
        with pytest.raises(ValueError, match="different currencies"):
            act()


@given(st.lists(st.integers(-(10**12), 10**12), max_size=20), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_sums_are_exact_and_every_form_reads_back(minors: list[int], currency: str) -> None:
    amounts = [Money(minor=minor, currency=currency) for minor in minors]
    assert total(amounts, currency).minor == sum(minors)
    assert total(amounts, currency).decimal() == sum((money.decimal() for money in amounts), Decimal(0))
    for money in amounts:
        assert exact(money.decimal(), currency) == money == rounded(money.decimal(), currency)
        assert Money.model_validate(str(money)) == money
        assert Money.model_validate_json(money.model_dump_json()) == money
        assert type(json.loads(money.model_dump_json())["minor"]) is int
        assert (-money).minor == -money.minor
        assert bool(money) == (money.minor != 0)
