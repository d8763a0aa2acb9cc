"""HTTP: portals, vendors' notifications, and the operators' console."""
