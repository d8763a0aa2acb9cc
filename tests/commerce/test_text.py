"""A text fits a field in the field's own unit, and shortening never splits what people see as one character."""

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from commerce.text import DoesNotFit, Limit, Unit, measure, require, shorten

FAMILY = "👩‍👩‍👧‍👦"  # one to the eye: seven code points joined
FLAG = "🇩🇪"
ACCENT = "e\u0301"  # e and a combining acute
HANGUL = "\u1100\u1161\u11a8"  # three jamo, one syllable
DEVANAGARI = "क्षि"

MEASURES = [
    ("Nordlicht", 9, 9, 9),
    ("Köln", 4, 4, 5),
    ("Москва", 6, 6, 12),
    ("山田花子", 4, 4, 12),
    ("𠮷野家", 3, 4, 10),
    ("👍", 1, 2, 4),
    (FAMILY, 7, 11, 25),
    (FLAG, 2, 4, 8),
    (ACCENT, 2, 2, 3),
    ("", 0, 0, 0),
]


@pytest.mark.parametrize(("text", "characters", "utf16", "octets"), MEASURES, ids=[m[0] or "empty" for m in MEASURES])
def test_each_unit_counts_its_own_way(text: str, characters: int, utf16: int, octets: int) -> None:
    assert [measure(text, unit) for unit in (Unit.CHARACTERS, Unit.UTF16, Unit.BYTES)] == [characters, utf16, octets]


@pytest.mark.parametrize("unit", list(Unit))
def test_a_text_fits_up_to_the_last_place_and_not_one_more(unit: Unit) -> None:
    text = "Zoë 山田 👍"
    size = measure(text, unit)
    assert require(text, Limit(field="Name", size=size, unit=unit)) == text
    with pytest.raises(DoesNotFit) as caught:
        require(text, Limit(field="Name", size=size - 1, unit=unit))
    assert str(caught.value) == f"Name takes {size - 1} {unit.value}, the value has {size}"


def test_a_refusal_does_not_carry_the_text() -> None:
    with pytest.raises(DoesNotFit) as caught:
        require("Zoë Großmann, Straße 1", Limit(field="Street", size=3))
    assert "Zoë" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "size", "unit", "kept"),
    [
        ("Nordlicht", 9, Unit.CHARACTERS, "Nordlicht"),
        ("Nordlicht", 5, Unit.CHARACTERS, "Nord…"),
        ("Nord licht", 6, Unit.CHARACTERS, "Nord…"),
        ("Москва", 9, Unit.BYTES, "Мос…"),
        ("山田花子", 10, Unit.BYTES, "山田…"),
        ("𠮷野家", 3, Unit.UTF16, "𠮷…"),
        ("𠮷野家", 2, Unit.UTF16, "…"),
        (f"A{FAMILY}B", 8, Unit.CHARACTERS, "A…"),
        (f"A{FAMILY}BC", 9, Unit.CHARACTERS, f"A{FAMILY}…"),
        (f"{ACCENT}{ACCENT}{ACCENT}", 4, Unit.CHARACTERS, f"{ACCENT}…"),
        (f"{HANGUL}{HANGUL}", 5, Unit.CHARACTERS, f"{HANGUL}…"),
        (f"{FLAG}{FLAG}", 3, Unit.CHARACTERS, f"{FLAG}…"),
        (f"{DEVANAGARI}ab", 5, Unit.CHARACTERS, f"{DEVANAGARI}…"),
        ("Nordlicht", 2, Unit.BYTES, "No"),  # no room for the mark itself
        (FAMILY, 3, Unit.CHARACTERS, "…"),
        ("Nordlicht", 0, Unit.CHARACTERS, ""),
    ],
)
def test_a_shortened_text_is_cut_between_characters_people_see(text: str, size: int, unit: Unit, kept: str) -> None:
    assert shorten(text, Limit(field="Title", size=size, unit=unit)) == kept


_PIECES = st.lists(
    st.sampled_from([FAMILY, FLAG, ACCENT, HANGUL, DEVANAGARI, "a", " ", "Ж", "花", "𠮷", "👍🏽", "\u0301", "\r\n"])
)


@given(_PIECES, st.integers(0, 40), st.sampled_from(list(Unit)))
def test_a_shortened_text_always_fits_and_is_made_of_whole_characters(pieces: list[str], size: int, unit: Unit) -> None:
    text = "".join(pieces)
    limit = Limit(field="Title", size=size, unit=unit)
    cut = shorten(text, limit)
    assert measure(cut, unit) <= size
    if measure(text, unit) <= size:
        assert cut == text
    else:
        kept = regex.findall(r"\X", cut.removesuffix("…"))
        assert regex.findall(r"\X", text)[: len(kept)] == kept
