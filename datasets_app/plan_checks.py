"""Is a plan possible? Every fault names its field, what stands there, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from datasets_app.models import Dataset
from datasets_app.plans import CODE_LENGTH, ImportRefused, Plan
from projects_app.models import CODE, AnnotationType, Category, ModelType, Project, TrainingType

NAME_LENGTH = 190  # leaves room for "-train"


def check(project: Project, plan: Plan, splits: Iterable[str]) -> None:
    """Raises ImportRefused with every fault of the plan for images of these splits."""
    if faults := list(_faults(project, plan, splits)):
        raise ImportRefused(*faults)


def check_labels(project: Project, plan: Plan) -> None:
    """What concerns the labels alone, for those that others of the same import join. Raises ImportRefused."""
    if faults := list(_label_faults(project, plan)):
        raise ImportRefused(*faults)


def check_name(project: Project, name: str) -> None:
    """What can be said of a name before anything was read. Raises ImportRefused."""
    if faults := list(_name_faults(name)) or list(_taken(project, [name])):
        raise ImportRefused(*faults)


def _faults(project: Project, plan: Plan, splits: Iterable[str]) -> Iterator[tuple[str, str]]:
    yield from list(_name_faults(plan.name)) or _taken(project, plan.dataset_names(splits).values())
    yield from _label_faults(project, plan)


def _label_faults(project: Project, plan: Plan) -> Iterator[tuple[str, str]]:
    if not plan.training_type:
        return
    if not plan.codes():
        yield "labels", _("Every label is left out. Keep at least one.")
        return
    is_asked = plan.training_type == TrainingType.RC and plan.question
    if is_asked and len({label.verdict for label in plan.labels if label.code}) < 2:
        yield (
            "labels",
            _("All regions would have the same verdict: nothing could be learnt. Say which labels mean false."),
        )
    bad_codes = list(_code_faults(plan))
    yield from bad_codes
    if not bad_codes:
        yield from _type_faults(project, plan)
        yield from _model_type_faults(project, plan)


def _name_faults(name: str) -> Iterator[tuple[str, str]]:
    if not name.strip():
        yield "name", _("Give the dataset a name.")
    elif len(name) > NAME_LENGTH:
        yield (
            "name",
            _("The name has %(count)d characters; at most %(most)d are possible.")
            % {"count": len(name), "most": NAME_LENGTH},
        )
    elif not name.isprintable():
        yield "name", _("The name holds characters that cannot be shown.")


def _taken(project: Project, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    taken = Dataset.objects.filter(project=project, name__in=list(names)).order_by("name")
    for name in taken.values_list("name", flat=True):
        yield "name", _("There is a dataset “%(name)s” already. Choose another name.") % {"name": name}


def _code_faults(plan: Plan) -> Iterator[tuple[str, str]]:
    named = [(f"code-{number}", label.code) for number, label in enumerate(plan.labels) if label.code]
    if plan.training_type == TrainingType.RC and plan.question:
        named = []  # all of them are the question's
    if plan.question or plan.training_type == TrainingType.CL:
        named.append(("question", plan.question))
    for where, code in [*named, ("model_type", plan.model_type)]:
        try:
            CODE(code)
            too_long = len(code) > CODE_LENGTH
        except ValidationError:
            yield where, _("“%(code)s” cannot be a code. Use letters, digits, '_', '-' and '.'.") % {"code": code}
            continue
        if too_long:
            yield where, _("A code has at most %(most)d characters.") % {"most": CODE_LENGTH}


def _type_faults(project: Project, plan: Plan) -> Iterator[tuple[str, str]]:
    """Codes that belong to an annotation type of another kind, and categories that a known question does not have."""
    known = AnnotationType.objects.filter(project=project, code__in=plan.classes())
    for kind in known.exclude(training_type=plan.training_type).order_by("code"):
        where = "question" if plan.question else _field_of(plan, kind.code)
        yield (
            where,
            _("“%(code)s” is an annotation type for %(type)s already. Choose another code.")
            % {"code": kind.code, "type": kind.get_training_type_display()},
        )
    if plan.training_type == TrainingType.CL:
        yield from _category_faults(known.filter(training_type=TrainingType.CL).first(), plan)


def _category_faults(question: AnnotationType | None, plan: Plan) -> Iterator[tuple[str, str]]:
    if question is None:
        return
    codes = set(Category.objects.filter(annotation_type=question).values_list("code", flat=True))
    if missing := [code for code in plan.codes() if code not in codes]:
        yield (
            "question",
            _("“%(question)s” has no category %(missing)s. Choose a code for a new question, or leave them out.")
            % {"question": question.code, "missing": ", ".join(missing)},
        )


def _model_type_faults(project: Project, plan: Plan) -> Iterator[tuple[str, str]]:
    """A known model type is used as it is: it is never extended on the way."""
    found = ModelType.objects.filter(project=project, code=plan.model_type).first()
    if found is None:
        return
    if found.training_type != plan.training_type:
        yield (
            "model_type",
            _("The model type “%(code)s” is for %(type)s. Choose another code.")
            % {"code": found.code, "type": found.get_training_type_display()},
        )
        return
    learnt = set(found.annotation_types.values_list("code", flat=True))
    if missing := [code for code in plan.classes() if code not in learnt]:
        yield (
            "model_type",
            _("The model type “%(code)s” does not learn %(missing)s. Choose a new code, or leave these labels out.")
            % {"code": found.code, "missing": ", ".join(missing)},
        )


def _field_of(plan: Plan, code: str) -> str:
    return next((f"code-{number}" for number, label in enumerate(plan.labels) if label.code == code), "labels")
