"""Finding the HTTP API and asking it. Every refusal becomes a message that names the remedy."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx2

from cli.trouble import ATTENTION, WRONG_USE, Trouble, wrong_use

# Where `up` and `demo` leave their addresses while they run.
RUNNING = (Path("var/up"), Path("var/demo"))
START_IT = "start it with `starter.py up`, or name a running one with --api and --token"
# A portal waits this long for a payment link at most, and some more for a busy machine.
ANSWER_SECONDS = 150.0


@dataclass(frozen=True)
class Place:
    """Where the API is. `found_in` says how it is known."""

    url: str
    token: str
    found_in: str


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    retry_after: float | None = None

    @property
    def message(self) -> str:
        """The error's message, in one line."""
        error = self.body.get("error") if isinstance(self.body, dict) else None
        if not isinstance(error, dict):
            return f"the API answered {self.status}: {str(self.body)[:300]}"
        field, message = f"{error['field']}: " if error.get("field") else "", str(error.get("message", error))
        return message if message.startswith(field) else f"{field}{message}"

    @property
    def details(self) -> tuple[str, ...]:
        error = self.body.get("error") if isinstance(self.body, dict) else None
        found = error.get("details") if isinstance(error, dict) else None
        if isinstance(found, list):
            return tuple(line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in found)
        return (json.dumps(found, ensure_ascii=False),) if found else ()


def find_api(url: str | None, token: str | None, *, folders: tuple[Path, ...] = RUNNING) -> Place:
    """The API that was named, else that of a running `up` or `demo`. Raises Trouble when there is none."""
    if url:
        if not url.startswith(("http://", "https://")):
            raise wrong_use(f"--api: {url!r} is not an address; write it like http://127.0.0.1:8080")
        if not token:
            raise wrong_use("--token is missing: give the API's bearer token with --token or HOLDFAST_TOKEN")
        return Place(url.rstrip("/"), token, "--api")
    silent: list[str] = []
    for folder in folders:
        addresses = read_addresses(folder)
        if addresses is None:
            continue
        place = Place(addresses["api"], token or addresses["operator_token"], str(folder / "addresses.json"))
        if _answers(place.url):
            return place
        silent.append(f"nothing answers at {place.url} (named in {place.found_in})")
    raise Trouble("Holdfast is not running here", details=(*silent, START_IT))


def read_addresses(folder: Path) -> Mapping[str, Any] | None:
    """What a running stack left in its data folder; None when there is nothing."""
    try:
        found: Mapping[str, Any] = json.loads((folder / "addresses.json").read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as err:
        raise Trouble(f"{folder / 'addresses.json'} cannot be read: {err}", details=(START_IT,)) from None
    return found


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/healthz", timeout=3).status_code < 500
    except httpx2.HTTPError:
        return False


class Api:
    """The HTTP API with a token. Use as an async context manager."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._http = httpx2.AsyncClient(
            base_url=place.url,
            headers={"authorization": f"Bearer {place.token}", "accept": "application/json"},
            timeout=httpx2.Timeout(ANSWER_SECONDS, connect=5),
        )

    async def __aenter__(self) -> "Api":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def get(self, path: str, **query: str | int) -> Answer:
        return await self._ask("GET", path, query=query)

    async def post(self, path: str, body: Any) -> Answer:
        """`body`: JSON data, or a text that is JSON already."""
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        return await self._ask("POST", path, content=text)

    async def need(self, path: str, **query: str | int) -> Any:
        """The body of a good answer. Raises Trouble for every other."""
        return good(await self.get(path, **query))

    async def _ask(
        self, method: str, path: str, *, query: Mapping[str, str | int] | None = None, content: str | None = None
    ) -> Answer:
        headers = {"content-type": "application/json"} if content is not None else {}
        try:
            reply = await self._http.request(
                method, path, params=dict(query or {}), content=content and content.encode(), headers=headers
            )
        except httpx2.TransportError as err:
            raise Trouble(
                f"nothing answers at {self.place.url} (from {self.place.found_in}): {err or type(err).__name__}",
                details=(START_IT,),
            ) from None
        try:
            body = json.loads(reply.text, parse_float=Decimal) if reply.content else None
        except ValueError:
            body = reply.text
        return Answer(reply.status_code, body, _seconds(reply.headers.get("retry-after")))


def good(answer: Answer) -> Any:
    """The body of a good answer. Raises Trouble: 2 for a token that may not, 1 for the rest."""
    if answer.status < 300:
        return answer.body
    code = WRONG_USE if answer.status in (401, 403) else ATTENTION
    raise Trouble(answer.message, code, details=answer.details)


def order_path(key: str) -> str:
    """`store:number` as a path of the API."""
    store, _, number = key.partition(":")
    return f"/v1/orders/{quote(store, safe='')}/{quote(number, safe='')}"


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdecimal() else None
