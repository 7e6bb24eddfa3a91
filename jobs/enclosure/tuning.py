"""What the C libraries below a kernel are told by its environment, measured.

`SPIN`: how long a thread waits awake for the next piece of work. With small convolutions on 2 cores: 0 sleeps at once,
5.8 images/s; 3000 (some microseconds) 8.1; libgomp's default 7.4. Where two jobs share the cores, 3000 loses an eighth
against 0, and 30000 two thirds.

`MALLOC`: a training takes and frees the same large blocks in every step. glibc hands each back to the system, which
gives new pages of 4 KB, one by one, for the next: 80,000 page faults a step for a batch of 32 images of 128 px. What is
freed is kept for the process instead, in pages of 2 MB where the system has them: 1 fault a step, a fifth less CPU,
the same peak of memory.
"""

from __future__ import annotations

SPIN = "3000"
MALLOC = ":".join(
    f"glibc.malloc.{name}={value}"
    for name, value in {"hugetlb": 1, "mmap_max": 0, "trim_threshold": 8 * 2**30, "top_pad": 64 * 2**20}.items()
)
ENVIRONMENT = {"GOMP_SPINCOUNT": SPIN, "GLIBC_TUNABLES": MALLOC}
