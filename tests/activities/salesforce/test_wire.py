"""Amounts and texts cross the wire digit for digit and letter for letter."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.salesforce import wire
from activities.salesforce.soql import LONGEST_LIST_BYTES, chunks, in_list, quote

ODD = [
    "O'Brien",
    "back\\slash",
    "a\\'b",
    "line\nbreak",
    "茶筒 (桜)",
    "Чайник «Самовар»",
    "🫖",
    "e\u0301",
    "'; DELETE",
    "",
]
numbers = st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**9), max_value=10**9)
texts = st.one_of(st.sampled_from(ODD), st.text())
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


@given(values)
def test_what_is_sent_reads_back_equal(value: Any) -> None:
    text = wire.dumps(value).encode()
    assert wire.loads(text) == value


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Decimal("0.1"), "0.1"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-9"), "0.000000001"),
        (Decimal("123456789.123456789"), "123456789.123456789"),
        (Decimal("19.90"), "19.90"),
        (7, "7"),
    ],
)
def test_a_number_is_written_plainly(number: Decimal | int, text: str) -> None:
    assert wire.dumps({"a": number}) == '{"a":' + text + "}"


@pytest.mark.parametrize("value", [1.5, Decimal("NaN"), Decimal("Infinity"), object(), {"a": 0.1}])
def test_what_is_not_exact_never_leaves(value: Any) -> None:
    with pytest.raises(TypeError):
        wire.dumps(value)


def test_every_number_arrives_as_decimal() -> None:
    row = wire.loads(b'{"a": 2, "b": 2.0, "c": 19.9, "d": [1], "e": true}')
    assert [type(row[name]) for name in "abc"] == [Decimal] * 3
    assert type(row["d"][0]) is Decimal
    assert row["e"] is True


@pytest.mark.parametrize("body", [b"<html></html>", b"", b"\xff\xfe", b'{"a": NaN}', b'{"a": 1'])
def test_a_foreign_body_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the promise
        wire.loads(body)


@given(texts)
def test_a_literal_cannot_be_left(value: str) -> None:
    literal = quote(value)
    assert literal[0] == literal[-1] == "'"
    inner, closed = literal[1:-1], False
    position = 0
    while position < len(inner):
        if inner[position] == "\\":
            position += 1
        elif inner[position] == "'":
            closed = True
        position += 1
    assert not closed
    assert position == len(inner), "the closing quote is escaped"


def test_literals_are_the_vendors() -> None:
    assert quote("O'Brien \\ Söhne") == "'O\\'Brien \\\\ Söhne'"
    assert in_list(["a", "b'c"]) == "('a','b\\'c')"


@given(st.lists(st.text(min_size=1, max_size=64), max_size=300), st.integers(1, 50))
def test_portions_hold_every_value_once_and_fit(asked: list[str], most: int) -> None:
    portions = list(chunks(asked, most=most))
    assert [value for portion in portions for value in portion] == list(dict.fromkeys(asked))
    for portion in portions:
        assert 1 <= len(portion) <= most
        assert len(portion) == 1 or sum(len(v.encode()) * 3 for v in portion) <= LONGEST_LIST_BYTES
