"""Reading what the shop sends: ids and numbers as text or number, empty objects as `[]`, keys that are not there."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from commerce.money import Money, rounded


class Unmappable(ValueError):
    """An order that cannot be put into the shared language; the message says which part and why."""


def whole(value: Any) -> int | None:
    """An id or count that may come as 17 or "17"; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return None


def text(row: Mapping[str, Any], name: str) -> str:
    """A text, or a number as text; empty when it is absent."""
    value = row.get(name)
    if value is None or isinstance(value, (dict, list, bool)):
        return ""
    return str(value).strip()


def flag(row: Mapping[str, Any], name: str) -> bool:
    """A flag that may come as 1, "1" or true."""
    return row.get(name) in (1, "1", True, "true")


def number(row: Mapping[str, Any], name: str) -> Decimal:
    """A number from its JSON token; zero when it is absent. Raises Unmappable."""
    value = row.get(name)
    if value is None or value == "":
        return Decimal(0)
    if not isinstance(value, bool) and isinstance(value, (int, str, Decimal)):
        try:
            result = Decimal(value)
        except InvalidOperation:
            pass
        else:
            if result.is_finite():
                return result
    raise Unmappable(f"{name} is not a number")


def money(row: Mapping[str, Any], name: str, currency: str) -> Money:
    """An amount, rounded to the currency: the shop keeps four decimals and adds float noise. Raises Unmappable."""
    return rounded(number(row, name), currency)


def group(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object inside; empty when it is absent or comes as `[]`."""
    value = row.get(name)
    return value if isinstance(value, dict) else {}


def rows(row: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """A list of objects inside; empty when it is absent."""
    value = row.get(name)
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def moment(row: Mapping[str, Any], name: str) -> datetime:
    """A time stamp, which the shop writes in UTC without a zone. Raises Unmappable."""
    try:
        return datetime.strptime(text(row, name), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError as err:
        raise Unmappable(f"{name} is not a time like 2026-11-20 10:11:12") from err


def stamp(at: datetime) -> str:
    """A time as the shop writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def at_path(row: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """The object that holds the last name of a dotted path; empty when the way ends before."""
    for name in path.split(".")[:-1]:
        row = group(row, name)
    return row
