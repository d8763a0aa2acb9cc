"""How the command line writes times, ages and money."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from commerce.money import Money


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
    by_currency: dict[str, Money] = {}
    for value in amounts:
        if value:
            amount = Money.model_validate(value)
            by_currency[amount.currency] = by_currency.get(amount.currency, Money.zero(amount.currency)) + amount
    return ", ".join(str(amount) for _, amount in sorted(by_currency.items()))
