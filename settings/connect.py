"""The engine's client, by the standard Temporal environment configuration."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError, RPCStatusCode

from settings.telemetry import wants_traces
from workflows.converter import data_converter
from workflows.names import SEARCH_ATTRIBUTES

log = logging.getLogger("holdfast.engine")


async def connect(*, patience: float = 60) -> Client:
    """A connected client. Waits up to `patience` seconds for a server that is still starting; raises RuntimeError."""
    settings = ClientConfig.load_client_connect_config()
    settings.setdefault("target_host", "127.0.0.1:7233")
    plugins = [OpenTelemetryPlugin(add_temporal_spans=True)] if wants_traces() else []
    clock = asyncio.get_running_loop().time
    deadline = clock() + patience
    while True:
        try:
            return await Client.connect(**settings, data_converter=data_converter, plugins=plugins)
        except RuntimeError as err:
            if clock() > deadline:
                raise RuntimeError(
                    f"Temporal at {settings['target_host']} does not answer: {err}; check TEMPORAL_ADDRESS"
                ) from None
            log.info("waiting for Temporal at %s", settings["target_host"])
            await asyncio.sleep(0.5)


async def missing_search_attributes(
    client: Client, wanted: Sequence[SearchAttributeKey[Any]] = SEARCH_ATTRIBUTES, *, patience: float = 20
) -> list[str]:
    """Names that the namespace does not know: it would refuse every order. Waits up to `patience` seconds for a server
    that is still adding them. A server that cannot say is not held against it.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + patience
    while True:
        missing = [key.name for key in wanted if not await _is_known(client, key)]
        if not missing or clock() > deadline:
            return missing
        log.info("waiting for the search attributes %s", ", ".join(missing))
        await asyncio.sleep(0.5)


async def names_failing_runs(client: Client) -> bool:
    """Whether the server lists runs whose tasks fail. One that cannot say is not held against it."""
    try:
        asked = DescribeNamespaceRequest(namespace=client.namespace)
        answer = await client.workflow_service.describe_namespace(asked, timeout=timedelta(seconds=5))
    except RPCError as err:
        log.warning("what namespace %s can do could not be checked: %s", client.namespace, err)
        return True
    return answer.namespace_info.capabilities.reported_problems_search_attribute


async def _is_known(client: Client, key: SearchAttributeKey[Any]) -> bool:
    """Asked by a query, which every server and every key that may start runs allows."""
    try:
        await client.count_workflows(f"{key.name} IS NULL AND WorkflowId = 'none'", rpc_timeout=timedelta(seconds=5))
    except RPCError as err:
        if err.status is RPCStatusCode.INVALID_ARGUMENT:
            return False
        log.warning("search attribute %s could not be checked: %s", key.name, err)
    return True
