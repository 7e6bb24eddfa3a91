"""The models that an address names, in its order, each with a look of its own, and the addresses of other choices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlencode

from django.db.models import Case, QuerySet, Value, When
from django.http import QueryDict
from django.urls import reverse

from models_app.models import TrainedModel
from projects_app import listing
from projects_app.models import Project

MOST = 50  # models on one page
COLOURS, DASHES = 12, 3  # --series-1 … of static/css/graphs.css; ways to dash a line
OFFERED = 20  # models that a search finds


@dataclass(frozen=True)
class Look:
    """How a model's curves look. `dash`: which way of dashing, 0 is none."""

    colour: int
    dash: int


@dataclass(frozen=True)
class Chosen:
    """`base`: whom the others are measured by; `only`: leave out what is equal.

    `missing`: how many of the address are not in the project, `too_many`: how many are not shown.
    """

    project: Project
    models: list[TrainedModel]
    base: TrainedModel | None
    only: bool
    missing: int = 0
    too_many: int = 0

    @classmethod
    def of(cls, project: Project, query: QueryDict) -> Chosen:
        """Out of an address: `?model=12&model=13&base=13&only=0`."""
        asked = numbers(query, "model")
        there = TrainedModel.objects.filter(project=project).select_related(
            "job", "kernel", "model_type", "project", "base_model__project", "created_by"
        )
        found = there.prefetch_related("train_datasets", "validation_datasets").in_bulk(asked[:MOST])
        models = [found[pk] for pk in asked if pk in found]
        base = next((model for model in models if str(model.pk) == query.get("base")), models[0] if models else None)
        missing = len(asked[:MOST]) - len(models)
        return cls(project, models, base, query.get("only") != "0", missing, len(asked[MOST:]))

    @property
    def is_live(self) -> bool:
        return any(model.job.is_active for model in self.models)

    @cached_property
    def looks(self) -> dict[int, Look]:
        """By model. Its id says the colour, so that it is the same on every page; where that is taken the next one."""
        found: dict[int, Look] = {}
        for model in self.models:
            wanted = [Look((model.pk + turn) % COLOURS + 1, dash) for dash in range(DASHES) for turn in range(COLOURS)]
            found[model.pk] = next((look for look in wanted if look not in found.values()), wanted[0])
        return found

    # --- addresses --------------------------------------------------------------------------------------------------
    def address(self, name: str = "compare", **changed: object) -> str:
        """This choice on one of the pages `models:compare…`, with what is changed."""
        models = [model for model in self.models if model != changed.get("without")]
        base = changed.get("base", self.base)
        only = changed.get("only", self.only)
        pairs: list[tuple[str, object]] = [("model", model.pk) for model in models]
        if isinstance(base, TrainedModel) and base in models[1:]:
            pairs.append(("base", base.pk))
        if not only:
            pairs.append(("only", 0))
        pairs += [(key, value) for key, value in changed.items() if key not in ("without", "base", "only")]
        return f"{reverse(f'models:{name}', args=[self.project.code])}?{urlencode(pairs)}"


def numbers(query: QueryDict, name: str) -> list[int]:
    """The ids that an address names, each once."""
    return list(dict.fromkeys(pk for text in query.getlist(name) if (pk := listing.whole(text))))


def named(project: Project, pks: Iterable[int]) -> QuerySet[TrainedModel]:
    return TrainedModel.objects.filter(project=project, pk__in=list(pks)).select_related("model_type").order_by("-pk")


def offered(project: Project, text: str, chosen: Iterable[TrainedModel]) -> QuerySet[TrainedModel]:
    """Models that could be compared too, by name; those of the same model type first, then the newest."""
    taken = list(chosen)
    same = Case(When(model_type__in={model.model_type_id for model in taken}, then=Value(0)), default=Value(1))
    rows = TrainedModel.objects.filter(project=project).exclude(pk__in=[model.pk for model in taken])
    rows = rows.filter(name__icontains=text) if text else rows
    return rows.select_related("job", "model_type").order_by(same, "-pk")[:OFFERED]
