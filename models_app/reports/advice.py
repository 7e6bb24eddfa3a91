"""What a report says in words: one sentence of judgement, and what to do next, each with the images behind it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from models_app.models import Operation, Validation
from models_app.reports.choosing import Choice
from models_app.reports.counts import NOTHING, Matrix
from projects_app.korean import fluent
from projects_app.models import TrainingType

FEW = 30  # objects or images judged: fewer say little
FEW_OF_CLASS = 10
OFTEN = 0.1  # of a class: what goes wrong so often is worth a sentence
LOW = 0.7  # recall or precision
GAIN = 0.03  # of F1, for which another score is worth the change
SHOWN = 4  # pieces of advice of one kind
Z = 1.96  # 95 %


@dataclass(frozen=True)
class Advice:
    """One sentence or two. `query`: the part of the report that shows it. `kind`: loud, warning or info."""

    kind: str
    text: str
    query: dict[str, Any] = field(default_factory=dict)


def verdict(validation: Validation, matrix: Matrix, choice: Choice) -> str:
    """One sentence; empty where there is nothing to judge."""
    if validation.operation == Operation.PREPROCESSING:
        return _produced(validation)
    if not validation.compares:
        return _labelled(validation)
    if not matrix.objects:
        return ""
    if validation.finds_shapes:
        return _found(validation, matrix, choice)
    low, high = interval(matrix.right, matrix.objects)
    numbers = {"right": f"{matrix.right:,}", "n": f"{matrix.objects:,}", "low": _percent(low), "high": _percent(high)}
    if validation.training_type == TrainingType.RC:
        text = _(
            "It judges %(right)s of %(n)s regions right. "
            "Of regions like these, that is %(low)s to %(high)s %% (95 %% certain)."
        )
    else:
        text = _(
            "It judges %(right)s of %(n)s images right. "
            "Of images like these, that is %(low)s to %(high)s %% (95 %% certain)."
        )
    return fluent(text % numbers)


def _found(validation: Validation, matrix: Matrix, choice: Choice) -> str:
    right, objects, said = matrix.right, matrix.objects, matrix.predictions
    counts = {"right": right, "n": objects, "said": said, "false": said - right}
    numbers = {name: f"{count:,}" for name, count in counts.items()} | {"score": f"{choice.from_score:.3g}"}
    if not choice.from_score:
        text = _("It finds %(right)s of %(n)s objects; %(false)s of its %(said)s finds are none.")
    else:
        text = _(
            "From a score of %(score)s it finds %(right)s of %(n)s objects; %(false)s of its %(said)s finds are none."
        )
    return fluent(text % numbers)


def _labelled(validation: Validation) -> str:
    said: dict[str, int] = validation.figures.get("said", {})
    if "images" not in validation.figures:
        return ""
    n = sum(said.values())
    text = ngettext("It gave %(n)d label to %(images)d images.", "It gave %(n)d labels to %(images)d images.", n)
    return fluent(text % {"n": n, "images": validation.figures["images"]})


def _produced(validation: Validation) -> str:
    if validation.result is None:
        return ""
    n = validation.result.images.count()
    return ngettext("It produced %(n)d image.", "It produced %(n)d images.", n) % {"n": n}


def advice(validation: Validation, matrix: Matrix, choice: Choice) -> list[Advice]:
    """What to do, the loudest first."""
    if not validation.compares or not validation.figures:
        return []
    found = [
        *_learnt(validation),
        *_few(validation, matrix),
        *_answers(validation),
        *_another_score(validation, matrix, choice),
        *_confused(matrix),
        *(_missed(matrix) if validation.finds_shapes else ()),
        *(_false(matrix) if validation.finds_shapes else ()),
    ]
    order = ("loud", "warning", "info")
    return sorted(found, key=lambda one: order.index(one.kind))


def _learnt(validation: Validation) -> Iterator[Advice]:
    """Datasets that the model was trained with."""
    names = validation.datasets.filter(trained_in=validation.model).order_by("name").values_list("name", flat=True)
    if names:
        text = _(
            "The model has learnt from %(names)s: these figures say nothing about new images. "
            "Validate with images that it has not seen."
        )
        yield Advice("loud", fluent(text % {"names": ", ".join(names)}))


def _few(validation: Validation, matrix: Matrix) -> Iterator[Advice]:
    if 0 < matrix.objects < FEW:
        text = ngettext(
            "Only %(n)d sample was judged: the figures may be off by a lot. Validate with %(few)d or more.",
            "Only %(n)d samples were judged: the figures may be off by a lot. Validate with %(few)d or more.",
            matrix.objects,
        )
        yield Advice("warning", fluent(text % {"n": matrix.objects, "few": FEW}))
    if validation.training_type == TrainingType.RC:
        return
    there = matrix.of_truth()
    if none := [code for code in matrix.classes if not there[code]]:
        text = _("No sample of %(classes)s was judged: nothing is known of it. Validate with images that show it.")
        yield Advice("info", fluent(text % {"classes": _some(none)}))
    if few := [f"{code} ({there[code]})" for code in matrix.classes if 0 < there[code] < FEW_OF_CLASS]:
        text = _("Few samples of %(classes)s: %(few)d or more are needed to judge a class.")
        yield Advice("info", fluent(text % {"classes": _some(few), "few": FEW_OF_CLASS}))


def _answers(validation: Validation) -> Iterator[Advice]:
    """What is odd about what the kernel wrote."""
    if missing := validation.figures.get("unanswered"):
        text = ngettext(
            "The kernel said nothing about %(n)d image: %(names)s.",
            "The kernel said nothing about %(n)d images: %(names)s.",
            missing["count"],
        ) % {"n": missing["count"], "names": _some(missing["names"], missing["count"])}
        more = _("What is on it counts as missed.") if validation.finds_shapes else _("The figures leave that out.")
        yield Advice("warning", fluent(f"{text} {more}"))
    if differing := validation.figures.get("differing"):
        text = ngettext(
            "%(n)d row of detections.csv has another truth than the label (line %(line)d). The label counts.",
            "%(n)d rows of detections.csv have another truth than the label (the first in line %(line)d). "
            "The label counts. Does the kernel know the classes in the order of label.txt?",
            differing["count"],
        )
        yield Advice("warning", fluent(text % {"n": differing["count"], "line": differing["line"]}))


def _another_score(validation: Validation, matrix: Matrix, choice: Choice) -> Iterator[Advice]:
    """Where another score has a clearly better balance of misses and false alarms."""
    best, right, false = (validation.figures.get(f"best_{name}") for name in ("score", "TP", "FP"))
    if best is None or right is None or false is None or round(best, 4) == round(choice.from_score, 4):
        return
    if _f1(right, matrix.objects, right + false) - _f1(matrix.right, matrix.objects, matrix.predictions) >= GAIN:
        numbers = {"score": f"{best:.3g}", "right": f"{right:,}", "n": f"{matrix.objects:,}", "false": f"{false:,}"}
        text = _("From a score of %(score)s it would serve better: %(right)s of %(n)s found, %(false)s false alarms.")
        yield Advice("info", fluent(text % numbers), {"score": f"{best:.4f}"})


def _f1(right: int, there: int, said: int) -> float:
    return 2 * right / max(1, there + said)


def _confused(matrix: Matrix) -> Iterator[Advice]:
    there = matrix.of_truth()
    pairs = [
        (n, truth, said)
        for (truth, said), n in matrix.cells.items()
        if truth != said and NOTHING not in (truth, said) and n >= 2 and n >= OFTEN * there[truth]
    ]
    for n, truth, said in sorted(pairs, reverse=True)[:SHOWN]:
        text = _(
            "%(truth)s is taken for %(said)s %(n)d times out of %(all)d. Look whether these are labelled right; "
            "if so, add training images that show the difference."
        )
        numbers = {"truth": truth, "said": said, "n": n, "all": there[truth]}
        yield Advice("warning", fluent(text % numbers), {"truth": truth, "predicted": said})


def _missed(matrix: Matrix) -> Iterator[Advice]:
    there = matrix.of_truth()
    rows = [(there[code] - matrix.cells[code, code], code) for code in matrix.classes if there[code]]
    often = [(n, code) for n, code in rows if n >= 2 and n > (1 - LOW) * there[code]]
    for n, code in sorted(often, reverse=True)[:SHOWN]:
        text = _("%(code)s is missed %(n)d times out of %(all)d. Add training images that show it as these do.")
        query = {"show": "fn", "label": code}
        yield Advice("warning", fluent(text % {"code": code, "n": n, "all": there[code]}), query)


def _false(matrix: Matrix) -> Iterator[Advice]:
    said = matrix.of_prediction()
    rows = [(said[code] - matrix.cells[code, code], code) for code in matrix.classes if said[code]]
    often = [(n, code) for n, code in rows if n >= 2 and n > (1 - LOW) * said[code]]
    for n, code in sorted(often, reverse=True)[:SHOWN]:
        text = _(
            "%(n)d of %(all)d finds of %(code)s are none. Look whether a label is missing there; "
            "if not, raise the score, or add images without it to the training."
        )
        query = {"show": "fp", "label": code}
        yield Advice("warning", fluent(text % {"code": code, "n": n, "all": said[code]}), query)


def interval(right: int, n: int) -> tuple[float, float]:
    """Where the share lies, with 95 % certainty (Wilson)."""
    if not n:
        return 0.0, 1.0
    share, z2 = right / n, Z * Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _percent(share: float) -> str:
    return f"{100 * share:.3g}"


def _some(names: list[str], count: int | None = None) -> str:
    more = (count or len(names)) - SHOWN
    shown = ", ".join(names[:SHOWN])
    return _("%(names)s and %(n)d more") % {"names": shown, "n": more} if more > 0 else shown
