"""Which records of an org were made or changed in a period: several queries, one after the other, paged by id."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from activities.reconcile import KeyPage, Period
from activities.salesforce.client import SalesforceClient, quote
from commerce.failures import Family, SystemFailure

PAGE = 500


@dataclass(frozen=True)
class Changed:
    """Rows of `sobject` by the time stamps of `of` (a relation with its dot; empty: its own), and who owns them.

    `keys` gives the order keys of a row, as far as it tells.
    """

    sobject: str
    columns: tuple[str, ...]
    keys: Callable[[Mapping[str, Any]], Iterable[str]]
    of: str = ""
    where: str = ""

    def soql(self, period: Period, after: str) -> str:
        """What was changed before the end, or made before it and changed since: a later change hides neither."""
        stamp, made = f"{self.of}SystemModstamp", f"{self.of}CreatedDate"
        since, until = literal(period.since), literal(period.until)
        conditions = [f"{stamp} >= {since}", f"{made} < {until}", f"({stamp} < {until} OR {made} >= {since})"]
        conditions += [self.where] if self.where else []
        conditions += [f"Id > {quote(after)}"] if after else []
        columns = ",".join(dict.fromkeys(("Id", *self.columns)))
        return f"SELECT {columns} FROM {self.sobject} WHERE {' AND '.join(conditions)} ORDER BY Id ASC LIMIT {PAGE}"


async def page_of(
    client: SalesforceClient, streams: Sequence[Changed], period: Period, cursor: str, *, tried: str
) -> KeyPage:
    """One page of keys; the streams follow each other. Raises SystemFailure."""
    number, after = _read(cursor)
    if number >= len(streams):
        return KeyPage(keys=())
    stream = streams[number]
    rows = await client.query(stream.soql(period, after), tried=tried)
    keys = dict.fromkeys(key for row in rows for key in stream.keys(row) if key)
    if len(rows) >= PAGE:
        return KeyPage(keys=tuple(keys), cursor=json.dumps([number, str(rows[-1]["Id"])]))
    more = number + 1 < len(streams)
    return KeyPage(keys=tuple(keys), cursor=json.dumps([number + 1, ""]) if more else "")


def _read(cursor: str) -> tuple[int, str]:
    if not cursor:
        return 0, ""
    try:
        number, after = json.loads(cursor)
        return int(number), str(after)
    except (ValueError, TypeError) as err:
        raise SystemFailure(
            Family.BUG, "go on with a comparison", f"{cursor[:80]!r} is no cursor of it", do_next="report this"
        ) from err


def literal(at: datetime) -> str:
    """A time as SOQL writes it, in UTC with milliseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def at_path(row: Mapping[str, Any], path: str) -> Any:
    """A field of a row, also of a record that it looks up to (`ON_Invoice__r.Name`); None where there is none."""
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def moment(text: Any) -> datetime:
    """`2026-11-21T10:15:30.000+0000` as an aware time in UTC."""
    return datetime.fromisoformat(str(text)).astimezone(UTC)


def number_of(key: str) -> str:
    """The order number in an order key."""
    return key.partition(":")[2]
