"""What each answer of JustOn's hosted payment service means for the caller: one table, the last row parks.

The public pages name no status codes; the rows follow the proposal in section 1.3 of JustOn's facts, and HTTP itself.
Every request to this service is a write: whatever may have been carried out is looked up by its key first.
"""

import re
from typing import Any, NamedTuple

import httpx2

from activities.http import retry_after
from activities.juston.settings import WireNames
from commerce.failures import Family, SystemFailure


class Row(NamedTuple):
    """`readable`: does the row ask for a body that is the vendor's (True), is not (False), or either (None)?"""

    statuses: range
    readable: bool | None
    family: Family | None  # None: the answer is a success
    do_next: str
    wait_seconds: int | None = None


def _only(status: int) -> range:
    return range(status, status + 1)


_BY_ITSELF = "nothing: it is repeated by itself"
_LOOKS_AGAIN = "nothing: the entry is looked up by its assignment key before anything else"

RESPONSES: tuple[Row, ...] = (
    Row(range(200, 202), True, None, ""),
    Row(range(200, 300), None, Family.OUTCOME_UNKNOWN, _LOOKS_AGAIN),
    Row(_only(400), True, Family.REJECTED, "correct the value named and decide 'correct'"),
    Row(_only(401), None, Family.NEEDS_PERSON, "check api_token of this system, then decide 'retry'"),
    Row(_only(403), None, Family.NEEDS_PERSON, "check that api_token belongs to this tenant, then decide 'retry'"),
    Row(_only(404), None, Family.NEEDS_PERSON, "check tenant and hosted_path of this system, then decide 'retry'"),
    Row(_only(408), None, Family.OUTCOME_UNKNOWN, _LOOKS_AGAIN),
    Row(_only(409), None, Family.ALREADY_DONE, _LOOKS_AGAIN),
    Row(_only(413), None, Family.REJECTED, "set send_order_data = false, or shorten the order, then decide 'retry'"),
    Row(_only(422), True, Family.REJECTED, "correct the value named and decide 'correct'"),
    Row(_only(429), None, Family.TRANSIENT, _BY_ITSELF, wait_seconds=30),
    Row(range(500, 600), None, Family.OUTCOME_UNKNOWN, _LOOKS_AGAIN),
    Row(range(100, 600), None, Family.NEEDS_PERSON, "read the answer, mend the cause in JustOn, then decide 'retry'"),
)


def row_for(status: int, *, readable: bool) -> Row:
    """The first row that fits; the last row fits everything."""
    for row in RESPONSES:
        if status in row.statuses and row.readable in (None, readable):
            return row
    raise LookupError(f"the table has no row for status {status}")


def failure_of(
    response: httpx2.Response, body: Any, names: WireNames, *, system: str, tried: str, id_header: str
) -> SystemFailure | None:
    """The failure that an answer means, or None for a success. `body` is None for one that is not a JSON object."""
    row = row_for(response.status_code, readable=body is not None)
    if row.family is None:
        return None
    code = str(body.get(names.error) or "") if body is not None else ""
    text = str(body.get(names.message) or "") if body is not None else "a body that is not JustOn's"
    hint = retry_after(response)
    return SystemFailure(
        row.family,
        tried,
        withheld(" ".join(part for part in (str(response.status_code), code + ":" if code else "", text) if part)),
        system=system,
        code=code or str(response.status_code),
        request_id=response.headers.get(id_header, ""),
        retry_after=row.wait_seconds if hint is None else hint,
        do_next=row.do_next,
    )


def withheld(message: str) -> str:
    """The vendor's message without addresses of people that it may repeat."""
    return re.sub(r"[^\s@,;:'\"<>()]+@[^\s@,;:'\"<>()]+", "(address withheld)", message)[:500]
