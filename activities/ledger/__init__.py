"""Our own memory: what outlives a process, in PostgreSQL."""
