"""The engine's client, connected when it is first needed: the API starts, and says so, while Temporal is away."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError, RPCStatusCode

from api.errors import away
from commerce.order import Order
from workflows.names import checkout_id
from workflows.start import EngineRuns

Connect = Callable[[], Awaitable[Client]]
CONNECT_WITHIN = 3.0  # seconds
SHORT = timedelta(seconds=2)  # for a look that must not hold a request up


class Engine:
    """`connect` raises RuntimeError while the server does not answer."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._client: Client | None = None
        self._connecting = asyncio.Lock()

    async def client(self) -> Client:
        """The connected client. Raises Refusal (503) while there is none."""
        if self._client is None:
            async with self._connecting:
                if self._client is None:
                    try:
                        async with asyncio.timeout(CONNECT_WITHIN):
                            self._client = await self._connect()
                    except (RuntimeError, TimeoutError):
                        raise away("Temporal", "no connection") from None
        return self._client

    async def runs(self) -> EngineRuns:
        return EngineRuns(await self.client())

    async def look(self, workflow_id: str) -> WorkflowExecutionDescription | None:
        """The latest run under this id, or None. Raises Refusal or RPCError while the engine is away."""
        handle = (await self.client()).get_workflow_handle(workflow_id)
        try:
            return await handle.describe(rpc_timeout=SHORT)
        except RPCError as err:
            if err.status is RPCStatusCode.NOT_FOUND:
                return None
            raise

    async def placed(self, order_key: str) -> Order | None:
        """The order that the run was started with, from its history: known also before any worker took the run up."""
        client = await self.client()
        async for event in client.get_workflow_handle(checkout_id(order_key)).fetch_history_events(
            page_size=1, rpc_timeout=SHORT
        ):
            given = event.workflow_execution_started_event_attributes.input.payloads
            found = await client.data_converter.decode(given, [Order])
            return found[0] if found and isinstance(found[0], Order) else None
        return None

    @property
    def namespace(self) -> str:
        """For links, also while there is no connection."""
        if self._client is not None:
            return self._client.namespace
        return ClientConfig.load_client_connect_config().get("namespace", "default")
