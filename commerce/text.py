"""Does a text fit a target's field? Limits count the target's unit; shortening never splits a character people see."""

from enum import StrEnum

import regex

from commerce.model import Model


class Unit(StrEnum):
    CHARACTERS = "characters"  # Unicode code points
    UTF16 = "UTF-16 units"  # what Salesforce counts
    BYTES = "UTF-8 bytes"


class Limit(Model):
    """The room of one target field."""

    field: str
    size: int
    unit: Unit = Unit.CHARACTERS


class DoesNotFit(ValueError):
    """A value is longer than the target's field and may not be shortened."""


def measure(text: str, unit: Unit) -> int:
    if unit is Unit.BYTES:
        return len(text.encode("utf-8"))
    if unit is Unit.UTF16:
        return len(text.encode("utf-16-le")) // 2
    return len(text)


def require(text: str, limit: Limit) -> str:
    """The text itself when it fits; raises DoesNotFit with field, length and limit when not."""
    length = measure(text, limit.unit)
    if length > limit.size:
        # Without the text itself: names and addresses do not belong into failures.
        raise DoesNotFit(f"{limit.field} takes {limit.size} {limit.unit}, the value has {length}")
    return text


def shorten(text: str, limit: Limit, mark: str = "…") -> str:
    """The text, cut at a grapheme cluster so that it fits together with `mark`. For texts that people read, only."""
    if measure(text, limit.unit) <= limit.size:
        return text
    room = limit.size - measure(mark, limit.unit)
    if room < 0:
        room, mark = limit.size, ""
    kept = ""
    used = 0
    for cluster in regex.findall(r"\X", text):
        used += measure(cluster, limit.unit)
        if used > room:
            break
        kept += cluster
    return kept.rstrip() + mark
