"""Our memory, for telling each person once."""

from tests.ledger.conftest import ledger, migrated, postgres_server

__all__ = ["ledger", "migrated", "postgres_server"]
