"""Names for models: proposed, and free."""

from __future__ import annotations

from collections.abc import Sequence

from datasets_app.models import Dataset
from models_app.models import TrainedModel
from projects_app.models import ModelType, Project


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
