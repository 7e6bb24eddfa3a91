"""Kernels that people bring: fetched, unpacked, looked at, tried, and only then ready.

`order` takes what was sent and puts the job into the queue, `fetching` gets the files of it, `work` is the job.
"""

IMPORT = "import_kernel"  # the kind of its jobs
