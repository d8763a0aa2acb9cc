"""The outside systems of a chaos run: their faults and outages, what people do there, and their books."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import httpx2

from cli.demo.books import Books
from cli.demo.books import Sandbox as Control

Rule = dict[str, Any]


class Refused(Exception):
    """The sandbox refused what was asked of its people."""


class Systems:
    """`struck` counts the faults that really fired, by kind."""

    def __init__(self, control: str, inbox: str) -> None:
        self.struck: Counter[str] = Counter()
        self._books = Control(control)
        self._http = httpx2.AsyncClient(base_url=control, timeout=60)
        self._inbox = httpx2.AsyncClient(base_url=inbox, timeout=60)
        self._waiting: dict[str, list[tuple[str, Rule]]] = defaultdict(list)
        self._away: dict[str, int] = defaultdict(int)
        self._turn: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def close(self) -> None:
        await self._http.aclose()
        await self._inbox.aclose()
        await self._books.close()

    # ---- faults ------------------------------------------------------------------------------------------------------

    async def add_fault(self, system: str, kind: str, rule: Mapping[str, Any]) -> None:
        """One more rule that strikes once; those that wait for their moment stay."""
        async with self._turn[system]:
            await self._count(system)
            self._waiting[system].append((kind, dict(rule)))
            await self._put(system)

    async def count(self) -> None:
        """Bring `struck` up to now."""
        for system in list(self._turn):
            async with self._turn[system]:
                await self._count(system)

    async def outage(self, system: str, seconds: float) -> None:
        """The system is off the network for so long."""
        async with self._turn[system]:
            await self._count(system)
            self._away[system] += 1
            self.struck["outage"] += 1
            await self._put(system)
        try:
            await asyncio.sleep(seconds)
        finally:
            async with self._turn[system]:
                await self._count(system)
                self._away[system] -= 1
                await self._put(system)

    async def no_faults(self) -> None:
        """All is well again, also for those rules that never struck."""
        for system in list(self._turn):
            async with self._turn[system]:
                await self._count(system)
                self._waiting[system].clear()
                await self._put(system)

    async def _count(self, system: str) -> None:
        """Take out the rules that have struck. A new set of rules starts the sandbox's own count anew."""
        shown = await self._ask("GET", f"/systems/{system}/faults")
        fired = [int(rule["fired"]) for rule in shown][len(shown) - len(self._waiting[system]) :]
        left = []
        for (kind, rule), times in zip(self._waiting[system], fired, strict=True):
            if times:
                self.struck[kind] += 1
            else:
                left.append((kind, rule))
        if len(left) < len(self._waiting[system]):
            self._waiting[system] = left
            await self._put(system)

    async def _put(self, system: str) -> None:
        down: list[Rule] = [{"kind": "down"}] if self._away[system] else []
        await self._ask("PUT", f"/systems/{system}/faults", [*down, *(rule for _, rule in self._waiting[system])])

    # ---- people and books --------------------------------------------------------------------------------------------

    async def act(self, system: str, do: str, /, **arguments: Any) -> dict[str, Any]:
        done: dict[str, Any] = await self._ask("POST", f"/systems/{system}/act", {"do": do, **arguments})
        return done

    async def place_in_shop(self, order: Mapping[str, Any]) -> str:
        """The key of a new order of the shop."""
        placed = await self.act("magento", "place-order", **order)
        return f"{order['store']}:{placed['increment_id']}"

    async def books(self) -> Books:
        return await self._books.books()

    async def mails(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self._inbox.get("/messages")).json()
        return found

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body, default=str).encode()
        headers = {"content-type": "application/json"} if content else {}
        reply = await self._http.request(method, path, content=content, headers=headers)
        if reply.status_code != 200:
            raise Refused(f"{method} {path}: {reply.status_code} {reply.text[:300]}")
        return json.loads(reply.text, parse_float=Decimal)
