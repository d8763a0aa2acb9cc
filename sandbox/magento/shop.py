"""The shop's state: its tables in the sandbox's store, its settings, its clock and its counters."""

from datetime import datetime
from typing import Any

from sandbox.kernel.store import Doc, Store, Table
from sandbox.kernel.world import World
from sandbox.magento.contract import plain

VERSION_PROFILES = ("2.3", "2.4.4", "2.4.9")

# Which statuses belong to which state; the first is the state's default.
STATUSES: dict[str, tuple[str, ...]] = {
    "new": ("pending",),
    "pending_payment": ("pending_payment",),
    "processing": ("processing", "fraud"),
    "payment_review": ("payment_review", "fraud"),
    "complete": ("complete",),
    "closed": ("closed",),
    "canceled": ("canceled",),
    "holded": ("holded",),
}

DEFAULT_SETTINGS: dict[str, Any] = {
    "version_profile": "2.4.9",
    "input_limits": False,
    "integration_bearer": False,
    "order_lock": True,
    "consumers_running": True,
    "denied_resources": [],
    "order_statuses": {},  # further statuses of the merchant: code -> state
    "admin": {"username": "holdfast", "password": "Sandbox-Pass-1"},
    "integration": {
        "consumer_key": "sandboxconsumerkey00000000000001",
        "consumer_secret": "sandboxconsumersecret00000000001",
        "access_token": "sandboxaccesstoken00000000000001",
        "access_token_secret": "sandboxaccesssecret0000000000001",
    },
}


class Shop:
    """One Adobe Commerce installation. All of its tables are called `magento.<kind>`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.store: Store = world.store
        self.snapshot: Doc | None = None  # see races.py

    def table(self, kind: str) -> Table:
        return self.store.table(f"magento.{kind}")

    def put(self, kind: str, key: Any, doc: Doc) -> None:
        self.table(kind).put(str(key), plain(doc))

    def get(self, kind: str, key: Any) -> Doc | None:
        return self.table(kind).get(str(key))

    def next_id(self, kind: str, start: int = 1) -> int:
        return self.store.number(f"magento.{kind}", start)

    def now(self) -> datetime:
        return self.world.now()

    def stamp(self) -> str:
        """Now as the vendor writes it: UTC to the second, without a zone marker."""
        return self.now().strftime("%Y-%m-%d %H:%M:%S")

    @property
    def settings(self) -> dict[str, Any]:
        return DEFAULT_SETTINGS | (self.table("settings").get("settings") or {})

    def configure(self, changes: dict[str, Any]) -> None:
        self.put("settings", "settings", (self.table("settings").get("settings") or {}) | changes)

    def statuses(self, state: str) -> tuple[str, ...]:
        own = tuple(code for code, its_state in self.settings["order_statuses"].items() if its_state == state)
        return STATUSES.get(state, ()) + own

    def view(self, store_id: Any) -> Doc:
        """The store view with this id."""
        view = self.get("stores", store_id)
        if view is None:
            raise KeyError(f"no store view {store_id}")
        return view

    def view_by_code(self, code: str) -> Doc | None:
        return next(iter(self.table("stores").where("code", code)), None)

    def website(self, website_id: Any) -> Doc:
        website = self.get("websites", website_id)
        if website is None:
            raise KeyError(f"no website {website_id}")
        return website

    def increment_id(self, kind: str, store_id: int) -> str:
        """The next human number of a kind in a store view: nine digits, with the store id before them from 2 on."""
        number = self.next_id(f"increment.{kind}.{store_id}")
        return f"{store_id if store_id > 1 else ''}{number:09d}"
