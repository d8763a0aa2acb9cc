"""The operators' console: server-rendered pages that work without scripts."""
