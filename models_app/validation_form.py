"""The form that starts a validation: a kernel that can do it, what it shall do, over which datasets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from datasets_app.models import Dataset
from jobs.models import State
from kernels_app.models import Kernel
from models_app.choices import KernelCard, sorted_kernels
from models_app.complaints import why_not
from models_app.form_inputs import DatasetsField
from models_app.models import Operation, TrainedModel
from models_app.reports.found import USUAL
from projects_app.models import TrainingType


class OperationInput(forms.RadioSelect):
    """What no kernel here can do is shown, but cannot be chosen."""

    possible: frozenset[str] = frozenset(Operation.values)

    def create_option(self, name: str, value: Any, label: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(name, value, label, *args, **kwargs)
        if value not in self.possible:
            option["attrs"]["disabled"] = True
            why = _("no kernel here can do this")
            option["label"] = f"{label} ({why})"
        return option


class StartForm(forms.Form):
    kernel = forms.ModelChoiceField(Kernel.objects.none(), label=gettext_lazy("Kernel"), empty_label=None)
    operation = forms.ChoiceField(label=gettext_lazy("Operation"), choices=Operation.choices, widget=OperationInput)
    min_score = forms.FloatField(
        label=gettext_lazy("Keep labels from a score of"),
        required=False,
        min_value=0,
        max_value=1,
        widget=forms.NumberInput(attrs={"step": "0.01", "class": "param-number"}),
        help_text=gettext_lazy("For inference: what the model is less sure of becomes no label."),
    )
    datasets = DatasetsField(
        Dataset.objects.none(),
        label=gettext_lazy("Datasets"),
        error_messages={"required": gettext_lazy("Choose at least one dataset.")},
    )

    def __init__(self, model: TrainedModel, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kernels = kernels(model)
        fitting = Kernel.objects.filter(pk__in=[one.pk for one in self.kernels.fitting])
        cast(forms.ModelChoiceField, self.fields["kernel"]).queryset = fitting
        able = {operation for kernel in self.kernels.fitting for operation in kernel.operations}
        cast(OperationInput, self.fields["operation"].widget).possible = frozenset(able)
        datasets = Dataset.objects.filter(project=model.project).order_by("name")
        cast(forms.ModelMultipleChoiceField, self.fields["datasets"]).queryset = datasets
        if model.model_type.training_type not in (TrainingType.OD, TrainingType.SEG):
            del self.fields["min_score"]
        self.trained_with = model.kernel_id

    @property
    def kernel_cards(self) -> list[KernelCard]:
        """Those to choose from: the one that trained the model first, then by name."""
        chosen = str(self["kernel"].value())
        first = sorted(self.kernels.fitting, key=lambda one: (one.pk != self.trained_with, one.name, -one.pk))
        return [KernelCard(kernel, is_chosen=str(kernel.pk) == chosen) for kernel in first]


@dataclass(frozen=True)
class Kernels:
    """Those that can run over data for a model, and the others with the reason."""

    fitting: list[Kernel]
    others: list[tuple[Kernel, str]]


def kernels(model: TrainedModel) -> Kernels:
    """Of each name the newest, and the one that trained the model. One that cannot validate may still infer."""
    trains, refused = sorted_kernels(model.project, model.model_type, model.kernel_id)
    fitting, others = [], []
    for kernel in (*trains, *(one for one, _why in refused)):
        reasons = [why_not(kernel, model.project, model.model_type, operation) for operation in Operation.values]
        if all(reasons):
            others.append((kernel, reasons[0]))
        else:
            fitting.append(kernel)
    return Kernels(fitting, others)


def usual_score(model: TrainedModel) -> float | None:
    """From which score on the shapes of an inference become labels: what served best when it was validated last."""
    kind = model.model_type.training_type
    if kind not in (TrainingType.OD, TrainingType.SEG):
        return None
    judged = model.validations.filter(operation=Operation.VALIDATION, job__state=State.SUCCEEDED).order_by("-pk")
    figures = judged.values_list("figures", flat=True).first() or {}
    found = figures.get("min_score")
    if isinstance(found, int | float):
        return float(found)
    return 0.0 if kind == TrainingType.SEG else USUAL


def proposal(model: TrainedModel, operation: str) -> dict[str, Any]:
    """What the form shows before anybody changed it."""
    return {
        "kernel": model.kernel_id,
        "operation": operation if operation in Operation.values else Operation.VALIDATION,
        "datasets": model.validation_datasets.all(),
        "min_score": usual_score(model),
    }
