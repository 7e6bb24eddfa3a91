"""What a person sends to import: the upload, and then what shall become of the labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from datasets_app import formats
from datasets_app.models import Dataset
from datasets_app.plan_checks import NAME_LENGTH
from datasets_app.plans import ImportRefused, LabelPlan, Options, Plan
from projects_app.models import CODE, TrainingType
from projects_app.uploads import PiecesField

_ADVANCED = ("annotations", "split_file", "meta_file", "format", "training_type", "image_types")
IGNORE, NEW = "", "+"  # what a choice of the preview says; anything else is the code of what is there


class UploadForm(forms.Form):
    """An archive with images, and how to read it where the portal shall not decide."""

    name = forms.CharField(
        label=_("Name"),
        max_length=NAME_LENGTH,
        help_text=_("With splits, datasets NAME-train, NAME-val and NAME-test are made."),
    )
    images = PiecesField(
        label=_("Images"),
        help_text=_("A zip, tar or tar.gz with PNG, JPEG, BMP, TIFF or WebP images, and the annotations beside them."),
    )
    annotations = PiecesField(
        label=_("Annotations"),
        required=False,
        help_text=_("An archive of its own, where they are not with the images."),
    )
    split_file = forms.FileField(
        label=_("Split file"),
        required=False,
        help_text=_("A CSV with a column for the file and one for the split: train, val or test."),
    )
    meta_file = forms.FileField(
        label=_("Meta data"),
        required=False,
        help_text=_(
            "A CSV with a column for the file, and others that are kept with the image (data_category, obj_id …)."
        ),
    )
    format = forms.ChoiceField(label=_("Format"), required=False, help_text=_("What the annotations are written in."))
    training_type = forms.ChoiceField(
        label=_("Training type"),
        required=False,
        choices=[("", _("As the labels are")), *TrainingType.choices],
        help_text=_("Rectangles teach object detection, polygons segmentation, a folder a class classification."),
    )
    image_types = forms.CharField(
        label=_("Sibling images"),
        required=False,
        help_text=_("Endings of several pictures of one part, the labelled one first: _A.png,_X.png"),
    )

    def __init__(self, *args, into: Dataset | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if into:
            del self.fields["name"]  # it has one
        known = [(module.NAME, module.TITLE) for module in formats.FORMATS.values()]
        self.fields["format"].choices = [("", _("Recognise it")), *known]  # type: ignore[attr-defined]

    def options(self) -> Options:
        data = self.cleaned_data
        image_types = tuple(filter(None, (part.strip() for part in data["image_types"].split(","))))
        return Options(format=data["format"], training_type=data["training_type"], image_types=image_types)

    def upload(self, name: str) -> UploadedFile | None:
        return self.cleaned_data.get(name)

    def refuse(self, error: ImportRefused) -> None:
        """Put each fault beside its field."""
        for name, sentence in error.faults:
            self.add_error(name if name in self.fields else None, sentence)

    @property
    def advanced(self) -> list[forms.BoundField]:
        return [self[name] for name in _ADVANCED]

    @property
    def advanced_is_used(self) -> bool:
        """Whether there is something to see in the folded part."""
        return any(field.errors or field.value() for field in self.advanced)


class ReviseForm(forms.Form):
    """Read the upload once more, for another training type."""

    training_type = forms.ChoiceField(choices=TrainingType.choices)
    rc_type = forms.CharField(required=False, max_length=128, validators=[CODE])

    def options(self, before: Options) -> Options:
        chosen = self.cleaned_data["training_type"]
        is_rc = chosen == TrainingType.RC
        return replace(
            before, training_type=chosen, rc_type=self.cleaned_data["rc_type"] if is_rc else "", rc_false_labels=()
        )


def changed_plan(plan: Plan, posted: QueryDict) -> Plan:
    """The plan with what the person changed on the preview. It may be impossible: `plan_checks` says so."""
    is_asked = bool(plan.question) or plan.training_type == TrainingType.CL
    question = _chosen(posted, "question", plan.question) if is_asked else ""
    labels = [_changed_label(label, plan, posted, number, question) for number, label in enumerate(plan.labels)]
    return replace(
        plan,
        name=posted.get("name", plan.name).strip(),
        labels=tuple(labels),
        question=question,
        model_type=_chosen(posted, "model_type", plan.model_type) if plan.training_type else "",
    )


def _changed_label(label: LabelPlan, plan: Plan, posted: QueryDict, number: int, question: str) -> LabelPlan:
    becomes = posted.get(f"becomes-{number}", IGNORE)
    if plan.training_type == TrainingType.RC and plan.question:
        return replace(label, code=question if becomes else "", verdict=becomes == "true")
    if becomes == IGNORE:
        return replace(label, code="")
    return replace(label, code=_chosen(posted, f"becomes-{number}", "", f"code-{number}"))


def _chosen(posted: QueryDict, name: str, default: str, code_name: str = "") -> str:
    """A code that is there, or the new one typed beside the choice; a blank one stays a fault to be told."""
    choice = posted.get(name, default)
    code = (posted.get(code_name or f"{name}-code", "").strip() or " ") if choice == NEW else choice
    return code.replace("\0", "\ufffd")  # no code either, but one that the database can be asked for


def faults_by_field(faults: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, sentence in faults:
        found.setdefault(name, []).append(sentence)
    return found
