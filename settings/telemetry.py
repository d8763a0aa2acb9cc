"""Logs, and traces by the standard OpenTelemetry variables. Traces are off until an exporter is named.

No span carries personal data or secrets: what a person typed into an address and the traces of exceptions (those behind
ours may quote what was sent) stay in this process. The words of our own failures leave as a span's status.
"""

import logging
import os
import threading
from pathlib import Path

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanLimits, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from temporalio.contrib.opentelemetry import create_tracer_provider

from settings.load import ConfigError

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_FLUSH_SECONDS = 5.0


def wants_traces() -> bool:
    """Whether the standard variables ask for traces: an exporter or an OTLP endpoint is named, and nothing says no."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "").strip()
    return exporter != "none" if exporter else any(os.environ.get(name) for name in _ENDPOINTS)


def set_up_telemetry(service: str) -> None:
    """Call once at the start of a process. Raises ConfigError for what the variables ask and we cannot do."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("httpx2", "httpx", "httpcore2", "temporalio.activity"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if not wants_traces():
        return
    name = os.environ.setdefault("OTEL_SERVICE_NAME", service)
    provider = create_tracer_provider(
        resource=Resource.create({"service.name": name}),
        span_limits=SpanLimits(max_events=0),  # events are exceptions here, with their traces
    )
    provider.add_span_processor(_Discreet())
    provider.add_span_processor(BatchSpanProcessor(_exporter()))
    trace.set_tracer_provider(provider)


def end_telemetry() -> None:
    """Send what is left. A collector that does not answer holds the end of the process up for some seconds at most."""
    shutdown = getattr(trace.get_tracer_provider(), "shutdown", None)
    if shutdown is None:
        return
    sending = threading.Thread(target=shutdown, name="last spans", daemon=True)
    sending.start()
    sending.join(_FLUSH_SECONDS)


def _exporter() -> OTLPSpanExporter | ConsoleSpanExporter:
    named = os.environ.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    if named == "console":
        return ConsoleSpanExporter()
    if named != "otlp":
        raise _refused("OTEL_TRACES_EXPORTER", named, "none, otlp, console")
    protocol = next(((name, os.environ[name]) for name in _PROTOCOLS if os.environ.get(name)), None)
    if protocol is not None and protocol[1] != "http/protobuf":
        raise _refused(*protocol, "http/protobuf")
    return OTLPSpanExporter()


def _refused(name: str, value: str, allowed: str) -> ConfigError:
    return ConfigError(Path("environment"), [f"{name}: {value!r} is not allowed; allowed: {allowed}"])


class _Discreet(SpanProcessor):
    """A query string may hold what a person typed; the path and the route say enough."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if span.attributes and "url.query" in span.attributes:
            span.set_attribute("url.query", "…")
