"""The configuration: one file, secrets from the environment or from files, checked before anything starts."""
