"""What the training form lets people choose from: kernels with reasons, datasets with counts and pictures, base models.

Nothing here decides what may start: `orders` does, whatever was chosen.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from django.conf import settings

from models_app.choices.base_choices import BaseCard, BaseChoice, base_card, base_models
from models_app.choices.dataset_choices import (
    DatasetCard,
    DatasetChoices,
    chosen_of,
    dataset_cards,
    datasets,
    label_types,
    labelled_counts,
)
from models_app.choices.kernel_choices import KernelCard, KernelChoices, kernels, sorted_kernels
from projects_app.listing import whole

if TYPE_CHECKING:
    from models_app.train_form import TrainForm

__all__ = [
    "BaseCard",
    "BaseChoice",
    "Choices",
    "DatasetCard",
    "DatasetChoices",
    "KernelCard",
    "KernelChoices",
    "base_card",
    "base_models",
    "datasets",
    "for_form",
    "kernels",
    "labelled_counts",
    "sorted_kernels",
]


class Choices:
    """Each part is looked up when the page shows it: a live check asks for none."""

    def __init__(self, form: TrainForm) -> None:
        self._form = form
        self.etc_limit: int = settings.ETC_LIMIT  # bytes

    @cached_property
    def kernels(self) -> KernelChoices:
        form = self._form
        data_types = label_types(form.project, form.chosen_train)
        return kernels(form.project, form.chosen_type, form.chosen_kernel, data_types)

    @cached_property
    def _cards(self) -> list[DatasetCard]:
        return dataset_cards(self._form.project, self._form.chosen_type)

    @cached_property
    def train(self) -> DatasetChoices:
        return chosen_of(self._form.project, self._cards, self._form.chosen_train)

    @cached_property
    def validation(self) -> DatasetChoices:
        return chosen_of(self._form.project, self._cards, self._form.chosen_validation)

    @cached_property
    def base_models(self) -> list[BaseChoice]:
        chosen = whole(self._form.data.get("base_model", ""))
        return base_models(self._form.project, self._form.chosen_type, chosen)

    @cached_property
    def base_card(self) -> BaseCard | None:
        model = next((row.model for row in self.base_models if row.is_chosen), None)
        if model is None or self._form.chosen_type is None:
            return None
        return base_card(model, self._form.chosen_type, self._form.chosen_kernel)

    @property
    def lost_files(self) -> list[str]:
        """Names of extra files that came with a form which is shown again: no browser keeps them."""
        files = self._form.files
        return [str(file.name) for file in files.getlist("etc")] if hasattr(files, "getlist") else []


def for_form(form: TrainForm) -> Choices:
    return Choices(form)
