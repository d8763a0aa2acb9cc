"""The API as a real server on a free port, on a real ledger and a real engine, without or with a worker."""

import asyncio
import contextlib
import copy
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr
from temporalio.client import Client

from activities.ledger.store import Ledger
from api.app import create_app
from api.backing import Backing
from api.engine import Engine
from api.examples import PREPAID
from engine.processes import free_port
from settings.load import load
from settings.model import Settings, Token
from settings.systems import connect_systems, listeners

ROOT = Path(__file__).parents[2]
PORTAL, OPERATOR, APPROVER, GERMAN = (f"{name}-token-{'x' * 24}" for name in ("portal", "operator", "approver", "de"))
NOTIFY_SECRET = "a-shared-secret-of-the-org"
SHOP_KEY = generate_private_key(65537, 2048)
TOKENS = (
    Token(name="shop portal", role="portal", token=SecretStr(PORTAL)),
    Token(name="olga", role="operator", token=SecretStr(OPERATOR)),
    Token(name="anna", role="approver", token=SecretStr(APPROVER)),
    Token(name="german desk", role="approver", token=SecretStr(GERMAN), stores=("de",)),
)
# No system is there: port 9 refuses.
NOWHERE = {
    "HOLDFAST_PORTAL_TOKEN": PORTAL,
    "HOLDFAST_OPERATOR_TOKEN": APPROVER,
    "SANDBOX_MAGENTO_URL": "http://127.0.0.1:9",
    "SANDBOX_MAGENTO_CONSUMER_KEY": "k",
    "SANDBOX_MAGENTO_CONSUMER_SECRET": "s",
    "SANDBOX_MAGENTO_ACCESS_TOKEN": "t",
    "SANDBOX_MAGENTO_ACCESS_TOKEN_SECRET": "ts",
    "SANDBOX_MAGENTO_WEBHOOK_PUBLIC_KEY": SHOP_KEY.public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode(),
    "SANDBOX_SALESFORCE_URL": "http://127.0.0.1:9",
    "SANDBOX_SALESFORCE_CLIENT_ID": "c",
    "SANDBOX_SALESFORCE_CLIENT_SECRET": "cs",
    "SANDBOX_JUSTON_URL": "http://127.0.0.1:9",
    "SANDBOX_JUSTON_TENANT": "tenant",
    "SANDBOX_JUSTON_TOKEN": "token",
    "SANDBOX_CARRIER_URL": "http://127.0.0.1:9",
    "SANDBOX_CARRIER_TOKEN": "token",
    "SANDBOX_NOTIFY_SECRET": NOTIFY_SECRET,
    "SANDBOX_MAIL_HOST": "127.0.0.1",
    "SANDBOX_MAIL_PORT": "9",
}


def settings_for(ledger_url: str, **api: Any) -> Settings:
    """The project's own holdfast.toml without any system, and a token for each role."""
    read = load(ROOT / "holdfast.toml", {**NOWHERE, "HOLDFAST_LEDGER_URL": ledger_url})
    return with_tokens(read, **api)


def with_tokens(settings: Settings, **api: Any) -> Settings:
    return settings.model_copy(update={"api": settings.api.model_copy(update={"tokens": TOKENS, **api})})


def an_order(number: str, **changed: Any) -> dict[str, Any]:
    """A consumer's order over 99.84 EUR."""
    return {**copy.deepcopy(PREPAID), "number": number, **changed}


@dataclass
class Served:
    """A served API, asked by real HTTP."""

    url: str
    backing: Backing

    def as_(self, token: str) -> httpx2.AsyncClient:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    async def get(self, path: str, token: str = APPROVER, **more: Any) -> httpx2.Response:
        async with self.as_(token) as http:
            return await http.get(path, **more)

    async def post(self, path: str, body: Any = None, token: str = APPROVER, **more: Any) -> httpx2.Response:
        async with self.as_(token) as http:
            if body is not None:
                more["content"] = json.dumps(body)  # ASCII: carries also what UTF-8 cannot
            return await http.post(path, **more)


@contextlib.asynccontextmanager
async def served(settings: Settings, ledger: Ledger, engine: Engine) -> AsyncIterator[Served]:
    """The API on a free port, in this process."""
    port = free_port()
    settings = settings.model_copy(update={"api": settings.api.model_copy(update={"port": port})})
    connected = connect_systems(settings, ledger)
    sources = frozenset(source.name for source in connected.sources)
    await connected.close()
    backing = Backing(settings, ledger, engine, listeners(settings), sources)
    server = uvicorn.Server(uvicorn.Config(create_app(backing), host="127.0.0.1", port=port, log_config=None))
    serving = asyncio.create_task(server._serve())  # `serve` would take the signals of this process
    while not server.started:
        assert not serving.done(), "the API did not start"
        await asyncio.sleep(0.01)
    try:
        yield Served(f"http://127.0.0.1:{port}", backing)
    finally:
        server.should_exit = True
        await serving


def engine_of(client: Client) -> Engine:
    async def connect() -> Client:
        return client

    return Engine(connect)


async def _refuse() -> Client:
    raise RuntimeError("nobody listens")


def no_engine() -> Engine:
    return Engine(_refuse)


async def end_open_runs(client: Client) -> None:
    """What a test left open must not be taken up by the worker of another test."""
    async for run in client.list_workflows("ExecutionStatus = 'Running'"):
        await client.get_workflow_handle(run.id, run_id=run.run_id).terminate("the test is over")
