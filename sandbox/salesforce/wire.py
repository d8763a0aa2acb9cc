"""One call and its answer, free of HTTP machinery, so that composite requests can make calls of their own."""

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote

from sandbox.salesforce import values
from sandbox.salesforce.errors import SalesforceError, not_found

NEWEST, OLDEST = 68, 50
RELEASES = {64: "Summer '25", 65: "Winter '26", 66: "Spring '26", 67: "Summer '26", 68: "Winter '27"}
ROOT = "/services/data"

Headers = Mapping[str, str]


@dataclass(frozen=True)
class Call:
    """One call. `path` holds the decoded segments after the host; `version` is 0 outside `/services/data/vNN.0`."""

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Headers = field(default_factory=dict)
    content: bytes | None = None
    parsed: Any = None
    version: int = 0
    partial: Mapping[str, Any] = field(default_factory=dict)

    @property
    def root(self) -> str:
        """`/services/data/v68.0`, as the caller spelled the version."""
        return f"{ROOT}/v{self.version}.0"

    def json(self) -> Any:
        """The body; numbers are int or Decimal. Raises JSON_PARSER_ERROR or INVALID_TYPE of media the vendor's way."""
        if self.content is None:
            return self.parsed
        media = self.headers.get("content-type", "application/json").split(";")[0].strip().lower()
        if media != "application/json":
            raise SalesforceError(
                "UNSUPPORTED_MEDIA_TYPE", f"Content type '{media}' is not supported for this resource", status=415
            )
        try:
            return json.loads(self.content, parse_float=Decimal)
        except (ValueError, RecursionError) as err:
            raise SalesforceError("JSON_PARSER_ERROR", f"Unexpected content in the request body: {err}") from err

    def body(self) -> dict[str, Any]:
        """The body where an object is asked for."""
        value = self.json()
        if not isinstance(value, dict):
            raise SalesforceError("JSON_PARSER_ERROR", "The HTTP entity body is required to be a JSON object")
        return value

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() == "true"


@dataclass(frozen=True)
class Reply:
    """`body` None means no content; bytes are sent as they are, all else as JSON."""

    status: int
    body: Any = None
    headers: Headers = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return self.status >= 400 or self.status == 300

    def content(self) -> tuple[bytes, str]:
        if self.body is None:
            return b"", ""
        if isinstance(self.body, bytes):
            return self.body, "text/csv"
        return values.dumps(self.body), "application/json;charset=UTF-8"


def refused(err: SalesforceError) -> Reply:
    headers = {"www-authenticate": "Token"} if err.status == 401 else {}
    return Reply(err.status, [err.body()], headers)


def split(url: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Path segments (decoded after splitting, so that a key may hold a slash) and query of a relative address."""
    path, _, query = url.partition("?")
    segments = tuple(unquote(part) for part in path.split("/") if part)
    return segments, dict(parse_qsl(query, keep_blank_values=True))


def version_of(segment: str) -> int:
    """68 of `v68.0`; raises NOT_FOUND for what this org does not speak."""
    number = segment[1:].removesuffix(".0")
    if not segment.startswith("v") or not segment.endswith(".0") or not number.isdigit():
        raise not_found()
    if not OLDEST <= int(number) <= NEWEST:
        raise not_found()
    return int(number)


def versions() -> list[dict[str, str]]:
    return [
        {"label": RELEASES.get(n, f"v{n}"), "url": f"{ROOT}/v{n}.0", "version": f"{n}.0"}
        for n in range(OLDEST, NEWEST + 1)
    ]


def unzipped(content: bytes, encoding: str) -> bytes:
    if encoding.lower() != "gzip" or not content:
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as err:
        raise SalesforceError("JSON_PARSER_ERROR", f"The body is not gzip: {err}") from err
