"""What an import will make of the labels it found: proposed by the portal, changed by the person, checked, then done.

A plan knows codes only, so that it can wait in a draft as JSON while somebody looks at it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Self

from django.utils.translation import gettext as _

from datasets_app.records import Reading
from projects_app.models import AnnotationType, Category, ModelType, Project, TrainingType

_NO_CODE = re.compile(r"[^\w.-]+")
PROPOSED_LENGTH = 40  # of a code that we propose: it stands in tables and lists
CODE_LENGTH = 128


class ImportRefused(Exception):
    """Why nothing was imported: sentences for the user, each with the field it is about ("" for the whole)."""

    def __init__(self, *faults: tuple[str, str]) -> None:
        super().__init__("\n".join(sentence for _field, sentence in faults))
        self.faults = faults


@dataclass(frozen=True)
class Options:
    """What the person chose before anything was read; empty means that the portal decides."""

    format: str = ""
    training_type: str = ""
    rc_type: str = ""
    rc_false_labels: tuple[str, ...] = ()
    image_types: tuple[str, ...] = ()  # suffixes of sibling images, the one of the labelled picture first
    model_type: str = ""
    reserved: tuple[str, ...] = ()  # codes that other labels of the same import take

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        lists = {key: tuple(value.get(key, ())) for key in ("rc_false_labels", "image_types", "reserved")}
        words = {key: str(value.get(key, "")) for key in ("format", "training_type", "rc_type", "model_type")}
        return cls(**words, **lists)  # type: ignore[arg-type]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class LabelPlan:
    """What one label of the source becomes. `code`: an annotation type, for CL a category; "" leaves it out."""

    label: str
    count: int
    code: str
    verdict: bool | None = None  # RC only: whether a region with this label has what is inspected


@dataclass(frozen=True)
class Plan:
    """`question`: the one annotation type that CL teaches, and RC too, unless the regions carry verdicts of their own:
    then each label is one. `chosen`: the person said which training type."""

    name: str
    training_type: str = ""  # "" imports images without labels
    chosen: bool = False
    labels: tuple[LabelPlan, ...] = ()
    question: str = ""
    model_type: str = ""
    image_types: tuple[str, ...] = field(default=())

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        labels = tuple(LabelPlan(**label) for label in value["labels"])
        return cls(**value | {"labels": labels, "image_types": tuple(value["image_types"])})

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def of(self, label: str | None) -> LabelPlan | None:
        """What becomes of a label; None where it is left out."""
        return self._by_label.get(label)

    @cached_property
    def _by_label(self) -> dict[str | None, LabelPlan]:
        """The first of each label that is not left out; an import asks for every shape."""
        return {plan.label: plan for plan in reversed(self.labels) if plan.code}

    def codes(self) -> list[str]:
        """Codes of the annotation types (CL: the categories) that are used, each once."""
        return list(dict.fromkeys(label.code for label in self.labels if label.code))

    def classes(self) -> list[str]:
        """Codes of the annotation types that the model type learns."""
        return [self.question] if self.question else self.codes()

    def dataset_names(self, splits: Iterable[str]) -> dict[str, str]:
        """Split -> name of the dataset for it; images without a split get the plain name."""
        named = set(splits)
        return {one: f"{self.name}-{one}" if one else self.name for one in ("train", "val", "test", "") if one in named}


def propose(project: Project, name: str, reading: Reading, options: Options) -> Plan:
    """What the portal would do. Raises ImportRefused where the labels do not fit what the person asked for."""
    training_type = _training_type(reading, options)
    counts = label_counts(reading)
    base = Plan(name, training_type, bool(options.training_type or options.rc_type), image_types=options.image_types)
    if not training_type:
        return base
    propose_labels = {TrainingType.CL: _propose_cl, TrainingType.RC: _propose_rc}.get(
        TrainingType(training_type), _propose_shapes
    )
    if training_type == TrainingType.RC and reading.is_judged and not options.rc_type:
        propose_labels = _propose_shapes
    labels, question = propose_labels(project, name, reading, counts, options, training_type)
    plan = replace(base, labels=labels, question=question)
    model_type = options.model_type or propose_model_type(project, plan, options.reserved)
    return replace(plan, model_type=model_type)


def in_order(reading: Reading, options: Options) -> Reading:
    """The reading, with what it says for the training type that was chosen first and the rest as `also`."""
    readings = [replace(reading, also=()), *reading.also]
    wanted = [one for one in readings if options.training_type in possible_types(one)] or readings
    others = tuple(one for one in readings if one is not wanted[0])
    return replace(wanted[0], also=others, problems=reading.problems)


def propose_also(project: Project, reading: Reading, plan: Plan) -> list[tuple[Reading, Plan]]:
    """What becomes of the labels for other training types, which nobody is asked about: new codes where need be.

    A list that names no label, or that cannot be read, gives none: it must not refuse the rest."""
    found: list[tuple[Reading, Plan]] = []
    reserved = [*plan.classes(), plan.model_type]
    for other in reading.also:
        options = Options(image_types=plan.image_types, reserved=tuple(reserved))
        name = f"{plan.name}_{other.question}" if other.question else plan.name
        proposed = propose(project, name, other, options)
        if proposed.codes():
            found.append((other, proposed))
            reserved += [*proposed.classes(), proposed.model_type]
    return found


def label_counts(reading: Reading) -> Counter[str]:
    """How many images (classification) or shapes carry each label."""
    if reading.is_classification:
        return Counter(image.category for image in reading.images if image.category is not None)
    return Counter(shape.label for image in reading.images for shape in image.traits if not shape.is_roi)


def shape_counts(reading: Reading) -> Counter[str]:
    """How many rectangles and polygons there are."""
    return Counter(shape.kind for image in reading.images for shape in image.traits if not shape.is_roi)


def possible_types(reading: Reading) -> list[TrainingType]:
    """The training types that what was read can teach."""
    if reading.is_classification:
        return [TrainingType.CL]
    return [TrainingType.OD, TrainingType.SEG, TrainingType.RC] if reading.labels else []


def clean_code(text: str) -> str:
    """A code made of a label: what a code cannot hold becomes "_"."""
    return _NO_CODE.sub("_", text.strip()).strip("_")[:CODE_LENGTH]


def free_code(wanted: str, is_taken: Callable[[str], bool]) -> str:
    """`wanted`, or with the first number that makes it free."""
    if not is_taken(wanted):
        return wanted
    numbered = (f"{wanted[: CODE_LENGTH - 5]}_{number}" for number in range(2, 10_000))
    return next(code for code in numbered if not is_taken(code))


def covering_model_types(project: Project, plan: Plan) -> list[ModelType]:
    """Model types whose classes cover the plan's, the one with the fewest others first."""
    found = ModelType.objects.filter(project=project, training_type=plan.training_type)
    candidates = [(set(kind.annotation_types.values_list("code", flat=True)), kind) for kind in found.order_by("pk")]
    wanted = set(plan.classes())
    return [kind for codes, kind in sorted(candidates, key=lambda pair: len(pair[0])) if wanted and wanted <= codes]


