"""A caller whose engine goes away in the middle of a call is told to come again; one who goes away leaves no alarm."""

import asyncio
import logging
from typing import Any

import pytest
from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from api.errors import refusal_of
from engine.processes import free_port
from tests.api.desk import PORTAL, Served


@pytest.mark.parametrize(
    ("status", "message", "answer"),
    [
        (RPCStatusCode.UNAVAILABLE, "no children to pick from", 503),
        (RPCStatusCode.UNKNOWN, "transport error", 503),
        (RPCStatusCode.UNKNOWN, "h2 protocol error: error reading a body from connection", 503),
        (RPCStatusCode.UNKNOWN, "a nil pointer in the server", 500),
        (RPCStatusCode.INVALID_ARGUMENT, "transport error", 500),
    ],
)
def test_a_broken_connection_is_an_outage_and_a_refusal_is_a_mistake(
    status: RPCStatusCode, message: str, answer: int
) -> None:
    refusal = refusal_of(RPCError(message, status, b""))
    assert refusal.status == answer
    assert ("Retry-After" in refusal.headers) == (answer == 503)


async def test_a_connection_that_breaks_under_a_call_is_told_as_an_outage(engine_client: Client) -> None:
    """What the SDK really says of it: the call is on its way when the connection is gone."""
    host, _, port = engine_client.service_client.config.target_host.rpartition(":")
    breaks = False

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_engine, to_engine = await asyncio.open_connection(host, int(port))

        async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while (part := await source.read(65536)) and not (breaks and source is reader):
                target.write(part)
            for each in (writer, to_engine):
                each.transport.abort()

        await asyncio.gather(pump(reader, to_engine), pump(from_engine, writer), return_exceptions=True)

    between = free_port()
    async with await asyncio.start_server(relay, "127.0.0.1", between):
        client = await Client.connect(f"127.0.0.1:{between}")
        breaks = True
        with pytest.raises(RPCError) as caught:
            await client.workflow_service.count_workflow_executions(
                CountWorkflowExecutionsRequest(namespace=client.namespace), retry=False
            )
    assert refusal_of(caught.value).status == 503, (caught.value.status, caught.value.message)


async def test_a_portal_that_hangs_up_within_its_body_is_no_mistake_of_ours(
    api: Served, order: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    host, _, port = api.url.removeprefix("http://").partition(":")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            _, writer = await asyncio.open_connection(host, int(port))
            head = f"POST /v1/checkouts HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {PORTAL}\r\n"
            writer.write(f"{head}content-type: application/json\r\ncontent-length: 5000\r\n\r\n{{".encode())
            await writer.drain()
            await asyncio.sleep(0.2)  # so that the API waits for the rest
            writer.transport.abort()
        assert (await api.post("/v1/checkouts", order, PORTAL)).status_code == 202
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []
