"""The training form: one set of fields, prefilled from where the user came, checked live and again at the start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.conf import settings
from django.db.models import Count, QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from datasets_app.models import Annotation, Dataset, Image, labelled_field
from jobs import queue
from jobs.models import TERMINAL
from kernels_app import params
from kernels_app.models import Kernel
from models_app.models import Origin, TrainedModel
from models_app.orders import Report, TrainOrder, propose_name, why_not
from projects_app.listing import whole
from projects_app.models import ModelType, Project, TrainingType


class FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Several files, together not larger than the installation allows."""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        files = [super(FilesField, self).clean(file, initial) for file in data or []]
        if sum(file.size for file in files) > settings.ETC_LIMIT:
            limit = settings.ETC_LIMIT // 1024**2
            raise forms.ValidationError(_("The extra files may have at most %(n)d MB together.") % {"n": limit})
        if len({file.name for file in files}) < len(files):
            raise forms.ValidationError(_("Two extra files have the same name."))
        return files


class DatasetsField(forms.ModelMultipleChoiceField):
    """Several datasets. What is no number is none of them; the database is not asked for it."""

    def clean(self, value: Any) -> Any:
        for given in value or []:
            if whole(str(given)) is None:
                raise forms.ValidationError(self.error_messages["invalid_choice"], params={"value": given})
        return super().clean(value)


class TrainForm(forms.Form):
    """`data`: what was chosen so far; it may lack anything. Parameters are `params.<name>` beside these fields."""

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
    etc = FilesField(required=False, label=gettext_lazy("Extra files"))

    def __init__(self, project: Project, data: QueryDict, files: Any = None) -> None:
        self.project = project
        super().__init__(data, files)
        self.model_types = ModelType.objects.filter(project=project)
        self._set("model_type", self.model_types)
        self.chosen_type = self._chosen("model_type", self.model_types)
        self._set_kernels()
        datasets = Dataset.objects.filter(project=project).order_by("name")
        self._set("train", datasets)
        self._set("validation", datasets)
        models = TrainedModel.objects.filter(project=project).select_related("job")
        self._set("retrained_from", models)
        if self.chosen_type:
            models = models.filter(model_type__training_type=self.chosen_type.training_type)
        self._set("base_model", models)
        ended = models.filter(job__state__in=TERMINAL).order_by("-pk")[:200]
        self.base_models = [model for model in ended if model.has_checkpoint] if self.chosen_type else []

    # --- what the page shows ---

    def _set(self, name: str, queryset: QuerySet[Any]) -> None:
        cast(forms.ModelChoiceField, self.fields[name]).queryset = queryset

    def _set_kernels(self) -> None:
        """Offer the kernels that fit the model type; say of the others why they do not."""
        kernels = list(Kernel.objects.on_in(self.project).newest().order_by("name"))
        typed = self.data.get("kernel", "")
        if (older := whole(typed)) and older not in {kernel.pk for kernel in kernels}:
            kernels += list(Kernel.objects.on_in(self.project).filter(pk=older))  # an older version, by retraining
        reasons = {
            kernel: why_not(kernel, self.project, self.chosen_type, "training") if self.chosen_type else ""
            for kernel in kernels
        }
        self.offered = [kernel for kernel, reason in reasons.items() if not reason]
        self.not_offered = [(kernel, reason) for kernel, reason in reasons.items() if reason]
        self._set("kernel", Kernel.objects.filter(pk__in=[kernel.pk for kernel in kernels]))
        chosen = next((kernel for kernel in self.offered if str(kernel.pk) == typed), None)
        self.chosen_kernel = chosen or (self.offered[0] if self.offered else None)
        self.is_kernel_replaced = bool(typed) and chosen is None
        if self.chosen_kernel:
            self.data = _for_kernel(cast(QueryDict, self.data), self.chosen_kernel)

    def _chosen(self, name: str, queryset: QuerySet[Any]) -> Any:
        value = whole(self.data.get(name, ""))
        return queryset.filter(pk=value).first() if value else None

    @property
    def params(self) -> list[params.ParamField]:
        return params.fields(self.chosen_kernel.schema, params.typed(self.data)) if self.chosen_kernel else []

    @property
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

    def dataset_rows(self) -> list[tuple[Dataset, int, int]]:
        """Every dataset of the project with its images, and how many of them are labelled for the model type."""
        datasets = Dataset.objects.filter(project=self.project).annotate(count=Count("images")).order_by("name")
        labelled = labelled_counts(self.project, self.chosen_type) if self.chosen_type else {}
        return [(dataset, dataset.count, labelled.get(dataset.pk, 0)) for dataset in datasets]  # type: ignore[attr-defined]

    # --- what is wrong with it ---

    def report(self, *, with_data: bool = True) -> Report:
        """Check everything at once; what is wrong stands in `errors` by field, parameters as `params.<name>`."""
        if self.chosen_type and not self.offered:
            self.errors.clear()
            self.errors["kernel"] = self.error_class([_("No kernel here trains this model type.")])
            return Report()
        order = self.order()
        report = order.check(with_data=with_data) if order else Report()
        for complaint in report.errors:
            self.errors.setdefault(complaint.field, self.error_class()).append(complaint.message)
        return report

    def order(self) -> TrainOrder | None:
        """The order as far as it can be said; None while the model type or the kernel is missing."""
        self.full_clean()
        clean = self.cleaned_data
        if not clean.get("model_type") or not clean.get("kernel"):
            return None
        kernel = clean["kernel"]
        return TrainOrder(
            project=self.project,
            model_type=clean["model_type"],
            kernel=kernel,
            train=list(clean.get("train") or []),
            validation=list(clean.get("validation") or []),
            name=clean.get("name", ""),
            description=clean.get("description", ""),
            params=params.values(kernel.schema, params.typed(self.data)),
            devices=clean.get("devices") or 1,
            base_model=clean.get("base_model"),
            retrained_from=clean.get("retrained_from"),
            origin=self._origin(),
            extra_files=clean.get("etc") or [],
        )

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


