"""What a kernel's schema says of single parameters, before there is a whole `model.json`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kernels_app import schema as schemas

# what speaks of several parameters together: the check of each whole training says that
WHOLE = (
    "required", "additionalProperties", "unevaluatedProperties", "minProperties", "maxProperties", "allOf", "anyOf",
    "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies",
)  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """One that may vary in a batch. `part`: its own schema, references put in."""

    name: str
    part: dict[str, Any]

    @property
    def title(self) -> str:
        return schemas.title(self.part, self.name)


def batchable(schema: dict[str, Any]) -> list[Parameter]:
    """The parameters that the kernel lets vary, in the schema's order."""
    section = schemas.resolve(schema.get("properties", {}).get("batchable_params"), schema)
    named = section.get("properties")
    names = {name for name, allowed in named.items() if allowed is not False} if isinstance(named, dict) else set()
    parts = schemas.params_schema(schema).get("properties", {})
    return [Parameter(name, schemas.resolve(part, schema)) for name, part in parts.items() if name in names]


class Judge:
    """Says of one value of one parameter what is wrong with it."""

    def __init__(self, schema: dict[str, Any]) -> None:
        parts = schemas.params_schema(schema).get("properties", {})
        alone = {key: value for key, value in schema.items() if key not in WHOLE}
        section = {"type": "object", "properties": parts}
        self.schema = alone | {"properties": schema.get("properties", {}) | {schemas.PARAMS: section}}
        self.validator = schemas.validator(self.schema)

    def complaints(self, name: str, value: Any, label: schemas.Label) -> Iterator[str]:
        """`label`: what the value is called at the place where it stands."""
        document = {schemas.PARAMS: {name: value}}
        if not self.validator.is_valid(document):
            for problem in schemas.check(self.schema, document, label):
                yield problem.message
