"""Logs, and traces by the standard OpenTelemetry variables. Traces are off until an exporter is named."""

import logging
import os

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from temporalio.contrib.opentelemetry import create_tracer_provider


def wants_traces() -> bool:
    named = os.environ.get("OTEL_TRACES_EXPORTER", "")
    if named in ("", "none"):
        return bool(
            named != "none"
            and (os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
        )
    return True


def set_up_telemetry(service: str) -> None:
    """Call once at the start of a process. Raises ValueError for an exporter that is not known."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("httpx2", "httpx", "httpcore2", "temporalio.activity"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if not wants_traces():
        return
    name = os.environ.setdefault("OTEL_SERVICE_NAME", service)
    exporter = os.environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    provider = create_tracer_provider(resource=Resource.create({"service.name": name}))
    if exporter == "otlp":
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    elif exporter == "console":
        provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
    else:
        raise ValueError(f"OTEL_TRACES_EXPORTER: {exporter!r} is not allowed; allowed: none, otlp, console")
    trace.set_tracer_provider(provider)