def propose_model_type(project: Project, plan: Plan, reserved: tuple[str, ...] = ()) -> str:
    """The code of the model type to reuse, or of a new one that is none of `reserved`."""
    if covering := covering_model_types(project, plan):
        return covering[0].code
    name = clean_code(plan.name) or "NEW"
    prefix = f"{plan.training_type}_"
    wanted = name if name.upper().startswith(prefix) else prefix + name
    return free_code(
        wanted[:PROPOSED_LENGTH],
        lambda code: code in reserved or ModelType.objects.filter(project=project, code=code).exists(),
    )


def _training_type(reading: Reading, options: Options) -> str:
    possible = possible_types(reading)
    wanted = TrainingType.RC if options.rc_type and not options.training_type else options.training_type
    if wanted and wanted not in possible:
        raise ImportRefused(("training_type", _wrong_type(wanted, reading)))
    if wanted or not possible:
        return wanted
    shapes = shape_counts(reading)
    if reading.is_classification:
        return TrainingType.CL
    if reading.is_judged:
        return TrainingType.RC
    return TrainingType.SEG if shapes["polygon"] > shapes["rectangle"] else TrainingType.OD


def _wrong_type(wanted: str, reading: Reading) -> str:
    kind = TrainingType(wanted).label
    if reading.is_classification:
        return _("%(type)s needs drawn shapes, but the labels are folders of whole images.") % {"type": kind}
    if not reading.labels:
        return _("%(type)s needs labels, but none were found.") % {"type": kind}
    return _("%(type)s needs a folder per class, but the labels are drawn shapes.") % {"type": kind}


