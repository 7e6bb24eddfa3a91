"""Forms for labels, categories and model types. A code is what kernels, files and models know: it never changes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from projects_app.models import (
    AnnotationType,
    Category,
    Colour,
    DataCategory,
    ModelType,
    ModelTypeClass,
    Project,
    TrainingType,
)

COLOURS = [("", _("Automatic")), *Colour.choices]


class _Coloured(forms.ModelForm):
    colour = forms.ChoiceField(label=_("Colour"), choices=COLOURS, required=False)


class LabelForm(_Coloured):
    """A new annotation type; of CL one question, whose categories are given a line each."""

    class Meta:
        model = AnnotationType
        fields = ["training_type", "code", "name", "colour"]

    categories = forms.CharField(
        label=_("Categories"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 4, "placeholder": "GOOD Good part\nBAD"}),
        help_text=_("Of a classification only: one a line, its code and then its name."),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.project = project
        self.fields["training_type"] = forms.ChoiceField(label=_("Training type"), choices=TrainingType)
        self.order_fields(["training_type", "code", "name", "colour", "categories"])

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        if AnnotationType.objects.filter(project=self.instance.project, code=code).exists():
            raise forms.ValidationError(_("This project has an annotation type with this code already."))
        return code

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        lines = [line.split(maxsplit=1) for line in found.get("categories", "").splitlines() if line.strip()]
        if lines and found.get("training_type") != TrainingType.CL:
            self.add_error("categories", _("Only a classification has categories."))
            return found
        made = [
            Category(code=line[0], name=line[1].strip() if len(line) > 1 else line[0], position=n)
            for n, line in enumerate(lines)
        ]
        codes = [one.code for one in made]
        for one in made:
            if codes.count(one.code) > 1:
                self.add_error("categories", _("“%(code)s” stands there twice.") % {"code": one.code})
                break
            try:
                one.clean_fields(exclude=["annotation_type"])
            except forms.ValidationError as error:
                self.add_error("categories", f"{one.code}: {' '.join(error.messages)}")
        self.made = made
        return found

    def save(self, commit: bool = True) -> AnnotationType:
        with transaction.atomic():
            label: AnnotationType = super().save(commit)
            for one in self.made:
                one.annotation_type = label
            Category.objects.bulk_create(self.made)
        return label


class LabelNameForm(_Coloured):
    class Meta:
        model = AnnotationType
        fields = ["name", "colour"]


class CategoryForm(_Coloured):
    """One more category of a question, behind the others: their numbers stay."""

    class Meta:
        model = Category
        fields = ["code", "name", "colour"]

    def __init__(self, *args: Any, label: AnnotationType, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.annotation_type = label

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        if self.instance.annotation_type.categories.filter(code=code).exists():
            raise forms.ValidationError(_("This question has a category with this code already."))
        return code

    def save(self, commit: bool = True) -> Category:
        label = self.instance.annotation_type
        with transaction.atomic():
            AnnotationType.objects.select_for_update().get(pk=label.pk)  # two at once: one behind the other
            last = label.categories.order_by("-position").values_list("position", flat=True).first()
            self.instance.position = 0 if last is None else last + 1
            made: Category = super().save(commit)
        return made


class CategoryNameForm(_Coloured):
    class Meta:
        model = Category
        fields = ["name", "colour"]


class DataCategoryForm(_Coloured):
    class Meta:
        model = DataCategory
        fields = ["code", "name", "colour"]

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.project = project

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        if DataCategory.objects.filter(project=self.instance.project, code=code).exists():
            raise forms.ValidationError(_("This project has a data category with this code already."))
        return code


class DataCategoryNameForm(_Coloured):
    class Meta:
        model = DataCategory
        fields = ["name", "colour"]


class LearnForm(forms.Form):
    """One more label for a model type, behind the others. A classification answers its one question and no other."""

    label = forms.ModelChoiceField(label=_("Label"), queryset=AnnotationType.objects.none())

    def __init__(self, *args: Any, model_type: ModelType, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.model_type = model_type
        labels = AnnotationType.objects.filter(project=model_type.project, training_type=model_type.training_type)
        free = labels.exclude(model_types=model_type).order_by("position", "code")
        may_grow = model_type.training_type != TrainingType.CL or not model_type.modeltypeclass_set.exists()
        self.fields["label"].queryset = free if may_grow else labels.none()  # type: ignore[attr-defined]

    def save(self) -> None:
        with transaction.atomic():
            ModelType.objects.select_for_update().get(pk=self.model_type.pk)
            last = self.model_type.modeltypeclass_set.order_by("-position").values_list("position", flat=True).first()
            ModelTypeClass.objects.get_or_create(
                model_type=self.model_type,
                annotation_type=self.cleaned_data["label"],
                defaults={"position": 0 if last is None else last + 1},
            )
