"""What is not public about JustOn, or is the merchant's choice: settings in the store, changed by `configure`."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sandbox.kernel.store import Store
from sandbox.kernel.world import ActError

TABLE = "juston.settings"
# Entries that the hosted service has promised but not written yet, by id, with their `key`.
PROMISED = "juston.promised"
CHOICES = {"duplicate_keys": ("refuse", "allow"), "failed_status": ("Pending", "Failed")}


@dataclass(frozen=True)
class Settings:
    """Delays are real milliseconds; `minutes` are minutes of the sandbox's clock (they shrink with its speed)."""

    entry_delay_ms: int = 300
    payment_delay_ms: int = 400
    refund_delay_ms: int = 300
    refund_auto: bool = True
    duplicate_keys: str = "refuse"
    failed_status: str = "Pending"
    link_lifetime_minutes: int = 0
    run_every_minutes: int = 5
    finalize_after_minutes: int = 1
    invoice_tenant: str = "Nordlicht"
    invoice_number: str = "RE-{tenant}-{number:06d}"


def current(store: Store) -> Settings:
    return Settings(**(store.table(TABLE).get("settings") or {}))


def configure(store: Store, changes: dict[str, Any]) -> Settings:
    """Change settings by name. Raises ActError for an unknown name, another type or a value that is not allowed."""
    old = current(store)
    known = {field.name for field in fields(Settings)}
    for name, value in changes.items():
        if name not in known:
            raise ActError(f"{name}: is not one of {', '.join(sorted(known))}")
        wanted = type(getattr(old, name))
        if type(value) is not wanted:
            raise ActError(f"{name}: {value!r} is not of type {wanted.__name__}")
        if name in CHOICES and value not in CHOICES[name]:
            raise ActError(f"{name}: {value!r} is not one of {', '.join(CHOICES[name])}")
        if wanted is int and value < 0:
            raise ActError(f"{name}: {value} is below 0")
    new = replace(old, **changes)
    store.table(TABLE).put("settings", asdict(new))
    return new
