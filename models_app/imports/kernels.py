"""Which kernel an imported model runs with: the very one that trained it, where that can be; else one that fits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.db.models import Count
from django.utils.translation import gettext as _

from kernels_app import registry, schema
from kernels_app.models import Kernel
from models_app import manifest
from models_app.choices.kernel_choices import KernelCard, sorted_kernels
from models_app.complaints import why_not
from models_app.imports import layout
from models_app.models import ModelDraft, TrainedModel
from projects_app.listing import whole
from projects_app.models import ModelType, Project

BROUGHT = "brought"  # what a choice says that means the kernel in the archive


@dataclass
class KernelFinder:
    """`document`: the `model.json`, as far as it can be read. `wanted`: what somebody chose; "" for nothing yet."""

    draft: ModelDraft
    model_type: ModelType
    document: dict[str, object]
    wanted: str = ""

    @cached_property
    def stated(self) -> dict[str, str]:
        """Name, version and digest of the kernel that trained it, where the archive says so."""
        about = self.draft.found.get("manifest")
        return about["kernel"] if about else {}

    @cached_property
    def known(self) -> Kernel | None:
        """That very kernel, where this installation has it."""
        if not self.stated:
            return None
        return Kernel.objects.filter(name=self.stated["name"], digest=self.stated["digest"]).first()

    @cached_property
    def package(self) -> dict[str, bytes]:
        """The files of the kernel that came along."""
        folder = self.draft.folder / layout.REST / manifest.KERNEL
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        if sum(path.stat().st_size for path in paths) > registry.PACKAGE_LIMIT:
            return {}
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}

    @cached_property
    def brought(self) -> Kernel | None:
        """The very kernel, where the import would register it or switch it on here; None where it need or can not."""
        if self.known:
            return self.known if self.known not in self._fitting and not self._reason(self.known) else None
        try:
            found = registry.look(self.package) if self.package else None
        except registry.BadKernel:
            return None
        is_the_one = found is not None and found.digest == self.stated.get("digest")
        return found if found and is_the_one and not self._reason(found) else None

    @cached_property
    def chosen(self) -> Kernel | None:
        """What was chosen, else what is proposed."""
        if self.wanted == BROUGHT and self.brought:
            return self.brought
        number = whole(self.wanted)
        return (Kernel.objects.filter(pk=number).first() if number else None) or self.proposed

    @cached_property
    def proposed(self) -> Kernel | None:
        """The very kernel; else the one that came along; else one whose schema the settings satisfy, of the same name
        where there is one, and that this project has trained most with."""
        if self.known and self.known in self._fitting:
            return self.known
        return self.brought or max(self._fitting, key=self._rank, default=None)

    @property
    def is_brought(self) -> bool:
        """Whether the import would register a kernel, or switch one on."""
        return self.chosen is not None and self.chosen is self.brought

    @property
    def cards(self) -> list[KernelCard]:
        return [KernelCard(kernel, kernel == self.chosen, self._models.get(kernel.pk, 0)) for kernel in self._fitting]

    @cached_property
    def _models(self) -> dict[int, int]:
        """By kernel, how many models of the project it trained."""
        trained = TrainedModel.objects.filter(project=self.draft.project, kernel__in=self._fitting).order_by()
        return dict(trained.values_list("kernel").annotate(Count("pk")))

    @property
    def others(self) -> list[tuple[Kernel, str]]:
        return self._sorted[1]

    @property
    def remark(self) -> str:
        """What is worth knowing where it is not the kernel that trained the model."""
        if not self.stated or self.chosen is None or self.chosen.digest == self.stated["digest"]:
            return ""
        text = _("It was trained with %(kernel)s, which is not here: with another one its numbers may differ.")
        return text % {"kernel": f"{self.stated['name']}@{self.stated.get('version', '')}"}

    def why_not(self) -> str:
        """Why the chosen kernel cannot run this model; empty where it can."""
        if self.chosen is None:
            text = _("No kernel that is on here supports %(type)s for %(code)s. Switch one on under Kernels.")
            return text % {"type": self.model_type.training_type, "code": self.model_type.code}
        return self._reason(self.chosen, None if self.is_brought else self.draft.project)

    def _reason(self, kernel: Kernel, project: Project | None = None) -> str:
        return why_not(kernel, project, self.model_type, kernel.operations[0])

    @cached_property
    def _fitting(self) -> list[Kernel]:
        return self._sorted[0]

    @cached_property
    def _sorted(self) -> tuple[list[Kernel], list[tuple[Kernel, str]]]:
        """Those that fit (the chosen and the very one among them, though newer ones are there), and the others."""
        project = self.draft.project
        found, others = sorted_kernels(project, self.model_type, whole(self.wanted))
        listed = {*found, *(kernel for kernel, _why in others)}
        if self.known and self.known not in listed and not self._reason(self.known, project):
            found.append(self.known)
        return found, others

    def _rank(self, kernel: Kernel) -> tuple[bool, bool, int, int]:
        satisfied = schema.validator(kernel.schema).is_valid(self.document)
        return satisfied, kernel.name == self.stated.get("name"), self._models.get(kernel.pk, 0), kernel.pk
