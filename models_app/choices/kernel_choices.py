"""The kernels to choose from: those that fit, and the others with the reason."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kernels_app import describe
from kernels_app.models import Kernel, KernelState
from models_app.choices.figures import Figure, best_by
from models_app.complaints import why_not
from models_app.models import TrainedModel
from projects_app.models import ModelType, Project


@dataclass(frozen=True)
class KernelCard:
    """A kernel that can train the model type. `models`: how many the project trained with this very version."""

    kernel: Kernel
    is_chosen: bool = False
    models: int = 0
    best: Figure | None = None
    is_older: bool = False

    @property
    def operations(self) -> list[str]:
        return describe.operations(self.kernel.operations)

    @property
    def devices(self) -> str:
        low, high = self.kernel.gpu_range
        if low == high:
            return ngettext("%(n)d device", "%(n)d devices", low) % {"n": low}
        return _("%(low)d to %(high)d devices") % {"low": low, "high": high}


@dataclass(frozen=True)
class KernelChoices:
    """`others`: those that cannot be chosen now, each with a sentence that says why."""

    offered: list[KernelCard]
    others: list[tuple[Kernel, str]]

    @property
    def chosen(self) -> KernelCard | None:
        return next((card for card in self.offered if card.is_chosen), None)


def sorted_kernels(
    project: Project, model_type: ModelType | None, chosen: int | None = None
) -> tuple[list[Kernel], list[tuple[Kernel, str]]]:
    """Kernels that can train `model_type`, and the others with the reason. Of each name the newest version that the
    project can use, and the `chosen` one (by its id), since a retraining takes the version it had."""
    on = set(Kernel.objects.on_in(project).values_list("pk", flat=True))
    wanted = _newest_usable(on) | ({chosen} if chosen else set())
    found = list(Kernel.objects.filter(pk__in=wanted).order_by("name", "-pk"))
    if model_type is None:
        return found, []
    # who is on is known: nobody is asked once more for each of them
    reasons = [(one, why_not(one, None if one.pk in on else project, model_type, "training")) for one in found]
    return [kernel for kernel, why in reasons if not why], [(kernel, why) for kernel, why in reasons if why]


def _newest_usable(on: set[int]) -> set[int]:
    """Of each name: the newest that is ready and on here; else the newest that is on; else the newest that is ready."""
    best: dict[str, tuple[int, int]] = {}
    for pk, name, state in Kernel.objects.order_by("-pk").values_list("pk", "name", "state"):
        rank = 2 * (pk in on) + (state == KernelState.READY)
        if rank > best.get(name, (0, 0))[0]:
            best[name] = (rank, pk)
    return {pk for _rank, pk in best.values()}


def kernels(
    project: Project, model_type: ModelType | None, chosen: Kernel | None, data_types: Collection[str] = ()
) -> KernelChoices:
    """`data_types`: the training types that the chosen data has labels of; they say what to do about a kernel that
    trains another type."""
    offered, others = sorted_kernels(project, model_type, chosen.pk if chosen else None)
    trained = TrainedModel.objects.filter(project=project, kernel__in=offered).order_by()
    counts = dict(trained.values_list("kernel").annotate(Count("pk")))
    best = best_by("kernel_id", project, model__model_type=model_type) if model_type else {}
    newest = {kernel.name: kernel.pk for kernel in reversed(offered)}
    cards = [
        KernelCard(
            kernel,
            is_chosen=kernel == chosen,
            models=counts.get(kernel.pk, 0),
            best=best.get(kernel.pk),
            is_older=newest[kernel.name] != kernel.pk,
        )
        for kernel in offered
    ]
    wrong = _of_other_types(project, model_type, [kernel for kernel, _why in others])
    ways = {kernel: _way_out(kernel, data_types) for kernel in wrong}
    return KernelChoices(cards, [(kernel, f"{why} {ways.get(kernel, '')}".strip()) for kernel, why in others])


def _of_other_types(project: Project, model_type: ModelType | None, found: list[Kernel]) -> list[Kernel]:
    """Those that could train here, if only the model type were another."""
    on = Kernel.objects.on_in(project).filter(pk__in=[kernel.pk for kernel in found], state=KernelState.READY)
    return [kernel for kernel in on if model_type and model_type.training_type not in kernel.types]


def _way_out(kernel: Kernel, data_types: Collection[str]) -> str:
    types = [kind for kind in kernel.types if kind in data_types]
    text = _("The chosen data has such labels too: choose a model type of %(types)s to use it.")
    return text % {"types": ", ".join(types)} if types else ""
