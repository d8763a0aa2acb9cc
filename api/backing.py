"""What every route stands on: the configuration, the ledger, the engine, and the listeners of the vendors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request

from activities.changes import Listener
from activities.ledger.store import Ledger
from api.engine import Engine
from api.errors import Refusal
from settings.model import Settings


@dataclass(frozen=True)
class Backing:
    """`sources` has the name of every change source that a worker follows."""

    settings: Settings
    ledger: Ledger
    engine: Engine
    listeners: Mapping[str, Listener]
    sources: frozenset[str]

    @property
    def public_url(self) -> str:
        return self.settings.api.address

    def order_url(self, store: str, number: str) -> str:
        return f"{self.public_url}/v1/orders/{store}/{quote(number, safe='')}"

    def run_url(self, workflow_id: str) -> str | None:
        """The run's page in the Temporal UI; None while no UI is configured."""
        ui = self.settings.api.temporal_ui.rstrip("/")
        if not ui:
            return None
        return f"{ui}/namespaces/{quote(self.engine.namespace, safe='')}/workflows/{quote(workflow_id, safe='')}"

    def require_store(self, store: str) -> None:
        """Raises Refusal (422) naming the configured stores."""
        if store not in self.settings.stores:
            known = ", ".join(sorted(self.settings.stores))
            raise Refusal(
                422,
                "unknown-store",
                f"store: {store!r} is not configured; configured stores: {known}",
                field="store",
                details=sorted(self.settings.stores),
            )


def _backing(request: Request) -> Backing:
    found: Backing = request.app.state.backing
    return found


Base = Annotated[Backing, Depends(_backing)]
