"""The kernel contract, version 1.0, as code: what passes between the portal and a kernel.

Stdlib only and free of Django, so that a kernel process imports it as it is. Everything is a file below the run folder.

* `config`: `training.json`, how a run is told what to do
* `settings`: `model.json`, the settings that satisfy the kernel's schema
* `data`: the data set as a kernel sees it
* `status`: the status messages a kernel appends
* `metrics`: the metrics CSV files a kernel appends
* `results`: what training and the other operations leave behind
"""

VERSION = 1.0

TRAINING_TYPES = ("CL", "RC", "OD", "SEG")
OPERATIONS = ("training", "validation", "inference", "preprocessing")


class ContractError(ValueError):
    """A file is not as the contract says; the message names file and place, what was expected and what was found."""
