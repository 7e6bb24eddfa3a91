"""Measures the portal from outside: `python -m bench [NAME …]` (docs/bench.md)."""