def _propose_shapes(
    project: Project, name: str, reading: Reading, counts: Counter[str], options: Options, training_type: str
) -> tuple[tuple[LabelPlan, ...], str]:
    """OD, SEG, judged RC: an annotation type a label, by its code or name where the project knows it."""
    known = list(AnnotationType.objects.filter(project=project))
    by_code = {kind.code: kind for kind in known if kind.training_type == training_type}
    by_name = {kind.name: kind for kind in reversed(known) if kind.training_type == training_type}
    taken = {kind.code for kind in known} | set(options.reserved)
    labels = []
    for number, label in enumerate(reading.labels, 1):
        code = clean_code(label) or f"label_{number}"
        prefixed = f"{training_type}_{code}"[:CODE_LENGTH]
        match = by_code.get(code) or by_name.get(label) or by_code.get(prefixed)
        found = match.code if match else free_code(prefixed if code in taken else code, taken.__contains__)
        taken.add(found)
        labels.append(LabelPlan(label, counts[label], found))
    return tuple(labels), ""


# labels that say that nothing is wrong, in the words people use
SOUND = {
    "ok",
    "good",
    "normal",
    "pass",
    "sound",
    "none",
    "background",
    "negative",
    "false",
    "no",
    "정상",
    "양호",
    "양품",
}


def _propose_rc(
    project: Project, name: str, reading: Reading, counts: Counter[str], options: Options, training_type: str
) -> tuple[tuple[LabelPlan, ...], str]:
    """RC: every label is a verdict on one thing."""
    code = options.rc_type or _free_type_code(project, clean_code(name) or "REGION", options)
    unknown = [label for label in options.rc_false_labels if label not in counts]
    if unknown:
        raise ImportRefused(
            (
                "rc_false_labels",
                _("No region has the label %(unknown)s. Found: %(found)s.")
                % {"unknown": ", ".join(unknown), "found": ", ".join(reading.labels)},
            )
        )
    false = set(options.rc_false_labels) or {label for label in reading.labels if label.casefold() in SOUND}
    labels = (LabelPlan(label, counts[label], code, verdict=label not in false) for label in reading.labels)
    return tuple(labels), code


def _propose_cl(
    project: Project, name: str, reading: Reading, counts: Counter[str], options: Options, training_type: str
) -> tuple[tuple[LabelPlan, ...], str]:
    """CL: the categories of one question, one that the project knows where its categories cover the labels."""
    questions = AnnotationType.objects.filter(project=project, training_type=training_type).order_by("pk")
    named = clean_code(reading.question)
    if named:
        questions = questions.filter(code=named)
    for question in questions:
        codes = categories_by_label(question)
        if all(label in codes for label in reading.labels):
            return tuple(LabelPlan(label, counts[label], codes[label]) for label in reading.labels), question.code
    used: set[str] = set()
    labels = []
    for number, label in enumerate(reading.labels, 1):
        code = free_code(clean_code(label) or f"category_{number}", used.__contains__)
        used.add(code)
        labels.append(LabelPlan(label, counts[label], code))
    return tuple(labels), _free_type_code(project, named or clean_code(name) or "QUESTION", options)


def categories_by_label(question: AnnotationType) -> dict[str, str]:
    """What a label may be called -> the code of the category: its name, and its code."""
    rows = list(Category.objects.filter(annotation_type=question).values_list("name", "code"))
    return dict(rows) | {code: code for _name, code in rows}


def _free_type_code(project: Project, wanted: str, options: Options) -> str:
    types = AnnotationType.objects.filter(project=project)
    return free_code(wanted, lambda code: code in options.reserved or types.filter(code=code).exists())
