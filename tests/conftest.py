"""Fixtures for all tests."""

from tests.sandbox_process import sandbox

__all__ = ["sandbox"]
