"""What a case stubs, openly: GPUs that are not there, a clock that is set, and points at which a process dies.

Installed by `tests.faults.settings` alone. Everything else that a case runs is the portal as it is.
"""
