"""A kernel's schema: is it one, what are its defaults, and does `model.json` satisfy it, in words for people.

The verdict is jsonschema's (draft 2020-12); nothing is ever fetched, and patterns run on re2, which cannot hang.
"""

from kernels_app.references import resolve, target
from kernels_app.schema.compiled import Compiled, compiled, validator
from kernels_app.schema.document import (
    PARAMS,
    READ_ONLY,
    defaults,
    description,
    params_schema,
    pointer_of,
    title,
    training_types,
    unit,
)
from kernels_app.schema.faults import Fault, faults, faults_of_text
from kernels_app.schema.verdict import check, check_params
from kernels_app.schema.words import Label, Problem, about, shown

__all__ = [
    "PARAMS",
    "READ_ONLY",
    "Compiled",
    "Fault",
    "Label",
    "Problem",
    "about",
    "check",
    "check_params",
    "compiled",
    "defaults",
    "description",
    "faults",
    "faults_of_text",
    "params_schema",
    "pointer_of",
    "resolve",
    "shown",
    "target",
    "title",
    "training_types",
    "unit",
    "validator",
]
