"""The sandbox's control API, as far as a benchmark needs it."""

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
        await self._act("juston", {"do": "pay", "key": key})

    async def take_down(self, system: str) -> None:
        """Cut every call without an answer, and count it: a shut port could not."""
        rule = {"kind": "down", "match": {"path": "/"}}
        (await self._http.put(f"/systems/{system}/faults", json=[rule])).raise_for_status()

    async def bring_back(self, system: str) -> None:
        (await self._http.delete(f"/systems/{system}/faults")).raise_for_status()

    async def marks(self) -> dict[str, int]:
        """The latest request of each system."""
        return {system: max((r["id"] for r in await self.requests(system, 0)), default=0) for system in SYSTEMS}

    async def requests(self, system: str, since: int) -> list[dict[str, Any]]:
        """What was asked of the system after a mark."""
        reply = await self._http.get(f"/systems/{system}/requests", params={"since": str(since)})
        found: list[dict[str, Any]] = reply.raise_for_status().json()
        return found

    async def calls(self, since: dict[str, int]) -> int:
        return sum([len(await self.requests(system, mark)) for system, mark in since.items()])

    async def _act(self, system: str, what: dict[str, Any]) -> None:
        (await self._http.post(f"/systems/{system}/act", json=what)).raise_for_status()
