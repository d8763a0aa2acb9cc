"""What the shop's answers mean: one table, first match wins, and what it does not name parks.

Messages are translated into the shop's language, so that status and shape decide. The one exception is a database
deadlock that surfaces as a 400: it is known by its English text, in the template or its parameters, and parks in any
other language.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import httpx2

from activities.http import read_json, retry_after
from commerce.failures import Family, SystemFailure

LONGEST_MESSAGE = 500
_REPORT_ID = re.compile(r"\bwebapi-[0-9A-Za-z]+")
_ADDRESS = re.compile(r"[^\s\"'<>:;,()]+@[^\s\"'<>:;,()]+")
_PLACEHOLDER = re.compile(r"%(\d+|[A-Za-z_][A-Za-z0-9_]*)")


class Shape(StrEnum):
    """What kind of body came."""

    ERROR = "error"  # {"message", "parameters"?, "errors"?}
    FATAL = "fatal"  # {"messages": {"error": [{"code", "message"}]}}
    DATA = "data"  # any other JSON
    HTML = "html"  # a proxy's, PHP's or the maintenance page
    ODD = "odd"  # neither


@dataclass(frozen=True)
class Reply:
    """An answer, read. `template` is the message as it came, `message` the same with its parameters filled in."""

    status: int
    shape: Shape
    data: Any = None
    template: str = ""
    message: str = ""
    parameters: Any = None
    request_id: str = ""
    retry_after: int | None = None


@dataclass(frozen=True)
class Row:
    """One line of the table. `writes` None: reads and writes alike; empty `shapes`: any body."""

    name: str
    statuses: range | tuple[int, ...]
    family: Family
    do_next: str
    shapes: tuple[Shape, ...] = ()
    writes: bool | None = None
    says: re.Pattern[str] | None = field(default=None)

    def fits(self, reply: Reply, *, writes: bool) -> bool:
        return (
            reply.status in self.statuses
            and (not self.shapes or reply.shape in self.shapes)
            and self.writes in (None, writes)
            and (self.says is None or bool(self.says.search(f"{reply.template}\n{reply.message}")))
        )


BY_ITSELF = "nothing: it goes on by itself"
LOOK_FIRST = "nothing: it is looked up by its key before it is tried again"
IN_THE_SHOP = "look at the order in the shop's administration, put it right there, then decide 'retry'"
ASK_HOST = "ask whoever runs the shop's web server; then decide 'retry'"

_DEADLOCK = re.compile(r"deadlock found when trying to get lock|lock wait timeout exceeded", re.IGNORECASE)
_DB_GONE = re.compile(r"database connection error", re.IGNORECASE)

TABLE: tuple[Row, ...] = (
    Row("deadlock", (400, 500), Family.TRANSIENT, BY_ITSELF, (Shape.ERROR,), None, _DEADLOCK),
    Row("database gone, reading", (400,), Family.TRANSIENT, BY_ITSELF, (Shape.ERROR,), False, _DB_GONE),
    Row("database gone, writing", (400,), Family.OUTCOME_UNKNOWN, LOOK_FIRST, (Shape.ERROR,), True, _DB_GONE),
    Row("refused", (400,), Family.REJECTED, IN_THE_SHOP, (Shape.ERROR, Shape.FATAL)),
    Row(
        "not authorized",
        (401,),
        Family.NEEDS_PERSON,
        "check that the integration or user is active, its credentials are right and it may use the named resources; "
        "then decide 'retry'",
    ),
    Row(
        "blocked before the shop",
        (403,),
        Family.NEEDS_PERSON,
        "ask for our address to be let through the shop's firewall or CDN, then decide 'retry'",
    ),
    Row(
        "not there",
        (404,),
        Family.NEEDS_PERSON,
        "check that the document still exists in the shop and that the address of the shop is right",
        (Shape.ERROR, Shape.FATAL),
    ),
    Row("no shop at this address", (404,), Family.NEEDS_PERSON, "check the address configured for the shop"),
    Row("slow request, reading", (408,), Family.TRANSIENT, BY_ITSELF, (), False),
    Row("slow request, writing", (408,), Family.OUTCOME_UNKNOWN, LOOK_FIRST, (), True),
    Row("too large", (413, 414), Family.REJECTED, ASK_HOST),
    Row("too many requests", (429,), Family.TRANSIENT, BY_ITSELF),
    Row("moved", (301, 302, 303, 307, 308), Family.NEEDS_PERSON, "configure the address that the shop redirects to"),
    # A time-out of the proxy and the maintenance page look alike, and behind the first PHP may still commit.
    Row("trouble, reading", range(500, 600), Family.TRANSIENT, BY_ITSELF, (), False),
    Row("trouble, writing", range(500, 600), Family.OUTCOME_UNKNOWN, LOOK_FIRST, (), True),
    Row("garbled, reading", range(200, 300), Family.TRANSIENT, BY_ITSELF, (), False),
    Row("garbled, writing", range(200, 300), Family.OUTCOME_UNKNOWN, LOOK_FIRST, (), True),
)
UNFORESEEN = Row("unforeseen", (), Family.NEEDS_PERSON, "report this answer, then decide 'retry'")


def row_for(reply: Reply, *, writes: bool) -> Row:
    """The line of the table that fits, else the one that parks."""
    return next((row for row in TABLE if row.fits(reply, writes=writes)), UNFORESEEN)


def read(response: httpx2.Response) -> Reply:
    """An answer in one of the shapes the shop has. Never raises: what cannot be read is ODD."""
    status, wait = response.status_code, retry_after(response)
    request_id = response.headers.get("x-request-id", "")[:100]
    try:
        data = read_json(response)
    except ValueError:
        is_html = "html" in response.headers.get("content-type", "") or response.content.lstrip()[:1] == b"<"
        shape = Shape.HTML if is_html else Shape.ODD
        return Reply(
            status, shape, message=f"a body that is not JSON ({shape})", request_id=request_id, retry_after=wait
        )
    template, parameters, shape = _message(data)
    message = _fill(template, parameters)
    if isinstance(data, dict) and isinstance(data.get("errors"), list):
        parts = [_fill(*_message(error)[:2]) for error in data["errors"] if isinstance(error, dict)]
        message = "; ".join([message, *parts]) if message else "; ".join(parts)
    found = _REPORT_ID.search(message)
    return Reply(
        status,
        shape,
        data,
        template=template,
        message=message,
        parameters=parameters,
        request_id=found.group() if found else request_id,
        retry_after=wait,
    )


def failure(reply: Reply, *, writes: bool, system: str, tried: str) -> SystemFailure:
    """The failure that an answer is, by the table."""
    row = row_for(reply, writes=writes)
    said = clean(reply.message) or "no message"
    return SystemFailure(
        row.family,
        tried,
        f"HTTP {reply.status} ({row.name}): {said}",
        system=system,
        code=str(reply.status) if reply.shape is Shape.ERROR else f"{reply.status} {reply.shape}",
        request_id=reply.request_id,
        retry_after=reply.retry_after if row.family in (Family.TRANSIENT, Family.OUTCOME_UNKNOWN) else None,
        do_next=row.do_next,
    )


def clean(text: str) -> str:
    """A vendor's text without e-mail addresses, on one line, of bounded length."""
    text = _ADDRESS.sub("(e-mail address)", " ".join(text.split()))
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"


def _message(data: Any) -> tuple[str, Any, Shape]:
    """Template, parameters and shape of a body."""
    if isinstance(data, dict):
        if isinstance(data.get("message"), str):
            return data["message"], data.get("parameters"), Shape.ERROR
        fatal = data["messages"].get("error") if isinstance(data.get("messages"), dict) else None
        if isinstance(fatal, list):
            texts = [str(row["message"]) for row in fatal if isinstance(row, dict) and "message" in row]
            return "; ".join(texts), None, Shape.FATAL
    return "", None, Shape.DATA


def _fill(template: str, parameters: Any) -> str:
    """The template with `%1` or `%name` replaced; a list counts from 1, an object goes by name."""
    if isinstance(parameters, list):
        values = {str(i): value for i, value in enumerate(parameters, start=1)}
    elif isinstance(parameters, dict):
        values = {str(name): value for name, value in parameters.items()}
    else:
        return template

    def value(match: re.Match[str]) -> str:
        return str(values.get(match.group(1), match.group()))

    return _PLACEHOLDER.sub(value, template)
