"""A model beside the one that it would replace: what both scored over exactly the same data, and what to think of
before it is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from datasets_app.remarks import some
from jobs.models import State
from models_app.models import Operation, TrainedModel, Validation
from projects_app.korean import fluent

LOOKED_AT = 50  # validations of a model, the newest


@dataclass(frozen=True)
class Line:
    """One key number over the same images and labels. `champion` None: nothing is in use, or it was not judged by
    these. Higher is better of all of them."""

    name: str
    on: str
    candidate: float | None
    champion: float | None

    @property
    def is_worse(self) -> bool:
        return self.candidate is not None and self.champion is not None and self.candidate < self.champion

    @property
    def is_better(self) -> bool:
        return self.candidate is not None and self.champion is not None and self.candidate > self.champion

    @property
    def is_shared(self) -> bool:
        return self.candidate is not None and self.champion is not None


@dataclass(frozen=True)
class Contest:
    """`gained`, `lost`: classes that the candidate knows and the champion does not, and the other way round."""

    candidate: TrainedModel
    champion: TrainedModel | None
    lines: list[Line]
    gained: list[str]
    lost: list[str]

    @property
    def warnings(self) -> list[str]:
        return [fluent(text) for text in self._warnings()]

    def _warnings(self) -> Iterator[str]:
        if not any(line.candidate is not None for line in self.lines):
            yield _("It has not been validated: nobody has seen how good it is on images it does not know.")
        elif self.champion and not any(line.is_shared for line in self.lines):
            yield _("It and the active model were never validated on the same data, so they cannot be compared.")
        if self.gained:
            yield _("It knows classes that the active model does not: %(names)s.") % {"names": some(self.gained)}
        if self.lost:
            yield _("It does not know classes that the active model does: %(names)s.") % {"names": some(self.lost)}
        if self.champion and not self.gained and not self.lost and self.candidate.classes != self.champion.classes:
            yield _("It numbers its classes in another order than the active model: programs that go by number break.")
        for line in self.lines:
            if line.is_worse:
                text = _("%(name)s on %(on)s is lower than that of the active model.")
                yield text % {"name": line.name, "on": line.on}


def contest(candidate: TrainedModel, champion: TrainedModel | None) -> Contest:
    others = champion.classes if champion else candidate.classes
    return Contest(
        candidate,
        champion,
        _lines(candidate, champion),
        gained=[code for code in candidate.classes if code not in others],
        lost=[code for code in others if code not in candidate.classes],
    )


def _lines(candidate: TrainedModel, champion: TrainedModel | None) -> list[Line]:
    """What the candidate scored, what it shares with the champion first."""
    own, others = _scores(candidate), _scores(champion) if champion else {}
    found = []
    for key, (on, scores) in own.items():
        theirs = others.get(key, ("", {}))[1]
        found += [Line(name, on, value, theirs.get(name)) for name, value in scores.items()]
    for key, (on, scores) in others.items():
        found += [Line(name, on, None, value) for name, value in scores.items() if key not in own]
    return sorted(found, key=lambda line: (not line.is_shared, line.candidate is None))


def _scores(model: TrainedModel) -> dict[int, tuple[str, dict[str, float]]]:
    """By snapshot (exactly these images and labels): the datasets' names, and the newest key numbers."""
    judged = Validation.objects.filter(model=model, operation=Operation.VALIDATION, job__state=State.SUCCEEDED)
    found: dict[int, tuple[str, dict[str, float]]] = {}
    for one in judged.select_related("model").prefetch_related("datasets").order_by("-pk")[:LOOKED_AT]:
        names = ", ".join(sorted(dataset.name for dataset in one.datasets.all()))
        found.setdefault(one.snapshot_id or -one.pk, (names, dict(one.headline)))
    return found
