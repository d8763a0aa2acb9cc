"""The demo: varied orders, buyers, an outage, and a verdict read from the books of every system."""
