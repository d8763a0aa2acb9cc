"""The shared language: orders, money, customers, payments. Pure rules; no I/O and no engine."""
