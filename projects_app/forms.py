"""The forms of the project settings."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from projects_app.models import AnnotationType, Membership, ModelType, Project, Role, TrainingType, User


class ProjectForm(forms.ModelForm):
    class Meta:
        model = Project
        fields = ["name", "description"]
        widgets = {"description": forms.Textarea(attrs={"rows": 3})}


class MemberForm(forms.Form):
    """Adds somebody who has an account already."""

    username = forms.CharField(
        label=_("User name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    role = forms.ChoiceField(label=_("Role"), choices=Role, initial=Role.VIEWER)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project

    def clean_username(self) -> User:
        name = self.cleaned_data["username"].strip()
        user = User.objects.filter(username=name, is_active=True).first()
        if user is None:
            raise forms.ValidationError(_("Nobody has this user name. An administrator can make an account for them."))
        if Membership.objects.filter(project=self.project, user=user).exists():
            raise forms.ValidationError(_("This person is a member already. Change their role in the list."))
        return user

    def save(self) -> Membership:
        return Membership.objects.create(
            project=self.project, user=self.cleaned_data["username"], role=self.cleaned_data["role"]
        )


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role)


class NameForm(forms.ModelForm):
    """Another name for a model type; its code stays what kernels and files know."""

    class Meta:
        model = ModelType
        fields = ["name"]


class ModelTypeForm(forms.ModelForm):
    """A model type of one training type. CL learns one question; else each label has a place, empty to leave it out."""

    class Meta:
        model = ModelType
        fields = ["code", "name"]

    def __init__(self, *args: Any, project: Project, training_type: TrainingType, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.project, self.instance.training_type = project, training_type
        labels = AnnotationType.objects.filter(project=project, training_type=training_type)
        self.choices = list(labels.order_by("position", "code"))
        if training_type == TrainingType.CL:
            self.fields["question"] = forms.ChoiceField(
                label=_("Question"),
                choices=[(choice.pk, f"{choice.code} ({choice.name})") for choice in self.choices],
                help_text=_("A classification model answers one question; its categories are its classes."),
            )
            return
        for place, choice in enumerate(self.choices, 1):
            self.fields[f"place_{choice.pk}"] = forms.IntegerField(
                label=choice.code, required=False, min_value=1, max_value=9999, initial=place
            )

    def clean_code(self) -> str:
        code = self.cleaned_data["code"]
        if ModelType.objects.filter(project=self.instance.project, code=code).exists():
            raise forms.ValidationError(_("This project has a model type with this code already."))
        return str(code)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if not self.errors and not self.chosen():
            raise forms.ValidationError(_("Give at least one label a place."))
        return found

    def chosen(self) -> list[AnnotationType]:
        """The annotation types in the order asked for; equal places in the order of their codes."""
        data = self.cleaned_data
        if "question" in self.fields:
            return [choice for choice in self.choices if str(choice.pk) == data.get("question")]
        placed = [choice for choice in self.choices if data.get(f"place_{choice.pk}")]
        return sorted(placed, key=lambda choice: data[f"place_{choice.pk}"])

    def place_fields(self) -> list[tuple[AnnotationType, forms.BoundField]]:
        return [(choice, self[f"place_{choice.pk}"]) for choice in self.choices if f"place_{choice.pk}" in self.fields]

    def save(self, commit: bool = True) -> ModelType:
        with transaction.atomic():
            model_type: ModelType = super().save(commit)
            for annotation_type in self.chosen():
                model_type.learn(annotation_type)
        return model_type
