"""The sandbox's control API, as far as a benchmark needs it."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx2

SYSTEMS = ("magento", "salesforce", "juston")


class Vendors:
    def __init__(self, url: str) -> None:
        self._http = httpx2.AsyncClient(base_url=url, timeout=60)

    async def close(self) -> None:
        await self._http.aclose()

    async def pay(self, key: str) -> None:
        """The buyer pays the order's link."""
        await self.act("juston", {"do": "pay", "key": key})

    @contextlib.asynccontextmanager
    async def silent(self, system: str) -> AsyncIterator[None]:
        """The system sends no notifications meanwhile."""
        where = f"/systems/{system}/notify"
        target = (await self._http.get(where)).raise_for_status().json()
        (await self._http.delete(where)).raise_for_status()
        try:
            yield
        finally:
            if target is not None:
                (await self._http.put(where, json=target)).raise_for_status()

    async def take_down(self, system: str) -> None:
        """Cut every call without an answer, and count it: a shut port could not."""
        rule = {"kind": "down", "match": {"path": "/"}}
        (await self._http.put(f"/systems/{system}/faults", json=[rule])).raise_for_status()

    async def bring_back(self, system: str) -> None:
        (await self._http.delete(f"/systems/{system}/faults")).raise_for_status()

    async def marks(self) -> dict[str, int]:
        """The latest request of each system."""
        return {system: max((r["id"] for r in await self.requests(system, 0)), default=0) for system in SYSTEMS}

    async def requests(self, system: str, since: int, *, bodies: bool = False) -> list[dict[str, Any]]:
        """What was asked of the system after a mark. The sandbox keeps the bodies of the latest requests only."""
        asked = {"since": str(since)} | ({"bodies": "1"} if bodies else {})
        reply = await self._http.get(f"/systems/{system}/requests", params=asked)
        found: list[dict[str, Any]] = reply.raise_for_status().json()
        return found

    async def calls(self, since: dict[str, int]) -> int:
        return sum([len(await self.requests(system, mark)) for system, mark in since.items()])

    async def act(self, system: str, what: dict[str, Any]) -> dict[str, Any]:
        """The system's own people do something; no call of ours. Raises RuntimeError when they cannot."""
        reply = await self._http.post(f"/systems/{system}/act", json=what)
        if reply.status_code == httpx2.codes.BAD_REQUEST:
            raise RuntimeError(f"{system} refuses {what}: {reply.json()['error']}")
        done: dict[str, Any] = reply.raise_for_status().json()
        return done
