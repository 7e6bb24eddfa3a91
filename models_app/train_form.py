"""The training form: one set of fields, prefilled from where the user came, checked live and again at the start."""

from __future__ import annotations

import zlib
from dataclasses import replace
from functools import cached_property
from typing import Any, cast

from django import forms
from django.conf import settings
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from datasets_app.models import Dataset
from datasets_app.remarks import Remark
from jobs import queue
from kernels_app import fields, schema
from kernels_app.models import Kernel
from models_app import form_data, form_params, model_json
from models_app.choices import sorted_kernels
from models_app.complaints import Complaint, Report
from models_app.form_inputs import DatasetsField, FilesField
from models_app.models import Origin, Preset, TrainedModel
from models_app.orders import TrainOrder
from models_app.sweeps.plan import SweepPlan
from models_app.sweeps.starting import SweepOrder
from projects_app.korean import fluent
from projects_app.listing import whole
from projects_app.models import ModelType, Project

MOST_SAID = 50  # complaints at one place; who mends these sees the next


class TrainForm(forms.Form):
    """`data`: what was chosen so far; it may lack anything. The settings stand beside these fields, or are one text."""

    model_type = forms.ModelChoiceField(ModelType.objects.none(), label=gettext_lazy("Model type"))
    kernel = forms.ModelChoiceField(Kernel.objects.none(), label=gettext_lazy("Kernel"))
    train = DatasetsField(Dataset.objects.none(), label=gettext_lazy("Training datasets"))
    validation = DatasetsField(Dataset.objects.none(), label=gettext_lazy("Validation datasets"))
    base_model = forms.ModelChoiceField(
        TrainedModel.objects.none(), required=False, label=gettext_lazy("Base model"), empty_label=gettext_lazy("None")
    )
    retrained_from = forms.ModelChoiceField(TrainedModel.objects.none(), required=False, widget=forms.HiddenInput)
    name = forms.CharField(max_length=200, label=gettext_lazy("Name"))
    description = forms.CharField(
        required=False, label=gettext_lazy("Description"), widget=forms.Textarea(attrs={"rows": 2})
    )
    devices = forms.IntegerField(min_value=1, label=gettext_lazy("GPUs"))
    etc = FilesField(required=False, allow_empty_file=True, label=gettext_lazy("Extra files"))

    def __init__(self, project: Project, data: QueryDict, files: Any = None) -> None:
        self.project = project
        self.said = self.refused = ""  # what one of the form's buttons did
        self.remarks: list[Remark] = []  # on what it did
        self.line_errors: list[tuple[int, str]] = []
        super().__init__(data, files)
        self.model_types = ModelType.objects.filter(project=project)
        self._set("model_type", self.model_types)
        self.chosen_type = self._chosen("model_type", self.model_types)
        self._set_kernels()
        datasets = Dataset.objects.filter(project=project).order_by("name")
        self._set("train", datasets)
        self._set("validation", datasets)
        models = TrainedModel.objects.filter(project=project).select_related("job", "kernel")
        self._set("retrained_from", models)
        self.origin_model: TrainedModel | None = self._chosen("origin", models) or self._chosen(
            "retrained_from", models
        )
        self._set("base_model", models)
        self._drop_strange_base()

    # --- what the page shows ---

    def _set(self, name: str, queryset: QuerySet[Any]) -> None:
        cast(forms.ModelChoiceField, self.fields[name]).queryset = queryset

    def _set_kernels(self) -> None:
        """Offer the kernels that fit the model type; say of the others why they do not."""
        typed = self.data.get("kernel", "")
        self.offered, self.not_offered = sorted_kernels(self.project, self.chosen_type, whole(typed))
        listed = [*self.offered, *(kernel for kernel, _why in self.not_offered)]
        self._set("kernel", Kernel.objects.filter(pk__in=[kernel.pk for kernel in listed]))
        chosen = next((kernel for kernel in self.offered if str(kernel.pk) == typed), None)
        self.chosen_kernel = chosen or (self.offered[0] if self.offered else None)
        self.is_kernel_replaced = bool(typed) and chosen is None
        if self.chosen_kernel:
            given = cast(QueryDict, self.data)
            self.data = form_data.settle_settings(self.project, given, self.chosen_kernel, self.chosen_type)

    def _drop_strange_base(self) -> None:
        """A base model of another training type has no place on the page: say that it is not used."""
        base = self._chosen(
            "base_model", TrainedModel.objects.filter(project=self.project).select_related("model_type")
        )
        if base and self.chosen_type and base.model_type.training_type != self.chosen_type.training_type:
            data = cast(QueryDict, self.data).copy()
            data["base_model"] = data["retrained_from"] = ""
            self.data = data
            text = _("The base model “%(name)s” is of another training type (%(type)s) and is not used here.")
            self.refused = text % {"name": base.name, "type": base.model_type.training_type}

    def _chosen(self, name: str, queryset: QuerySet[Any]) -> Any:
        value = whole(self.data.get(name, ""))
        return queryset.filter(pk=value).first() if value else None

    @cached_property
    def settings(self) -> form_params.Params | None:
        """What was typed into the settings; None without a kernel."""
        return form_params.read(self.chosen_kernel.schema, cast(QueryDict, self.data)) if self.chosen_kernel else None

    @cached_property
    def params(self) -> list[fields.Field]:
        """The settings as inputs; none in the JSON view."""
        if self.chosen_kernel is None or (self.settings and self.settings.is_json):
            return []
        origin = self.origin_model.params if self.origin_model else None
        return fields.fields(self.chosen_kernel.schema, self.data, origin)

    def keep_rows(self, data: QueryDict) -> None:
        """Complaints go to the other settings as the page lists them, though one of them may have its field by now."""
        if self.settings:
            self.settings = replace(self.settings, rows=tuple(data.getlist(fields.EXTRA_KEY)))

    def beside(self) -> list[Remark]:
        """On what stands beside the settings where the text is a whole model.json."""
        source = self.settings.source if self.settings else None
        return model_json.remarks(source.value, self.own()) if source else []

    def own(self) -> model_json.Form:
        """What the form says where a model.json may say something else."""
        kind = self.chosen_type
        again = self._chosen("retrained_from", TrainedModel.objects.filter(project=self.project))
        return model_json.Form(kind.training_type if kind else "", kind.code if kind else "", _image_types(again))

    def carried(self) -> list[tuple[str, str]]:
        """Without a kernel there are no inputs for the settings: what was typed waits unseen for the next one."""
        data = cast(QueryDict, self.data)
        waiting = [*filter(form_data.is_of_settings, data), fields.ASIDE_KEY, fields.ASIDE_VALUE]
        return [(name, value) for name in waiting for value in data.getlist(name)]

    @property
    def shape(self) -> str:
        """Changes where other inputs are needed: by a condition of the schema, say."""
        return " ".join(_shape(self.params))

    @cached_property
    def plan(self) -> SweepPlan | None:
        return SweepPlan.read(self.chosen_kernel.schema, cast(QueryDict, self.data)) if self.chosen_kernel else None

    @property
    def allows_extra(self) -> bool:
        """Whether the schema takes settings that it does not name."""
        return self.chosen_kernel is not None and fields.allows_extra(self.chosen_kernel.schema)

    @property
    def preset(self) -> Preset | None:
        if self.chosen_kernel is None:
            return None
        return form_params.preset_of(self.project, self.chosen_kernel, self.chosen_type)

    @property
    def newer(self) -> Kernel | None:
        """The version that came out while the form was open; a retraining wants its own."""
        mine = self.chosen_kernel
        if mine is None or self.data.get("retrained_from"):
            return None
        return next((kernel for kernel in self.offered if kernel.name == mine.name and kernel.pk > mine.pk), None)

    @cached_property
    def device_range(self) -> tuple[int, int]:
        """What the kernel takes, as far as some host has it."""
        low, high = self.chosen_kernel.gpu_range if self.chosen_kernel else (1, 1)
        return low, max(low, min(high, queue.most_devices()))

    @property
    def chosen_train(self) -> set[int]:
        return self._numbers("train")

    @property
    def chosen_validation(self) -> set[int]:
        return self._numbers("validation")

    def _numbers(self, name: str) -> set[int]:
        return {number for value in cast(QueryDict, self.data).getlist(name) if (number := whole(value))}

    # --- what is wrong with it ---

    def report(self, *, with_data: bool = True) -> Report:
        """Check everything at once; what is wrong stands in `errors` by field, settings as `params.<name>`.

        `line_errors`: (line, sentence) of those in the JSON text."""
        self.line_errors = []
        if self.chosen_type and not self.offered:
            self.errors.clear()
            self.errors["kernel"] = self.error_class([_("No kernel here trains this model type.")])
            return Report()
        order = self.order()
        report = order.check(with_data=with_data) if order else Report()
        unread = [self._complaint(problem) for problem in self.settings.problems] if self.settings else []
        if self.settings and self.settings.is_unreadable:
            report.errors = [one for one in report.errors if not one.pointer and not one.field.startswith("params")]
        batch = SweepOrder(order, self.plan, self.plan.keep_best) if order and self.plan else None
        if batch and batch.plan.is_on:
            is_sound = not unread and not any(one.pointer for one in report.errors)
            wrong = batch.check() if is_sound else [Complaint(*problem) for problem in batch.plan.problems]
            report.errors += [one for one in wrong if one not in report.errors]
        known = {complaint.pointer for complaint in unread}
        for complaint in [*unread, *(one for one in report.errors if not one.pointer or one.pointer not in known)]:
            self._say(complaint)
        return report

    def _complaint(self, problem: schema.Problem) -> Complaint:
        return Complaint("params", problem.message, problem.pointer or "/", problem.keyword)

    def _say(self, complaint: Complaint) -> None:
        """Put it where its field is, in the JSON text at its line."""
        name, message = complaint.field, fluent(complaint.message)
        if complaint.pointer and self.settings:
            place = self.settings.place(complaint.pointer, self.params, complaint.keyword)
            name = place.name
            if place.line is not None:
                self.line_errors.append((place.line, message))
                message = _("Line %(n)d: %(message)s") % {"n": place.line, "message": message}
        said = self.errors.setdefault(name, self.error_class())
        if len(said) < MOST_SAID and message not in said:
            said.append(message)

    def order(self) -> TrainOrder | None:
        """The order as far as it can be said; None while the model type or the kernel is missing."""
        self.full_clean()
        clean = self.cleaned_data
        if not clean.get("model_type") or not clean.get("kernel") or self.settings is None:
            return None
        return TrainOrder(
            project=self.project,
            model_type=clean["model_type"],
            kernel=clean["kernel"],
            train=list(clean.get("train") or []),
            validation=list(clean.get("validation") or []),
            name=clean.get("name", ""),
            description=clean.get("description", ""),
            params=self._params(),
            devices=clean.get("devices") or 1,
            base_model=clean.get("base_model"),
            retrained_from=clean.get("retrained_from"),
            origin=self._origin(),
            image_types=_image_types(clean.get("retrained_from")),
            extra_files=clean.get("etc") or [],
            by_title=not self.settings.is_json,
        )

    def _params(self) -> dict[str, Any]:
        """The settings; of a batch those of its first training, since what varies need not stand in its input."""
        values = self.settings.values if self.settings else {}
        if self.plan and self.plan.is_on and not self.plan.problems and 0 < self.plan.count <= settings.SWEEP_LIMIT:
            return values | next(iter(self.plan.points()), {})
        return values

    def batch(self) -> SweepOrder | None:
        """The order of a batch, where one is asked for."""
        order = self.order()
        if order is None or self.plan is None or not self.plan.is_on:
            return None
        return SweepOrder(order, self.plan, self.plan.keep_best)

    def _origin(self) -> str:
        if self.cleaned_data.get("retrained_from"):
            return Origin.RETRAIN
        return Origin.ADDITIONAL if self.cleaned_data.get("base_model") else Origin.TRAIN

    def full_clean(self) -> None:
        """Once: the order's complaints are added to these errors, not wiped by a second look."""
        if self._errors is None:  # type: ignore[attr-defined, has-type]
            super().full_clean()
            for name in ("train", "validation", "name"):  # the order says these better
                if not self.data.get(name):
                    self._errors.pop(name, None)  # type: ignore[attr-defined]


def _image_types(again: TrainedModel | None) -> list[str]:
    """Those of the model that is trained once more."""
    found = again.settings.get("trainable_image_type") if again else None
    return found if isinstance(found, list) else []


def _shape(params: Any) -> list[str]:
    """Of each input its name and kind, its choices and its limits."""
    found = []
    for field in params:
        limits = f"{field.required:d}{field.applies:d}{field.hint}{len(field.choices)}"
        found.append(f"{field.name}:{field.kind}:{field.mode}:{zlib.crc32(limits.encode())}")
        found += _shape(field.children)
    return found
