"""Which validations show images of a dataset: these images stay while that is so."""

from __future__ import annotations

from collections.abc import Sequence

from datasets_app.deleting import Dependant
from datasets_app.models import Dataset
from models_app.models import Prediction, Validation

_ROWS = 1000  # rows a statement, at most


def in_validations(dataset: Dataset, images: Sequence[int]) -> list[Dependant]:
    """Those whose reports name one of these images."""
    found: set[int] = set()
    rows = Prediction.objects.filter(image__dataset=dataset).order_by()
    for start in range(0, len(images), _ROWS):
        some = images[start : start + _ROWS]
        found.update(rows.filter(image__in=some).values_list("validation", flat=True).distinct())
    validations = Validation.objects.filter(pk__in=found).select_related("project", "model").order_by("pk")
    word = str(Validation._meta.verbose_name)
    return [Dependant(word, str(one), one.get_absolute_url()) for one in validations]
