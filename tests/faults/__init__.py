"""Faults: processes killed at the worst moment, disks full, databases away, clocks set. See README.md."""
