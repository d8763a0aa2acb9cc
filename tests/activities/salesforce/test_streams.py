"""A feed over an org ends each pass, asks once for each page, and loses nothing to stamps that are alike or late."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.salesforce.feed import Stream, Streams

AT = datetime(2026, 11, 21, 10, 15, 30, tzinfo=UTC)
OVERLAP = timedelta(seconds=60)


class Org:
    """Rows by object; answers the questions of `Streams` the way the platform does."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, datetime]] = {"A": {}, "B": {}}
        self.calls = 0

    async def query_many(
        self, queries: Mapping[str, str], *, tried: str, deleted: bool = False
    ) -> dict[str, list[dict[str, Any]]]:
        self.calls += 1
        assert queries, "a call without a question"
        found = {}
        for name, soql in queries.items():
            limit = int(soql.rsplit(" ", 1)[1])
            known = sorted(self.rows[name].items(), key=lambda item: (item[1], item[0]))
            found[name] = [row_of(id_, at) for id_, at in known if self._is_asked(soql, id_, at)][:limit]
        return found

    @staticmethod
    def _is_asked(soql: str, id_: str, at: datetime) -> bool:
        where = soql.split(" WHERE ")[1]
        stamp = at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        if where.startswith("("):
            since, after = where.split("> ", 1)[1].split(" ", 1)[0], where.split("Id > '")[1].split("'")[0]
            return (stamp, id_) > (since, after)
        return stamp >= where.split(">= ")[1].split(" ")[0]


def row_of(id_: str, at: datetime) -> dict[str, Any]:
    return {"Id": id_, "Stamp": at.strftime("%Y-%m-%dT%H:%M:%S.000+0000"), "Key": id_}


def streams(org: Org, page: int = 2, overlap: timedelta = OVERLAP, now: list[float] | None = None) -> Streams:
    times = now if now is not None else [0.0]
    return Streams(
        org,  # type: ignore[arg-type]
        [Stream(name, name, "Stamp", "Key") for name in org.rows],
        name="feed",
        system="erp",
        start=None,
        overlap=overlap,
        page=page,
        clock=lambda: times[0],
    )


async def whole(feed: Streams, cursor: str | None) -> tuple[list[str], str]:
    found: list[str] = []
    for _ in range(50):
        values, cursor, more = await feed.follow(cursor)
        found += values
        if not more:
            return sorted(found), cursor
    raise AssertionError("the pass does not end")


async def test_a_pass_ends_though_every_stream_has_full_pages_of_overlap() -> None:
    org = Org()
    for name, count in (("A", 2), ("B", 3)):
        org.rows[name] = {f"{name}{n}": AT for n in range(count)}
    feed = streams(org)
    found, cursor = await whole(feed, None)
    assert found == ["A0", "A1", "B0", "B1", "B2"]
    assert (await whole(feed, cursor))[0] == found


async def test_a_row_is_left_out_when_it_was_passed_on_and_the_overlap_is_over() -> None:
    org, now = Org(), [0.0]
    org.rows["A"] = {"A0": AT}
    feed = streams(org, page=10, now=now)
    found, cursor = await whole(feed, None)
    for second, expected in ((30.0, ["A0"]), (59.0, ["A0"]), (61.0, []), (200.0, [])):
        now[0] = second
        found, cursor = await whole(feed, cursor)
        assert (second, found) == (second, expected)
    org.rows["A"]["A0"] = AT + timedelta(seconds=70)
    found, cursor = await whole(feed, cursor)
    assert found == ["A0"]


async def test_a_row_that_was_not_passed_on_comes_again_whatever_the_time() -> None:
    org, now = Org(), [0.0]
    feed = streams(org, page=10, now=now)
    _, cursor = await whole(feed, None)
    org.rows["A"] = {"A0": AT}
    for second in (0.0, 100.0, 1000.0):
        now[0] = second
        assert (await whole(feed, cursor))[0] == ["A0"]  # the same cursor: passing on failed
    assert (await whole(streams(org, page=10), cursor))[0] == ["A0"]  # another process


async def test_what_nothing_follows_is_not_read_page_by_page_for_ever() -> None:
    org, now = Org(), [0.0]
    org.rows["A"] = {f"A{n}": AT + timedelta(seconds=n) for n in range(9)}
    feed = streams(org, page=2, now=now)
    _, cursor = await whole(feed, None)
    calls = []
    for second in (10.0, 57.0, 67.0, 100.0):
        now[0] = second
        before = org.calls
        _, cursor = await whole(feed, cursor)
        calls.append(org.calls - before)
    assert calls == [5, 5, 3, 1]
    org.rows["A"]["A0"] = AT + timedelta(seconds=70)
    assert (await whole(feed, cursor))[0] == ["A0"]


async def test_a_change_under_an_old_stamp_is_found_for_as_long_as_the_overlap_reaches() -> None:
    org, now = Org(), [0.0]
    org.rows["A"] = {"A5": AT}
    feed = streams(org, page=10, now=now)
    _, cursor = await whole(feed, None)
    for second in (20.0, 40.0):
        now[0] = second
        _, cursor = await whole(feed, cursor)
    now[0] = 200.0  # the passes stood still: what was committed meanwhile has not been read
    org.rows["A"]["A1"] = AT - timedelta(seconds=15)
    assert "A1" in (await whole(feed, cursor))[0]


async def test_a_row_that_came_late_and_was_not_passed_on_comes_again_after_the_overlap() -> None:
    org, now = Org(), [0.0]
    org.rows["A"] = {"A5": AT}
    feed = streams(org, page=10, now=now)
    _, kept = await whole(feed, None)
    org.rows["A"]["A1"] = AT - timedelta(seconds=50)
    for second in (10.0, 200.0):
        now[0] = second
        assert "A1" in (await whole(feed, kept))[0]


async def test_a_row_committed_later_than_its_stamp_says_is_found() -> None:
    org = Org()
    org.rows["A"] = {"A5": AT}
    feed = streams(org, page=10)
    _, cursor = await whole(feed, None)
    org.rows["A"]["A1"] = AT - timedelta(seconds=50)
    assert "A1" in (await whole(feed, cursor))[0]


async def test_a_row_whose_stamp_moves_while_pages_are_read_comes_again() -> None:
    org = Org()
    org.rows["A"] = {f"A{n}": AT + timedelta(seconds=n) for n in range(5)}
    feed = streams(org, overlap=timedelta())
    values, cursor, more = await feed.follow(None)
    assert (values, more) == (["A0", "A1"], True)
    org.rows["A"]["A0"] = AT + timedelta(seconds=9)
    assert (await whole(feed, cursor))[0] == ["A0", "A2", "A3", "A4"]


async def test_a_stream_at_its_end_is_not_asked_while_others_go_on() -> None:
    org = Org()
    org.rows["B"] = {f"B{n}": AT + timedelta(seconds=n) for n in range(5)}
    feed = streams(org)
    _, cursor, more = await feed.follow(None)
    assert more
    assert [json.loads(cursor)[name][3] for name in org.rows] == [True, False]
    await whole(feed, cursor)
    assert org.calls == 3


async def test_a_cursor_of_an_earlier_version_is_understood() -> None:
    org = Org()
    org.rows["A"] = {"A0": AT}
    earlier = json.dumps({"A": [AT.isoformat(), "", AT.isoformat()]})
    assert (await whole(streams(org), earlier))[0] == ["A0"]
