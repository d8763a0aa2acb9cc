"""The embedded engine: a real Temporal server, a real PostgreSQL and the sandbox, run as children of one command."""
