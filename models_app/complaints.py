"""What is wrong with an order, said to whoever gives it; and whether a kernel can do what is asked of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from datasets_app import checks
from kernels_app.models import Kernel, KernelState
from projects_app.models import ModelType, Project


@dataclass(frozen=True)
class Complaint:
    """What is wrong with an order: the field (a parameter's is `params.<name>`) and a sentence.

    `pointer`, `keyword`: where in `model.json` and which rule, for what is wrong with the settings."""

    field: str
    message: str
    pointer: str = ""
    keyword: str = dataclasses.field(default="", compare=False)


class OrderRefused(Exception):
    """The order breaks a rule; nothing was written."""

    def __init__(self, complaints: Sequence[Complaint]) -> None:
        super().__init__("; ".join(complaint.message for complaint in complaints))
        self.complaints = list(complaints)


@dataclass
class Report:
    """Errors block a start, warnings do not."""

    errors: list[Complaint] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    facts: checks.SetFacts | None = None


def kernel_complaints(kernel: Kernel, project: Project, model_type: ModelType, operation: str) -> list[Complaint]:
    if reason := why_not(kernel, project, model_type, operation):
        return [Complaint("kernel", reason)]
    return []


def why_not(kernel: Kernel, project: Project | None, model_type: ModelType, operation: str) -> str:
    """Why `kernel` cannot do `operation` for `model_type` here; empty when it can.

    `project`: whose switch is looked at; None where that is done."""
    if kernel.state != KernelState.READY:
        return _("The kernel is not ready: %(state)s.") % {"state": kernel.get_state_display()}
    if project is not None and not Kernel.objects.on_in(project).filter(pk=kernel.pk).exists():
        return _("The kernel is switched off in this project.")
    if not kernel.supports(model_type) and model_type.training_type in kernel.types:
        codes = ", ".join(kernel.codes or [])
        return _("The kernel is only for these model types: %(codes)s.") % {"codes": codes}
    if not kernel.supports(model_type):
        text = _("The kernel trains %(types)s, not %(type)s.")
        return text % {"types": ", ".join(kernel.types), "type": f"{model_type.code} ({model_type.training_type})"}
    if not kernel.supports_operation(operation):
        return _("The kernel does not support this operation; it supports: %(list)s.") % {
            "list": ", ".join(kernel.operations)
        }
    return ""
