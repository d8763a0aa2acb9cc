"""How the command line writes times, ages and money."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from cli.trouble import wrong_use
from commerce.money import Money, by_currency


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def age(since: str, now: datetime | None = None) -> str:
    """`8 s`, `12 min`, `3 h 20 min`, `4 d 2 h`."""
    seconds = max(int(((now or datetime.now(UTC)) - moment(since)).total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def money(value: Any) -> str:
    """An amount of the API, or nothing."""
    return str(Money.model_validate(value)) if value else ""


def sums(amounts: Iterable[Any]) -> str:
    """Amounts of the API added up by currency."""
    return ", ".join(str(amount) for amount in by_currency(Money.model_validate(value) for value in amounts if value))


def seconds_of(text: str, option: str) -> int:
    """`90s`, `30m`, `2h` or `3d` in seconds. Raises Trouble 2 for anything else."""
    found = re.fullmatch(r"\s*([0-9]{1,6})\s*(s|m|min|h|d)\s*", text)
    if found is None:
        raise wrong_use(f"{option} {text!r} is not a time span; write it as 30m, 2h or 3d")
    return int(found[1]) * {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}[found[2]]
