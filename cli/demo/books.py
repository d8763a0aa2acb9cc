"""The sandbox's control API: the books of every system, acts of other people, and faults."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx2

from cli.trouble import Trouble

SYSTEMS = ("magento", "salesforce", "juston", "carrier")
LISTS = ("orders", "payments", "invoices", "credit_notes", "entries", "refunds", "shipments")
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Books:
    """Documents by `system` and list, as the systems themselves show them."""

    lists: Mapping[tuple[str, str], tuple[Document, ...]]

    def of(self, system: str, name: str) -> tuple[Document, ...]:
        return self.lists.get((system, name), ())

    def since(self, before: "Books") -> "Books":
        """What came after `before`: the documents that were not there."""
        fresh = {}
        for place, documents in self.lists.items():
            old = {document["id"] for document in before.lists.get(place, ())}
            fresh[place] = tuple(document for document in documents if document["id"] not in old)
        return Books(fresh)


class Sandbox:
    """The control API. Raises Trouble when it refuses or does not answer."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = httpx2.AsyncClient(base_url=url, timeout=30)

    async def close(self) -> None:
        await self._http.aclose()

    async def books(self) -> Books:
        lists: dict[tuple[str, str], tuple[Document, ...]] = {}
        for system in SYSTEMS:
            found = await self._ask("GET", f"/systems/{system}/books")
            lists |= {(system, name): tuple(found[name]) for name in LISTS if name in found}
        return Books(lists)

    async def place_in_shop(self, order: Mapping[str, Any]) -> str:
        """Place an order in the shop, as its buyers do; its key."""
        done = await self.act("magento", "place-order", **order)
        return f"{order['store']}:{done['increment_id']}"

    async def act(self, system: str, do: str, **arguments: Any) -> Document:
        """What the people of a vendor's customer do there; its answer."""
        done: Document = await self._ask("POST", f"/systems/{system}/act", {"do": do, **arguments})
        return done

    async def take_down(self, system: str) -> None:
        await self._ask("PUT", f"/systems/{system}/faults", [{"kind": "down"}])

    async def bring_back(self, system: str) -> None:
        await self._ask("DELETE", f"/systems/{system}/faults")

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        try:
            reply = await self._http.request(
                method, path, content=content, headers={"content-type": "application/json"} if content else {}
            )
        except httpx2.TransportError as err:
            raise Trouble(f"the sandbox does not answer at {self._url}: {err or type(err).__name__}") from None
        if reply.status_code != 200:
            raise Trouble(f"the sandbox refused {method} {path}: {reply.text[:500]}")
        return json.loads(reply.text, parse_float=Decimal)
