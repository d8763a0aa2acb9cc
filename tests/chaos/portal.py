"""The people of a chaos run who talk to Holdfast: portals that place orders, buyers who pay, and the operator."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx2

from cli.api import order_path
from cli.demo.buyers import read_form
from engine.stack import Addresses

AGAIN_SECONDS = 0.4
IMPATIENT_SECONDS = 0.3
AWAY = frozenset({429, 502, 503, 504})


class Gone(Exception):
    """The payment page says that nothing can be paid any more."""


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any


class Api:
    """Holdfast's API as a patient client sees it: a call that gets no answer, or 503, is made again.

    `bugs` names every answer that says that Holdfast made a mistake. `answers` counts all others by status.
    """

    def __init__(self, addresses: Addresses) -> None:
        self.bugs: list[str] = []
        self.answers: Counter[str] = Counter()
        self._http = httpx2.AsyncClient(
            base_url=addresses.api,
            headers={"authorization": f"Bearer {addresses.operator_token}"},
            timeout=httpx2.Timeout(60, connect=5),
            limits=httpx2.Limits(max_connections=200),
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def place(self, order: Mapping[str, Any], *, patience: float | None = None) -> Reply:
        """The definite answer to an order. `patience`: the first call is given up after so many seconds."""
        body = json.dumps(order, ensure_ascii=False)
        if patience is not None:
            try:
                async with asyncio.timeout(patience):
                    await self.ask("POST", "/v1/checkouts", body)
            except TimeoutError:
                self.answers["given up"] += 1
        return await self.definite("POST", "/v1/checkouts", body)

    async def order(self, key: str) -> dict[str, Any] | None:
        """The order as the API shows it now; None when it does not know it, or cannot say."""
        reply = await self.ask("GET", order_path(key))
        return reply.body if reply is not None and reply.status == 200 else None

    async def cancel(self, key: str, reason: str, *, unattended: bool) -> Reply | None:
        """None: there is no answer other than "not now"."""
        body = json.dumps({"reason": reason, "unattended": unattended})
        reply = await self.ask("POST", f"{order_path(key)}/cancel", body)
        return reply if reply is not None and reply.status not in AWAY and reply.status < 500 else None

    async def parked(self) -> list[dict[str, Any]]:
        reply = await self.ask("GET", "/v1/parked")
        return reply.body["cases"] if reply is not None and reply.status == 200 else []

    async def decide(self, case_id: str, decision: str, reason: str) -> Reply | None:
        body = json.dumps({"decision": decision, "reason": reason})
        return await self.ask("POST", f"/v1/parked/{case_id}/decision", body)

    async def notify(self, system: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        return await self.definite("POST", f"/v1/webhooks/{system}", body, headers)

    async def definite(
        self, method: str, path: str, content: str | bytes, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Asked again until there is an answer other than "not now"."""
        while True:
            reply = await self.ask(method, path, content, headers)
            if reply is not None and reply.status not in AWAY and reply.status < 500:
                return reply
            await asyncio.sleep(AGAIN_SECONDS)

    async def ask(
        self, method: str, path: str, content: str | bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply | None:
        """One call; None when no answer came."""
        try:
            reply = await self._http.request(
                method, path, content=content, headers={"content-type": "application/json", **(headers or {})}
            )
        except httpx2.TransportError:
            self.answers["no answer"] += 1
            return None
        self.answers[str(reply.status_code)] += 1
        if reply.status_code >= 500 and reply.status_code not in AWAY:
            self.bugs.append(f"{method} {path} answered {reply.status_code}: {reply.text[:200]}")
        try:
            return Reply(reply.status_code, json.loads(reply.text, parse_float=Decimal) if reply.content else None)
        except ValueError:
            return Reply(reply.status_code, reply.text)


class Buyers:
    """Buyers at the payment page, who press again when the page does not answer."""

    def __init__(self) -> None:
        self._http = httpx2.AsyncClient(timeout=20, limits=httpx2.Limits(max_connections=200))

    async def close(self) -> None:
        await self._http.aclose()

    async def decline(self, link: str) -> None:
        """An attempt that the bank refuses."""
        await self._press(link, "fail")

    async def pay(self, link: str) -> None:
        """Returns when the page says that it is paid. Raises Gone."""
        pressed = True
        while pressed:
            pressed = await self._press(link, "pay")
            await asyncio.sleep(AGAIN_SECONDS)

    async def _press(self, link: str, action: str) -> bool:
        """False: there is nothing left to press. Raises Gone."""
        while True:
            try:
                page = await self._http.get(link)
                if page.status_code in (404, 409, 410):
                    raise Gone(link)
                if page.status_code == 200:
                    if read_form(page.text) is None:
                        return False
                    done = await self._http.post(link, data={"action": action})
                    if done.status_code in (200, 303):
                        return True
            except httpx2.TransportError:
                pass  # a person looks at the page again
            await asyncio.sleep(AGAIN_SECONDS)
