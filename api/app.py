"""Puts the API together. It starts while Temporal or PostgreSQL is away, and says so until they are back."""

import asyncio
import contextlib
import logging
import tomllib
from collections.abc import AsyncIterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fastapi import FastAPI
from starlette.types import Scope

from activities.ledger.database import migrate
from api import (
    bulk,
    checkouts,
    endpoints,
    goods,
    health,
    orders,
    oversight,
    parked,
    quarantine,
    reconciliations,
    reference,
    returns,
    stuck,
    webhooks,
)
from api.backing import Backing
from api.console.app import console
from api.errors import tell_errors

log = logging.getLogger("holdfast.api")
TAGS = [
    {"name": "checkouts", "description": "Place an order, get its payment link"},
    {"name": "orders", "description": "Where an order stands, what it waits for, and how to stop it"},
    {"name": "goods", "description": "Goods on their way, what of them is late, transfers between warehouses"},
    {"name": "parked cases", "description": "What needs a person, and the decisions that move it"},
    {"name": "systems", "description": "How the connected systems stand, and planned maintenance"},
    {"name": "reconciliation", "description": "Both sides of every pair, compared in the systems themselves"},
    {"name": "notifications", "description": "Vendors tell what changed; their signature is their sign-in"},
    {"name": "buyers", "description": "Where browsers come back to"},
    {"name": "oversight", "description": "What else operators watch"},
    {"name": "health", "description": "For load balancers"},
]
DESCRIPTION = (
    "Portals place orders and get a payment link; vendors notify; operators decide what is parked. "
    'Money is `{"minor": 12990, "currency": "EUR"}` in answers and may be written `"129.90 EUR"` in requests. '
    'Times are UTC. Every refusal is `{"error": {"code", "message", "field"?, "details"?}}`.'
)
_MIGRATE_AGAIN_AFTER = 2.0  # seconds


def create_app(backing: Backing) -> FastAPI:
    """The whole API with its console. `backing` stays the caller's to close."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        migrating = asyncio.create_task(_migrate_when_there(backing))
        yield
        migrating.cancel()
        await asyncio.gather(migrating, return_exceptions=True)

    app = FastAPI(
        title="Holdfast",
        summary="Keeps a storefront, an ERP, a payment and a billing system in step.",
        description=DESCRIPTION,
        version=_version(),
        openapi_tags=TAGS,
        docs_url=None,  # FastAPI's page loads its scripts from elsewhere, which a closed network cannot
        redoc_url=None,
        lifespan=lifespan,
        telemetry={"operation_spans": False, "metrics": False, "logs": False, "exclude": _is_unremarkable},
    )
    app.state.backing = backing
    tell_errors(app)
    of_orders = (checkouts, orders, goods, bulk, parked)
    for room in (
        *of_orders,
        endpoints,
        reconciliations,
        webhooks,
        returns,
        quarantine,
        stuck,
        oversight,
        health,
        reference,
    ):
        app.include_router(room.router)
    app.openapi = lambda: reference.describe(app)  # type: ignore[method-assign]
    app.mount("/console", console(backing))
    return app


def _is_unremarkable(scope: Scope) -> bool:
    """Load balancers ask every second; their questions are no spans. All others are, when an exporter is named."""
    return scope["path"] in ("/healthz", "/readyz") or scope["path"].startswith("/static/")


async def _migrate_when_there(backing: Backing) -> None:
    """The worker does the same; whoever comes first makes the tables."""
    while True:
        try:
            await migrate(backing.ledger.engine)
        except Exception as err:  # noqa: BLE001  # nothing else can be done than to say it and to try again
            log.warning("the ledger cannot be prepared yet: %s", type(err).__name__)
            await asyncio.sleep(_MIGRATE_AGAIN_AFTER)
        else:
            return


def _version() -> str:
    """Of the installed package; where the sources run as they are, what pyproject.toml beside them says."""
    try:
        return version("holdfast")
    except PackageNotFoundError:
        project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8"))["project"]
        return str(project["version"])
