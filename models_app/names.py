"""Names for models: proposed, and free."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from datasets_app.models import Dataset
from models_app.complaints import Complaint
from models_app.models import TrainedModel
from projects_app.models import ModelType, Project


def name_complaints(project: Project, name: str, but: TrainedModel | None = None) -> list[Complaint]:
    """Why a model of the project cannot be called so; `but` is the one that has the name now."""
    if not name.strip():
        return [Complaint("name", _("Give the model a name."))]
    if len(name) > 200:
        return [Complaint("name", _("The name may have at most 200 characters."))]
    if TrainedModel.objects.filter(project=project, name=name).exclude(pk=but.pk if but else 0).exists():
        text = _("A model named “%(name)s” is there already; “%(free)s” is free.")
        return [Complaint("name", text % {"name": name, "free": unique_name(project, name)})]
    return []


def propose_name(project: Project, model_type: ModelType, datasets: Sequence[Dataset]) -> str:
    """A free name from the type, the first dataset and a number that only grows."""
    stem = "-".join([model_type.code, *(dataset.name for dataset in datasets[:1])])[:180]
    number = TrainedModel.objects.filter(project=project, model_type=model_type).count() + 1
    return unique_name(project, f"{stem}-{number}")


def unique_name(project: Project, wanted: str) -> str:
    """`wanted`, or `wanted.1`, `wanted.2` … where it is taken."""
    taken = set(TrainedModel.objects.filter(project=project, name__startswith=wanted).values_list("name", flat=True))
    name, n = wanted, 0
    while name in taken:
        n += 1
        name = f"{wanted[:190]}.{n}"
    return name
