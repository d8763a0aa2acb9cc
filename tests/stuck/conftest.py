"""A real Temporal server and a real PostgreSQL; the processes are small ones of these tests."""

from tests.engine_process import (
    engine_client,
    fresh_number,
    ledger,
    postgres_server,
    postgres_url,
    temporal_address,
    temporal_server,
)

__all__ = [
    "engine_client",
    "fresh_number",
    "ledger",
    "postgres_server",
    "postgres_url",
    "temporal_address",
    "temporal_server",
]
