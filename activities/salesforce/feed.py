"""What changed in an org, by `SystemModstamp`, because it moves on every change.

A pass starts an overlap before the last stamp seen, for rows that were committed later than their stamp says, and goes
through the rows by stamp and id, so that a restart in the middle loses nothing and a row whose stamp moves while pages
are read comes again. What was seen before comes again too: who reads a feed tells states apart by a digest.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from activities.salesforce.client import SalesforceClient, quote
from commerce.failures import Family, SystemFailure

# The platform is younger than its first records can be.
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_PAGES = "pages"


@dataclass(frozen=True)
class Place:
    """Where a stream goes on: rows from `at`, after `id` where the pass is under way; `seen` is the latest stamp.

    `done`: this stream is at the end of the pass and waits for the others. If it began anew at once, two streams with a
    full page of overlap could keep one pass going for ever.
    """

    at: datetime
    id: str
    seen: datetime
    done: bool = False

    def after(self, last: tuple[datetime, str] | None, *, more: bool, overlap: timedelta) -> "Place":
        """The place behind a page whose last row is `last` (stamp and id); `more`: the pass is not at its end."""
        seen = max(self.seen, last[0]) if last is not None else self.seen
        if more and last is not None:
            return Place(last[0], last[1], seen)
        return Place(max(seen - overlap, BEGINNING), "", seen, done=True)


@dataclass(frozen=True)
class Stream:
    """One query that is followed: rows of `sobject` in the order of `stamp`. `column` names the record that changed."""

    name: str
    sobject: str
    stamp: str
    column: str
    where: str = ""

    def soql(self, place: Place, limit: int) -> str:
        at = literal(place.at)
        since = f"{self.stamp} >= {at}"
        if place.id:
            since = f"({self.stamp} > {at} OR ({self.stamp} = {at} AND Id > {quote(place.id)}))"
        columns = ",".join(dict.fromkeys(("Id", self.stamp, self.column)))
        also = f" AND {self.where}" if self.where else ""
        return (
            f"SELECT {columns} FROM {self.sobject} WHERE {since}{also} ORDER BY {self.stamp} ASC, Id ASC LIMIT {limit}"
        )


class _Row(NamedTuple):
    """A row as it was seen."""

    stream: str
    id: str
    stamp: datetime


class Streams:
    """Follows up to five streams with one cursor, a JSON text of places by stream name: one call for each page. The
    cursor counts the pages that had something to pass on, so that it comes back only when that was done.

    `start` is where a feed begins that has no cursor; with `deleted`, rows that went to the recycle bin count as
    changed. While nothing changes, the rows of the overlap come again with each pass. A row is left out once it was
    passed on (its page's cursor came back) and stayed the same for as long as the overlap reaches: until then another
    change may still be committed under the same stamp. What the overlap still reaches shrinks meanwhile: a whole page
    of rows, such as a bulk update leaves, is not read again with every pass for as long as nothing else changes.
    """

    def __init__(
        self,
        client: SalesforceClient,
        streams: Sequence[Stream],
        *,
        name: str,
        system: str,
        start: datetime | None,
        overlap: timedelta,
        page: int,
        deleted: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._streams = streams
        self._name = name
        self._system = system
        self._start = start or BEGINNING
        self._overlap = overlap
        self._page = page
        self._deleted = deleted
        self._clock = clock
        self._passed_on: dict[_Row, float] = {}  # when each was seen first
        self._on_its_way: dict[_Row, float] = {}
        self._latest: dict[str, tuple[datetime, float]] = {}  # by stream: the latest stamp, and when it was seen first
        self._began = self._began_before = 0.0  # the pass that is under way, and the one before it
        self._written = ""

    async def follow(self, cursor: str | None) -> tuple[list[str], str, bool]:
        """Distinct values of the streams' columns, the cursor behind them, and whether a pass goes on."""
        places, pages = self._places(cursor)
        now = self._clock()
        if cursor == self._written:
            self._passed_on |= self._on_its_way
        else:
            self._passed_on, self._latest = {}, {}
        self._on_its_way = {}
        if not any(place.id or place.done for place in places.values()):
            self._began_before, self._began = self._began, now
            places = {name: replace(place, at=self._since(name, place)) for name, place in places.items()}
        going = [stream for stream in self._streams if not places[stream.name].done]
        queries = {stream.name: stream.soql(places[stream.name], self._page) for stream in going}
        found = await self._client.query_many(
            queries, tried=f"read what changed in {', '.join(queries)}", deleted=self._deleted
        )
        values: dict[str, None] = {}
        for stream in going:
            rows = found[stream.name]
            for row in rows:
                seen = _Row(stream.name, str(row["Id"]), stamp_of(at_path(row, stream.stamp)))
                changed = at_path(row, stream.column)
                first = self._passed_on.get(seen)
                if changed and (first is None or now - first < self._overlap.total_seconds()):
                    values[str(changed)] = None
                self._on_its_way[seen] = now if first is None else first
            last = (stamp_of(at_path(rows[-1], stream.stamp)), str(rows[-1]["Id"])) if rows else None
            more = len(rows) >= self._page
            places[stream.name] = place = places[stream.name].after(last, more=more, overlap=self._overlap)
            if self._latest.get(stream.name, (BEGINNING, 0.0))[0] != place.seen:
                self._latest[stream.name] = (place.seen, self._clock())
        going_on = not all(place.done for place in places.values())
        if not going_on:
            places = {name: replace(place, done=False) for name, place in places.items()}
            self._passed_on = {row: at for row, at in self._passed_on.items() if row.stamp >= places[row.stream].at}
        self._written = _written(places, pages + bool(values))
        return list(values), self._written, going_on

    def _since(self, name: str, place: Place) -> datetime:
        """Where a pass begins. The org's clock had reached the latest stamp when that was seen: by the pass before this
        one, all that is older than the overlap then was committed, and read.
        """
        latest, seen_at = self._latest.get(name, (BEGINNING, 0.0))
        if latest != place.seen:
            return place.at
        reached = place.seen - self._overlap + timedelta(seconds=max(0.0, self._began_before - seen_at))
        return max(place.at, min(place.seen, reached))

    def _places(self, cursor: str | None) -> tuple[dict[str, Place], int]:
        """Where each stream goes on, and how many pages with something to pass on lie behind."""
        places = {stream.name: Place(self._start, "", self._start) for stream in self._streams}
        if cursor is None:
            return places, 0
        try:
            data = json.loads(cursor)
            for name in places:
                if name in data:
                    at, last, seen, *done = data[name]
                    places[name] = Place(
                        datetime.fromisoformat(at), str(last), datetime.fromisoformat(seen), done == [True]
                    )
            return places, int(data.get(_PAGES, 0))  # an earlier version did not count them
        except (ValueError, TypeError, AttributeError) as err:
            raise SystemFailure(
                Family.BUG,
                f"go on with the feed {self._name}",
                f"the cursor is not one of this feed: {cursor[:80]!r}",
                system=self._system,
                do_next="remove the feed's cursor from the ledger; it starts again from changes_since",
            ) from err


def literal(at: datetime) -> str:
    """A time as SOQL writes it, in UTC with milliseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def stamp_of(text: Any) -> datetime:
    """`2026-11-21T10:15:30.000+0000` as an aware time in UTC. Raises ValueError."""
    return datetime.fromisoformat(str(text)).astimezone(UTC)


def at_path(row: Any, path: str) -> Any:
    """A field of a row, also of a record that it looks up to (`ON_Invoice__r.Name`); None where there is none."""
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def digest_of(values: Iterable[Any]) -> str:
    """Equal for equal values: numbers of one value may come with a different number of zeros."""
    plain = [format(value.normalize(), "f") if hasattr(value, "normalize") else value for value in values]
    return hashlib.sha256(json.dumps(plain, ensure_ascii=False).encode()).hexdigest()[:32]


def _written(places: dict[str, Place], pages: int) -> str:
    kept = {name: [p.at.isoformat(), p.id, p.seen.isoformat(), p.done] for name, p in places.items()}
    return json.dumps({**kept, _PAGES: pages})
