"""Orders, our own memory and the engine's patience, as these tests need them."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from temporalio.exceptions import ApplicationError

from activities.juston.settings import JustOnSettings
from activities.roles import EnsureBillingOrder, EnsureEntry, ErpCustomer
from activities.salesforce.settings import SalesforceSettings
from commerce.money import Money
from commerce.order import Order
from commerce.totals import amount_due

T = TypeVar("T")
R = TypeVar("R")
CURRENCIES = {"de": "EUR", "us": "USD", "jp": "JPY", "kw": "KWD", "ch": "CHF"}
_numbers = itertools.count(1)


class Notes:
    """The ledger's part in these tests: what was begun, and the links."""

    def __init__(self) -> None:
        self.begun_at: dict[str, datetime] = {}
        self.links: dict[str, tuple[str, str, str]] = {}

    async def begun(self, key: str) -> datetime | None:
        known = self.begun_at.get(key)
        self.begun_at.setdefault(key, datetime.now(UTC))
        return known

    async def forget_begun(self, key: str) -> None:
        self.begun_at.pop(key, None)

    async def load_link(self, key: str) -> tuple[str, str, str] | None:
        return self.links.get(key)

    async def save_link(self, key: str, link: str, link_id: str, entry_id: str) -> None:
        self.links[key] = (link, link_id, entry_id)


def settings(**changes: Any) -> JustOnSettings:
    """Settings that reach nothing, for pure tests; `changes` replace."""
    values: dict[str, Any] = {
        "tenant": "nordlicht",
        "api_token": "secret-token",
        "salesforce": SalesforceSettings.model_validate(
            {"login_url": "http://127.0.0.1:9", "client_id": "id", "client_secret": "secret"}
        ),
    }
    return JustOnSettings.model_validate({**values, **changes})


def new_number() -> str:
    """An order number that no other test has used."""
    return f"J{next(_numbers):05d}"


def money(minor: int, currency: str = "EUR") -> Money:
    return Money(minor=minor, currency=currency)


def order(store: str = "de", *, minor: int = 11900, **changes: Any) -> Order:
    """One article at 19 % (none where prices carry none), paid by link: `minor` is the total with tax."""
    currency = CURRENCIES[store]
    tax = minor * 19 // 119
    values: dict[str, Any] = {
        "store": store,
        "number": new_number(),
        "placed_at": "2026-11-20T10:00:00Z",
        "currency": currency,
        "total": money(minor, currency),
        "customer": {"kind": "guest", "email": "kim@example.com", "first_name": "Kim", "last_name": "Jørgensen"},
        "billing": {"country": "DE", "city": "Köln", "last_name": "Jørgensen"},
        "lines": [
            {
                "id": "1",
                "sku": "TEE-M",
                "name": "T-Shirt »Nordlicht« 北極光",
                "quantity": Decimal(1),
                "unit_price": money(minor - tax, currency),
                "total": money(minor - tax, currency),
                "tax": money(tax, currency),
                "tax_percent": Decimal(19),
            }
        ],
        "payments": [{"method": "juston", "amount": money(minor, currency), "state": "due"}],
    }
    return Order.model_validate({**values, **changes})


def entry_task(of: Order, amount: Money | None = None, **changes: Any) -> EnsureEntry:
    values: dict[str, Any] = {
        "key": of.key,
        "order": of,
        "amount": amount if amount is not None else amount_due(of),
        "expires_at": datetime.now(UTC) + timedelta(days=1),
    }
    return EnsureEntry.model_validate({**values, **changes})


def billing_task(of: Order, *, entry: bool = False, **changes: Any) -> EnsureBillingOrder:
    values: dict[str, Any] = {
        "order": of,
        "customer": ErpCustomer(id="", key=f"{of.store}:web", name="Web Customer"),
        "entry_key": of.key if entry else "",
    }
    return EnsureBillingOrder.model_validate({**values, **changes})


async def as_engine(step: Callable[[T], Awaitable[R]], task: T, *, seconds: float = 10) -> R:
    """Repeat a step as the engine would, as long as it says that a repeat may help."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await step(task)
        except ApplicationError as err:
            if err.non_retryable or time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.1)


async def until(look: Callable[[], Awaitable[R]], good: Callable[[R], bool], *, seconds: float = 10) -> R:
    """What `look` sees, once it is good; fails with the last view."""
    deadline = time.monotonic() + seconds
    while True:
        seen = await look()
        if good(seen):
            return seen
        assert time.monotonic() < deadline, f"still {seen}"
        await asyncio.sleep(0.05)


def details(err: ApplicationError) -> dict[str, str]:
    found: dict[str, str] = err.details[0]
    return found
