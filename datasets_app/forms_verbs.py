"""What a person sends to clone, append, split a dataset, or to update its meta data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from datasets_app import appending, cloning, split_plans
from datasets_app.changing import ChangeRefused
from datasets_app.models import Dataset
from datasets_app.plan_checks import NAME_LENGTH


class VerbForm(forms.Form):
    """A form that takes what a verb refuses beside the field it is about."""

    def refuse(self, error: ChangeRefused) -> None:
        self.add_error(error.field if error.field in self.fields else None, str(error))


class CloneForm(VerbForm):
    name = forms.CharField(label=_("Name of the clone"), max_length=NAME_LENGTH)

    def __init__(self, dataset: Dataset, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial={"name": cloning.free_name(dataset)})


class AppendForm(VerbForm):
    """Which dataset's images join, and what becomes of those that meet others."""

    DEFAULTS = {"same": appending.LEAVE, "taken": appending.ADD}

    source = forms.ModelChoiceField(label=_("Dataset"), queryset=Dataset.objects.none(), empty_label=_("Choose one …"))
    same = forms.ChoiceField(
        label=_("The same picture is there already"),
        choices=[(appending.LEAVE, _("Leave it out")), (appending.ADD, _("Add it once more"))],
        initial=appending.LEAVE,
        help_text=_("The labels of an image that is left out are left out too."),
    )
    taken = forms.ChoiceField(
        label=_("Another picture has the same name"),
        choices=[(appending.ADD, _("Add it below a folder of its own")), (appending.LEAVE, _("Leave it out"))],
        initial=appending.ADD,
    )

    def __init__(self, dataset: Dataset, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        others = Dataset.objects.filter(project=dataset.project).exclude(pk=dataset.pk).order_by("name")
        self.fields["source"].queryset = others  # type: ignore[attr-defined]

    def choices(self) -> appending.Choices:
        return appending.Choices(self.cleaned_data["same"], self.cleaned_data["taken"])


class SplitForm(VerbForm):
    """How to split, and what the halves are called."""

    share = forms.IntegerField(
        label=_("For validation (%)"), min_value=1, max_value=99, initial=round(100 * split_plans.SHARE)
    )
    seed = forms.IntegerField(
        label=_("Seed"),
        min_value=0,
        max_value=split_plans.MOST_SEED,
        initial=split_plans.SEED,
        help_text=_("The same seed deals the images out in the same way."),
    )
    by = forms.ChoiceField(
        label=_("Keep in proportion"),
        required=False,
        help_text=_("Both sides get their part of each of these labels."),
    )
    group = forms.ChoiceField(
        label=_("Keep together"),
        required=False,
        help_text=_("A column of the meta data: images of one value never part."),
    )
    train_name = forms.CharField(label=_("Name for training"), max_length=NAME_LENGTH)
    val_name = forms.CharField(label=_("Name for validation"), max_length=NAME_LENGTH)

    def __init__(self, dataset: Dataset, data: Mapping[str, Any] | None = None) -> None:
        strata = split_plans.strata(dataset)
        columns = split_plans.columns(dataset)
        train, val = split_plans.names(dataset)
        group = "obj_id" if "obj_id" in columns else ""
        self.defaults = {
            **{"share": round(100 * split_plans.SHARE), "seed": split_plans.SEED},
            **{"by": strata[0][0], "group": group, "train_name": train, "val_name": val},
        }
        super().__init__(data, initial=self.defaults)
        self.fields["by"].choices = strata  # type: ignore[attr-defined]
        self.fields["group"].choices = [("", _("Nothing")), *((one, one) for one in columns)]  # type: ignore[attr-defined]

    def options(self) -> split_plans.Options:
        data = self.cleaned_data
        return split_plans.Options(data["share"] / 100, data["seed"], data["by"], data["group"])

    def names(self) -> tuple[str, str]:
        return self.cleaned_data["train_name"], self.cleaned_data["val_name"]


class TableForm(VerbForm):
    table = forms.FileField(
        label=_("Table"),
        help_text=_("A CSV with a column for the file (file, filename, image or path); every other column is a fact."),
    )
