"""The fields of a kernel's settings: out of its schema into form data, and back, without losing anything.

`texts` says how one value stands in one input, `shape` what a schema asks for, `forms` turns settings into form data
and back, `moving` takes them to another kernel, `showing` makes what a page shows, and `titles` names a setting for
people.
"""

from kernels_app.fields.forms import Decoded, allows_extra, decode, encode, fill_defaults, reset, set_aside
from kernels_app.fields.moving import Moved, move
from kernels_app.fields.names import (
    ASIDE_KEY,
    ASIDE_VALUE,
    EXTRA_KEY,
    EXTRA_VALUE,
    MODE,
    PREFIX,
    html_name,
    html_name_of,
)
from kernels_app.fields.showing import Field, fields
from kernels_app.fields.titles import entries, joined, labels

__all__ = [
    "ASIDE_KEY",
    "ASIDE_VALUE",
    "EXTRA_KEY",
    "EXTRA_VALUE",
    "MODE",
    "PREFIX",
    "Decoded",
    "Field",
    "Moved",
    "allows_extra",
    "decode",
    "encode",
    "entries",
    "fields",
    "fill_defaults",
    "html_name",
    "html_name_of",
    "joined",
    "labels",
    "move",
    "reset",
    "set_aside",
]
