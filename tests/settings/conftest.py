"""Fixtures of the settings' tests."""

from tests.engine_process import engine_client, temporal_address, temporal_server

__all__ = ["engine_client", "temporal_address", "temporal_server"]
