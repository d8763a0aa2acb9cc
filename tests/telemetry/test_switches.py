"""Whether traces leave is decided by the standard OpenTelemetry variables alone, and by default none do."""

import asyncio
import os
import sys
import time
from pathlib import Path

import httpx2
import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from activities.http import send
from activities.ledger.store import Ledger
from commerce.order import Customer
from settings.load import ConfigError
from settings.telemetry import set_up_telemetry, wants_traces
from tests.telemetry.collector import running_collector, serving

ROOT = Path(__file__).parents[2]
ASK = """
from opentelemetry import trace
from settings.telemetry import end_telemetry, set_up_telemetry
set_up_telemetry("asked")
with trace.get_tracer("asked").start_as_current_span("the last one") as span:
    print(span.is_recording())
end_telemetry()
"""


async def _ask(**variables: str) -> tuple[int, str]:
    """What a process with these variables says about its one span."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ASK), cwd=ROOT, env={**kept, **variables}, stdout=-1, stderr=-2
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode().strip()


async def test_without_the_variables_nothing_is_recorded() -> None:
    assert await _ask() == (0, "False")


async def test_a_named_collector_hears_the_last_span_of_a_process_that_ends() -> None:
    async with running_collector() as collector:
        assert await _ask(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url) == (0, "True")
        assert [(span.service, span.name) for span in collector.spans] == [("asked", "the last one")]


async def test_a_collector_that_is_away_holds_no_end_up() -> None:
    began = time.monotonic()
    code, _ = await _ask(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert code == 0
    assert time.monotonic() - began < 45  # a deadline for a loaded machine; an exporter without a limit tries for long


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin", "none, otlp, console"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, allowed: str
) -> None:
    _only(monkeypatch, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", variable: value})
    with pytest.raises(ConfigError) as refused:
        set_up_telemetry("asked")
    assert str(refused.value) == f"environment: {variable}: {value!r} is not allowed; allowed: {allowed}"


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_the_variables_decide(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], wanted: bool) -> None:
    _only(monkeypatch, variables)
    assert wants_traces() is wanted


def _only(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


async def test_a_vendor_call_carries_the_trace_on() -> None:
    heard: list[str] = []

    async def vendor(request: Request) -> Response:
        heard.append(request.headers.get("traceparent", ""))
        return Response(status_code=204)

    async with serving(Starlette(routes=[Route("/", vendor)])) as url, httpx2.AsyncClient() as client:
        parent = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        with trace.use_span(NonRecordingSpan(parent)):
            await send(
                client,
                client.build_request("GET", url),
                span_name="GET /",
                system="vendor",
                writes=False,
                tried="ask the vendor",
            )
    assert [one.split("-")[:2] for one in heard] == [["00", f"{0xABC:032x}"]]


async def test_an_error_of_the_ledger_does_not_quote_what_was_stored(ledger: Ledger) -> None:
    with pytest.raises(DBAPIError) as failed:
        async with ledger.engine.begin() as connection:
            await connection.execute(text("SELECT 1 FROM nowhere WHERE email = :email"), {"email": "geheim@buyer"})
    assert "nowhere" in str(failed.value)
    assert "geheim" not in str(failed.value)


def test_an_error_of_the_language_does_not_quote_what_was_given() -> None:
    with pytest.raises(ValidationError) as failed:
        Customer.model_validate({"kind": "geheim", "email": "geheim@buyer"})
    assert "kind" in str(failed.value)
    assert "geheim" not in str(failed.value)
