"""The command line. Commands talk to the HTTP API: one path for all ways in."""
