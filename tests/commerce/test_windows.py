"""A system is written to exactly when the clock on its wall is inside a window, also when clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce.windows import DAYS, Opening, Window, opening, read_window

BERLIN = "Europe/Berlin"
ZONES = (BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
MINUTES = st.integers(0, 24 * 60 - 1)


def at(text: str, zone: str = BERLIN, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def stands(*windows: str, now: datetime, zone: str = BERLIN) -> Opening:
    return opening([read_window(text) for text in windows], zone, now)


NIGHTS = ("Mon-Fri 20:00-06:00",)
CASES = [
    ("2026-11-23T19:59", False, "2026-11-23T20:00"),
    ("2026-11-23T20:00", True, "2026-11-24T06:00"),
    ("2026-11-24T05:59", True, "2026-11-24T06:00"),
    ("2026-11-24T06:00", False, "2026-11-24T20:00"),
    ("2026-11-28T05:00", True, "2026-11-28T06:00"),  # Friday's night ends on Saturday
    ("2026-11-28T21:00", False, "2026-11-30T20:00"),  # no window begins on Saturday
]


@pytest.mark.parametrize(("now", "open", "until"), CASES)
def test_a_night_window_belongs_to_the_day_on_which_it_begins(now: str, open: bool, until: str) -> None:
    assert stands(*NIGHTS, now=at(now)) == Opening(open=open, until=at(until))


def test_windows_that_touch_or_overlap_are_one() -> None:
    assert stands("daily 20:00-23:00", "daily 22:00-24:00", now=at("2026-11-23T21:00")).until == at("2026-11-24T00:00")
    assert stands("Sat 00:00-24:00", "Sun 00:00-24:00", now=at("2026-11-28T12:00")).until == at("2026-11-30T00:00")
    assert stands("Fri-Mon 12:00-13:00", now=at("2026-11-24T12:30")).until == at("2026-11-27T12:00")


def test_no_window_and_windows_around_the_clock_never_close() -> None:
    assert stands(now=at("2026-11-23T21:00")) == Opening(open=True, until=None)
    assert stands("daily 00:00-24:00", now=at("2026-11-23T21:00")) == Opening(open=True, until=None)


def test_the_night_in_which_clocks_go_forward_is_an_hour_shorter_and_back_an_hour_longer() -> None:
    spring = stands("daily 20:00-06:00", now=at("2026-03-28T20:00"))
    assert spring.until is not None
    assert spring.until - at("2026-03-28T20:00") == timedelta(hours=9)
    autumn = stands("daily 20:00-06:00", now=at("2026-10-24T20:00"))
    assert autumn.until is not None
    assert autumn.until - at("2026-10-24T20:00") == timedelta(hours=11)


def test_a_time_that_does_not_exist_is_the_moment_of_the_change_and_one_that_comes_twice_is_wholly_inside() -> None:
    change = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert stands("daily 02:30-05:00", now=at("2026-03-29T01:59")) == Opening(open=False, until=change)
    assert stands("daily 00:00-02:30", now=at("2026-03-29T01:00")).until == change
    assert stands("daily 02:10-02:50", now=change - timedelta(minutes=1)).until == at("2026-03-30T02:10")
    twice = stands("daily 01:00-02:30", now=at("2026-10-25T02:10"))
    assert twice == Opening(open=True, until=at("2026-10-25T02:30", fold=1))


@st.composite
def windows(draw: st.DrawFn) -> Window:
    start = draw(MINUTES)
    end = start + draw(st.integers(1, 24 * 60))
    return Window(draw(st.frozensets(st.integers(0, 6), min_size=1)), start, end)


def on_the_wall(window: Window, zone: str, now: datetime) -> bool:
    """The same promise said another way: what does the clock on the wall show, and is that inside?"""
    local = now.astimezone(ZoneInfo(zone))
    minute = local.hour * 60 + local.minute
    return (local.weekday() in window.days and window.start <= minute < window.end) or (
        (local.weekday() - 1) % 7 in window.days and minute < window.end - 24 * 60
    )


MOMENTS = st.integers(0, 2 * 365 * 24 * 60).map(lambda m: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=m))
CHANGES = st.sampled_from(["2026-03-29T01:00", "2026-10-25T01:00", "2026-03-08T07:00", "2026-11-01T06:00"])
NEAR_CHANGES = st.builds(
    lambda change, minutes: datetime.fromisoformat(change).replace(tzinfo=UTC) + timedelta(minutes=minutes),
    CHANGES,
    st.integers(-300, 300),
)


@given(st.lists(windows(), min_size=1, max_size=3), st.sampled_from(ZONES), MOMENTS | NEAR_CHANGES)
def test_it_is_open_when_the_wall_clock_says_so_and_the_next_change_is_a_change(
    given: list[Window], zone: str, now: datetime
) -> None:
    found = opening(given, zone, now)
    if not _clocks_change_near(zone, now):  # in that night the rule on top of the module decides, see above
        assert found.open == any(on_the_wall(window, zone, now) for window in given)
    if found.until is None:
        return
    assert found.until > now
    changed = opening(given, zone, found.until)
    assert changed.open != found.open
    halfway = now + (found.until - now) / 2
    assert opening(given, zone, halfway) == found
    assert opening(given, zone, found.until - timedelta(seconds=1)) == found


def _clocks_change_near(zone: str, now: datetime) -> bool:
    offsets = {(now + timedelta(hours=h)).astimezone(ZoneInfo(zone)).utcoffset() for h in (-3, 0, 3)}
    return len(offsets) > 1


@given(st.lists(st.sampled_from(DAYS), min_size=1, unique=True), MINUTES, MINUTES, st.sampled_from((",", " , ")))
def test_what_is_written_is_what_is_read(days: list[str], start: int, end: int, comma: str) -> None:
    window = read_window(f"{comma.join(days)} {start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}")
    assert window == Window(frozenset(DAYS.index(day) for day in days), start, end if end > start else end + 24 * 60)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nights", "write it as"),
        ("Mon-Fri 20-06", "write it as"),
        ("Mon-Fri 20:00", "write it as"),
        ("Mon-Fry 20:00-06:00", "no weekday"),
        ("Mon 24:30-06:00", "no time of the day"),
        ("Mon 20:61-06:00", "no time of the day"),
        ("Mon 24:00-06:00", "begins before 24:00"),
    ],
)
def test_what_cannot_be_read_says_how_to_write_it(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_window(text)
