"""Inputs of the training form that Django has no field for."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _

from projects_app.listing import whole


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