def _for_kernel(given: QueryDict, kernel: Kernel) -> QueryDict:
    """The data with `kernel` chosen. Where the inputs showed another kernel's settings, what was typed stays, but what
    stood there as that one's default gives way to the default of this one."""
    data = given.copy()
    shown = str(data.get("shown_kernel", ""))
    data["kernel"] = data["shown_kernel"] = str(kernel.pk)
    before = Kernel.objects.filter(pk=whole(shown) or 0).first() if shown != str(kernel.pk) else None
    for field in params.fields(before.schema, params.typed(data)) if before else []:
        if not field.is_changed:
            data.pop(field.html_name, None)
    return data


def labelled_counts(project: Project, model_type: ModelType) -> dict[int, int]:
    """By dataset: how many images can teach `model_type`."""
    if model_type.training_type in (TrainingType.OD, TrainingType.SEG):
        images = Image.objects.filter(dataset__project=project, **{labelled_field(model_type.training_type): True})
        return dict(images.order_by().values_list("dataset").annotate(Count("pk")))
    labels = Annotation.objects.filter(
        image__dataset__project=project, annotation_type__in=model_type.annotation_types.all()
    )
    return dict(labels.order_by().values_list("image__dataset").annotate(Count("image", distinct=True)))


def initial(project: Project, query: Mapping[str, Any]) -> QueryDict:
    """The data of a fresh form: what the URL says, then what a model it names used, then what is usual."""
    data = QueryDict(mutable=True)
    source = _source(project, query)
    if source:
        model, is_retraining = source
        data.update({"model_type": str(model.model_type_id), "devices": str(model.devices)})
        data["kernel"] = str(model.kernel_id)
        data.setlist("train", [str(pk) for pk in model.train_datasets.values_list("pk", flat=True)])
        data.setlist("validation", [str(pk) for pk in model.validation_datasets.values_list("pk", flat=True)])
        data.update({params.PREFIX + name: text for name, text in params.texts_of(model.params).items()})
        base = model.base_model_id if is_retraining else model.pk
        data["base_model"] = str(base or "")
        data["retrained_from"] = str(model.pk) if is_retraining else ""
    for name in ("model_type", "kernel", "name", "description", "devices", "train", "validation"):
        given = cast(QueryDict, query).getlist(name)
        if given:
            data.setlist(name, given)
    return fill_usual(project, data)


def _source(project: Project, query: Mapping[str, Any]) -> tuple[TrainedModel, bool] | None:
    for name, is_retraining in (("retrain", True), ("base", False)):
        if value := whole(str(query.get(name, ""))):
            found = TrainedModel.objects.filter(project=project, pk=value).first()
            return (found, is_retraining) if found else None
    return None


def fill_usual(project: Project, data: QueryDict) -> QueryDict:
    """What was left open: one device, a proposed name, the model type that the datasets are for."""
    data.setdefault("devices", "1")
    types = ModelType.objects.filter(project=project)
    train = Dataset.objects.filter(project=project, pk__in=filter(None, map(whole, data.getlist("train"))))
    if not data.get("model_type"):
        fitting = types.filter(annotation_types__annotations__image__dataset__in=train) if train else types
        first = fitting.order_by("code").distinct().first()
        data["model_type"] = str(first.pk) if first else ""
    if len(train) == 1 and not data.getlist("validation") and train[0].name.endswith("-train"):
        sibling = Dataset.objects.filter(project=project, name=train[0].name.removesuffix("train") + "val").first()
        data.setlist("validation", [str(sibling.pk)] if sibling else [])
    if data.get("name") == data.get("proposed"):
        data["name"] = ""
    if not data.get("name") and (number := whole(str(data["model_type"]))):
        model_type = types.filter(pk=number).first()
        data["name"] = data["proposed"] = propose_name(project, model_type, list(train)) if model_type else ""
    return data
