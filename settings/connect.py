"""The engine's client, by the standard Temporal environment configuration."""

import asyncio
import logging

from temporalio.client import Client
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin
from temporalio.envconfig import ClientConfig

from settings.telemetry import wants_traces
from workflows.converter import data_converter

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
