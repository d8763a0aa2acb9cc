"""The whole stack as `starter.py up` runs it, in a folder of its own and on free ports, and one portal's view of it."""

import asyncio
import contextlib
import itertools
import json
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import httpx2

from commerce.documents import CLOSED_STAGES
from engine.stack import PREFERRED, Addresses, Stack

T = TypeVar("T")
ROOT = Path(__file__).parents[1]
WITHIN = 30.0  # seconds
LOOK_EVERY = 0.1
# An outer environment must not decide what a test measures.
_FOREIGN = ("OTEL_", "HOLDFAST_", "TEMPORAL_")
_numbers = itertools.count(1)


@contextlib.asynccontextmanager
async def running_stack(
    env: Mapping[str, str] | None = None,
    *,
    name: str = "holdfast.toml",
    config: Path | None = None,
    data: Path | None = None,
    workers: int = 1,
) -> AsyncIterator[Stack]:
    """A started stack; `env` is for its worker and API. Everything is stopped at the end, and removed but for `data`.

    `config` is a file of the caller's own, `name` one of the project's.
    """
    # Not pytest's own folder: PostgreSQL's account cannot enter that one when tests run as root.
    with tempfile.TemporaryDirectory(prefix="holdfast-stack-") as folder, _own_environment(), _any_ports():
        stack = Stack(data or Path(folder) / "data", config or ROOT / name, tell=lambda _: None, workers=workers)
        stack.env |= env or {}
        await stack.start()
        try:
            yield stack
        finally:
            await stack.stop()


@contextlib.contextmanager
def _own_environment() -> Iterator[None]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    with patch.dict(os.environ, kept, clear=True):
        yield


@contextlib.contextmanager
def _any_ports() -> Iterator[None]:
    """Several stacks may run on one machine: none begins with the ports that people know. The last one takes a row."""
    # Below the range from which systems take the ports of outgoing connections, above 10080, which browsers refuse.
    first = 10_100 + 20 * secrets.randbelow(990)
    with patch.dict(PREFERRED, {name: first + i for i, name in enumerate(PREFERRED)}):
        yield


class Portal:
    """What a portal can do: place orders, and see how they go on."""

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses
        self.http = httpx2.AsyncClient(
            base_url=addresses.api, headers={"authorization": f"Bearer {addresses.portal_token}"}, timeout=30
        )

    async def close(self) -> None:
        await self.http.aclose()

    async def place(self, order: Mapping[str, Any], **headers: str) -> dict[str, Any]:
        """The API's answer to a new order. Fails when it was not accepted."""
        response = await self.http.post("/v1/checkouts", json=dict(order), headers=headers)
        assert response.status_code in (201, 202), f"{response.status_code} {response.text}"
        answer: dict[str, Any] = response.json()
        return answer

    async def pay(self, link: str) -> None:
        """A buyer pays on the payment page, as a browser sends its form. Returns before the money is seen."""
        async with httpx2.AsyncClient(timeout=30) as buyer:
            done = await buyer.post(link, data={"action": "pay"})
        assert done.status_code == 303, done.text

    async def reaches(self, order_key: str, *stages: str, within: float = WITHIN) -> dict[str, Any]:
        """The order's state once it is in one of the stages; an ended order has its result."""
        store, _, number = order_key.partition(":")
        seen: dict[str, Any] = {}

        async def there() -> bool:
            seen.update((await self.http.get(f"/v1/orders/{store}/{number}")).json())
            return seen.get("stage") in stages and (seen["stage"] not in CLOSED_STAGES or bool(seen["result"]))

        await wait_until(there, within, lambda: f"{order_key} is not {' or '.join(stages)}: {json.dumps(seen)}")
        return seen


async def wait_until(look: Callable[[], Awaitable[T]], within: float, what: Callable[[], str]) -> T:
    """What `look` answers once that is true. Fails with `what` after `within` seconds."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + within
    while not (found := await look()):
        assert clock() < deadline, f"not within {within:.0f} s: {what()}"
        await asyncio.sleep(LOOK_EVERY)
    return found


def order(store: str, currency: str, amount: str, *, sku: str = "HF-1001", **changes: Any) -> dict[str, Any]:
    """One piece, free of tax, to be paid by link: what is due is `amount`."""
    address = {
        "first_name": "Wilhelmine",
        "last_name": "Ångström",
        "street": ["Geheimgasse 99"],
        "city": "Köln",
        "postcode": "50667",
        "phone": "+49 221 5550199",
        "country": "DE",
    }
    money = f"{amount} {currency}"
    line = {"id": "1", "sku": sku, "name": "Leselampe Aurora", "quantity": "1", "unit_price": money, "total": money}
    return {
        "store": store,
        "number": f"P{os.getpid()}-{next(_numbers)}",
        "placed_at": "2026-11-21T10:00:00Z",
        "currency": currency,
        "total": money,
        "customer": {
            "kind": "guest",
            "email": "wilhelmine.geheim@buyer.example",
            "first_name": "Wilhelmine",
            "last_name": "Ångström",
        },
        "billing": address,
        "delivery": address,
        "lines": [{**line, "tax": f"0 {currency}", "tax_percent": "0"}],
        "payments": [{"method": "juston", "amount": money, "state": "due"}],
        **changes,
    }
