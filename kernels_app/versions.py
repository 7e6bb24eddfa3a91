"""One name, several versions: what a version changed, and which saved settings it would not take."""

from __future__ import annotations

from dataclasses import dataclass

from kernels_app import schema
from kernels_app.models import Kernel
from kernels_app.schema.changes import Change, changes
from projects_app.models import Project

LOOKED_AT = 200  # of the newest models


@dataclass(frozen=True)
class Broken:
    """Settings that somebody saved, and the first thing that this version says of them."""

    name: str
    address: str  # of the model; empty for a preset
    problem: str
    more: int = 0  # further problems


@dataclass(frozen=True)
class Since:
    """What is different from an earlier version."""

    version: Kernel
    others: list[Kernel]  # the other earlier ones
    changes: list[Change]
    presets: list[Broken]
    models: list[Broken]
    models_are_cut: bool


def since(kernel: Kernel, project: Project, earlier: str) -> Since | None:
    """Against the version with this id, else the one before; None where there is none."""
    older = list(Kernel.objects.filter(name=kernel.name, pk__lt=kernel.pk).order_by("-pk"))
    if not older:
        return None
    chosen = next((one for one in older if str(one.pk) == earlier), older[0])
    others = project.trained_models.filter(kernel__name=kernel.name).exclude(kernel=kernel)
    models = others.select_related("project").order_by("-pk")
    presets = project.presets.filter(kernel_name=kernel.name).select_related("model_type")
    return Since(
        version=chosen,
        others=[one for one in older if one != chosen],
        changes=changes(chosen.schema, kernel.schema),
        presets=[b for one in presets if (b := _broken(kernel, one.model_type.code, "", one.params))],
        models=[
            broken
            for one in models[:LOOKED_AT]
            if (broken := _broken(kernel, one.name, one.get_absolute_url(), one.settings.get(schema.PARAMS, {})))
        ],
        models_are_cut=models.count() > LOOKED_AT,
    )


def _broken(kernel: Kernel, name: str, address: str, params: dict[str, object]) -> Broken | None:
    problems = schema.check_params(kernel.schema, params)
    return Broken(name, address, problems[0].message, len(problems) - 1) if problems else None
