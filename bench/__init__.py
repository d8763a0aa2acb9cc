"""The claims about speed, measured side by side with a baseline on the same server in the same run. Never a test."""
