"""An inbox for everybody: SMTP in, JSON and pages out, so that a mail that was sent can be seen."""

import asyncio
import email
import email.policy
from collections.abc import Callable
from email.message import EmailMessage, MIMEPart
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope
from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from sandbox.kernel.store import Doc
from sandbox.kernel.world import Vendor, World

LARGEST_BYTES = 25_000_000
UNKNOWN_RECEIVERS = "@refused.example"
PAGES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)


class MailVendor(Vendor):
    """Takes every mail, except for addresses at `refused.example`, which it does not know.

    A message: id, at, from, to, subject, text, html, headers, attachments.
    """

    name = "mail"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._messages = self.store.table("mail.messages")
        self._app = Starlette(
            routes=[
                Route("/", self._inbox),
                Route("/messages", self._list, methods=["GET"]),
                Route("/messages", self._clear, methods=["DELETE"]),
                Route("/messages/{id}", self._one),
                Route("/view/{id}", self._view),
            ]
        )

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)

    def protocols(self) -> dict[str, Callable[[], asyncio.Protocol]]:
        def smtp() -> asyncio.Protocol:
            protocol: asyncio.Protocol = SMTP(
                self,
                hostname="sandbox",
                enable_SMTPUTF8=True,
                data_size_limit=LARGEST_BYTES,
                authenticator=lambda *_: AuthResult(success=True),  # any login will do
                auth_require_tls=False,
                loop=asyncio.get_running_loop(),
            )
            return protocol

        return {"smtp": smtp}

    def credentials(self) -> dict[str, Any]:
        return {"smtp": self.world.urls.get("mail-smtp"), "login": "none needed, any is taken"}

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]) -> str:
        """A receiver is named; one that nobody knows is refused for good."""
        if address.casefold().endswith(UNKNOWN_RECEIVERS):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        """One mail came in by SMTP; it is kept before it is acknowledged."""
        async with self.world.unit():
            number = str(self.store.number("mail.messages"))
            self._messages.put(number, self._read(number, envelope))
        return f"250 OK kept as {number}"

    def _read(self, number: str, envelope: Envelope) -> Doc:
        content = envelope.content or b""
        if isinstance(content, str):
            content = content.encode()
        message = email.message_from_bytes(content, _class=EmailMessage, policy=email.policy.default)
        headers: dict[str, str] = {}
        for name, value in message.items():
            text = str(value).strip()  # the parser leaves the blank of a folded line in front
            headers[name] = f"{headers[name]}\n{text}" if name in headers else text
        return {
            "id": number,
            "at": self.world.now().isoformat(),
            "from": envelope.mail_from,
            "to": list(envelope.rcpt_tos),
            "subject": str(message.get("subject", "")),
            "text": _text(message.get_body(("plain",))),
            "html": _text(message.get_body(("html",))),
            "headers": headers,
            "attachments": [
                {"name": part.get_filename(), "type": part.get_content_type(), "bytes": len(_payload(part))}
                for part in message.iter_attachments()
            ],
        }

    def _found(self, request: Request) -> list[Doc]:
        to, subject = (request.query_params.get(name, "").casefold() for name in ("to", "subject"))
        return [
            message
            for message in self._messages.values()
            if any(to in address.casefold() for address in message["to"]) and subject in message["subject"].casefold()
        ]

    async def _list(self, request: Request) -> Response:
        return JSONResponse(self._found(request))

    async def _one(self, request: Request) -> Response:
        message = self._messages.get(request.path_params["id"])
        return JSONResponse(message) if message else JSONResponse({"error": "no such message"}, 404)

    async def _clear(self, request: Request) -> Response:
        for number in self._messages:
            self._messages.delete(number)
        return Response(status_code=204)

    async def _inbox(self, request: Request) -> Response:
        page = PAGES.get_template("mail_page.html")
        found = list(reversed(self._found(request)))
        return HTMLResponse(page.render(messages=found, message=None, asked=request.query_params))

    async def _view(self, request: Request) -> Response:
        message = self._messages.get(request.path_params["id"])
        if message is None:
            return HTMLResponse("<!doctype html><title>Not found</title><p>No such message.", 404)
        return HTMLResponse(PAGES.get_template("mail_page.html").render(messages=[], message=message, asked={}))


def _payload(part: MIMEPart) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text(part: MIMEPart | None) -> str | None:
    """The text of a body, also where its charset is unknown or wrong."""
    if part is None:
        return None
    try:
        return _payload(part).decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return _payload(part).decode("utf-8", "replace")
