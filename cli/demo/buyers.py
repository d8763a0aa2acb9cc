"""Buyers at the payment page: they open the link, fill in the form and press its button, as a browser would."""

import asyncio
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx2

from cli.trouble import Trouble

PATIENCE_SECONDS = 90.0
LOOK_AGAIN_SECONDS = 0.5


@dataclass
class Form:
    """The first form of a page: where it goes, what is filled in, and the values of its buttons by name."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.form: Form | None = None
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and self.form is None:
            self.form, self._inside = Form(action=given.get("action", "")), True
        elif self._inside and self.form is not None and given.get("name"):
            name, value, kind = given["name"], given.get("value", ""), given.get("type", "")
            if tag == "button":
                self.form.buttons.append((name, value))
            elif tag == "input" and kind in ("radio", "checkbox"):
                if "checked" in given:
                    self.form.fields[name] = value or "on"
            elif tag == "input":
                self.form.fields[name] = value

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


def read_form(page: str) -> Form | None:
    """The page's form; None when there is nothing to fill in (any more)."""
    reader = _Reader()
    reader.feed(page)
    return reader.form


class Buyers:
    """Pay links. A buyer looks at the page again until it says that it is paid. Raises Trouble."""

    def __init__(self) -> None:
        self._http = httpx2.AsyncClient(timeout=30, follow_redirects=True)

    async def close(self) -> None:
        await self._http.aclose()

    async def pay(self, link: str, *, declined: int = 0) -> None:
        """`declined`: so many attempts fail at the bank first."""
        clock = asyncio.get_running_loop().time
        until = clock() + PATIENCE_SECONDS
        presses = ["fail"] * declined + ["pay"]
        while clock() < until:
            form = await self._open(link)
            if form is None:
                return
            if presses:
                await self._press(link, form, presses.pop(0))
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        raise Trouble(f"the payment page does not say that it is paid within {PATIENCE_SECONDS:.0f} s: {link}")

    async def _open(self, link: str) -> Form | None:
        page = await self._ask("GET", link)
        return read_form(page)

    async def _press(self, link: str, form: Form, button: str) -> None:
        name = next((name for name, value in form.buttons if value == button), None)
        if name is None:
            raise Trouble(f"the payment page has no button {button!r}: {link}")
        await self._ask("POST", urljoin(link, form.action or link), {**form.fields, name: button})

    async def _ask(self, method: str, url: str, data: dict[str, str] | None = None) -> str:
        try:
            reply = await self._http.request(method, url, data=data)
        except httpx2.TransportError as err:
            raise Trouble(f"the payment page does not answer at {url}: {err or type(err).__name__}") from None
        if reply.status_code >= 400 and reply.status_code not in (409, 410):
            raise Trouble(f"the payment page answered {reply.status_code} at {reply.url}")
        if reply.status_code in (409, 410):
            raise Trouble(f"the payment page says that the payment is not requested any more: {url}")
        return reply.text
