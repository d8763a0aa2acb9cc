"""When a system takes writes: weekly windows in its own time zone, such as `Mon-Fri 20:00-06:00`. Pure rules.

A window is written in local clock time and means what the clock on the wall shows: in the night in which clocks go
forward it is an hour shorter, in the night in which they go back an hour longer. A clock time that does not exist in
that night is the moment of the change; one that comes twice begins at the first and ends at the second.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from commerce.model import Model, UtcDatetime

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FORM = re.compile(r"(?P<days>[A-Za-z,\s-]+?)\s+(?P<start>\d{2}:\d{2})\s*-\s*(?P<end>\d{2}:\d{2})")
# Two weeks hold every weekly opening and closing at least once on either side of now.
_AHEAD = range(-8, 16)


class Window(NamedTuple):
    """Weekdays (0 is Monday) and local minutes of the day. `end` not after `start` is on the next day."""

    days: frozenset[int]
    start: int
    end: int


class Opening(Model):
    """Whether the system takes writes, and until when that stays so; None: for ever."""

    open: bool = True
    until: UtcDatetime | None = None


def read_window(text: str) -> Window:
    """Reads `Mon-Fri 20:00-06:00`, `Sat,Sun 00:00-24:00` or `daily 22:00-04:00`. Raises ValueError saying the form."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no window; write it as 'Mon-Fri 20:00-06:00' or 'daily 22:00-04:00'")
    start, end = _minutes(found["start"], text), _minutes(found["end"], text)
    if start == 24 * 60:
        raise ValueError(f"{text!r}: a window begins before 24:00")
    return Window(_days(found["days"], text), start, end if end > start else end + 24 * 60)


def opening(windows: Sequence[Window], zone: str, now: datetime) -> Opening:
    """How it stands at `now`. No windows: always open."""
    if not windows:
        return Opening()
    spans = _joined(windows, ZoneInfo(zone), now.astimezone(UTC))
    for begin, end in spans:
        if begin <= now < end:
            # Windows that touch all week long never close.
            return Opening(until=end if end < now + timedelta(days=8) else None)
        if now < begin:
            return Opening(open=False, until=begin)
    return Opening(open=False)


def _joined(windows: Sequence[Window], zone: ZoneInfo, now: datetime) -> list[tuple[datetime, datetime]]:
    """The spans around now, in order, with those that touch made one."""
    today = now.astimezone(zone).date()
    spans: list[tuple[datetime, datetime]] = []
    for offset in _AHEAD:
        day = today + timedelta(days=offset)
        for window in windows:
            if day.weekday() in window.days:
                begin, end = _moment(day, window.start, zone, fold=0), _moment(day, window.end, zone, fold=1)
                if begin < end:  # an hour that does not exist on this day opens nothing
                    spans.append((begin, end))
    joined: list[tuple[datetime, datetime]] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def _moment(day: date, minutes: int, zone: ZoneInfo, *, fold: int) -> datetime:
    """The instant at which the clock on the wall shows so many minutes of that day, or passes them."""
    days, rest = divmod(minutes, 24 * 60)
    local = datetime.combine(day + timedelta(days=days), time(rest // 60, rest % 60), zone)
    before, after = (local.replace(fold=f).astimezone(UTC) for f in (0, 1))
    if before <= after:  # an ordinary time (equal), or one that comes twice
        return after if fold else before
    # The time is skipped: both readings bracket the change. Find it to the minute.
    low, high = after, before
    shown = low.astimezone(zone).utcoffset()
    while high - low > timedelta(minutes=1):
        middle = low + ((high - low) // 2 // timedelta(minutes=1)) * timedelta(minutes=1)
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == shown else (low, middle)
    return high


def _minutes(text: str, window: str) -> int:
    hours, minutes = (int(part) for part in text.split(":"))
    total = hours * 60 + minutes
    if minutes > 59 or total > 24 * 60:
        raise ValueError(f"{window!r}: {text} is no time of the day")
    return total


def _days(text: str, window: str) -> frozenset[int]:
    if text.strip().lower() in ("daily", "every day"):
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = (name.strip().capitalize() for name in part.partition("-"))
        if first not in DAYS or (last and last not in DAYS):
            raise ValueError(f"{window!r}: {part.strip()!r} is no weekday; allowed: {', '.join(DAYS)}, daily")
        start, end = DAYS.index(first), DAYS.index(last or first)
        found |= {(start + i) % 7 for i in range((end - start) % 7 + 1)}
    return frozenset(found)
