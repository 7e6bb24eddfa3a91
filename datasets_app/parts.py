"""From what was read to what is kept: sibling pictures grouped, shapes in the form that the training type holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from datasets_app.formats.geometry import bounds
from datasets_app.plans import Plan
from datasets_app.records import ImageRecord, Problem, Reading, Shape
from projects_app.models import TrainingType

NAME_LENGTH = 500  # characters of an image's name


@dataclass(frozen=True, slots=True)
class Part:
    """One photographed part: the picture that carries the labels, and its siblings (suffix, path)."""

    record: ImageRecord
    siblings: tuple[tuple[str, str], ...] = ()


@dataclass
class Parts:
    """All parts of a reading that can be kept, with what was left out on the way."""

    parts: list[Part] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def group(reading: Reading, image_types: tuple[str, ...]) -> Parts:
    """Put siblings together: `P1_A.png` is the part, `P1_X.png` its sibling, for the suffixes `_A.png`, `_X.png`."""
    found = Parts()
    usable = {image.path: image for image in reading.images if _is_good_name(image.path)}
    found.problems += [Problem(image.path, "bad_name") for image in reading.images if image.path not in usable]
    primaries = [path for path in usable if not path.endswith(image_types[1:])] if image_types else list(usable)
    taken: set[str] = set()
    for path in primaries:
        siblings = tuple(_siblings(path, image_types, usable))
        taken.update(sibling for _suffix, sibling in siblings)
        found.parts.append(Part(usable[path], siblings))
    found.problems += _left_siblings(usable, set(primaries), taken)
    return found


def shapes_for(record: ImageRecord, plan: Plan) -> tuple[list[Shape], list[Problem]]:
    """The labelled shapes of an image as the plan's training type holds them; labels that are left out are dropped."""
    kept, problems = [], []
    for shape in record.shapes:
        if shape.is_roi:
            kept.append(shape)
        elif plan.of(shape.label):
            fitted, code = fit_kind(shape, plan)
            problems += [Problem(record.path, code, shape.label)] if code else []
            kept += [fitted] if fitted else []
    return kept, problems


def fit_kind(shape: Shape, plan: Plan) -> tuple[Shape | None, str]:
    """The shape in the kind that fits, and the code of what had to be done; None where it cannot be kept."""
    if plan.training_type == TrainingType.SEG:
        return (shape, "") if shape.kind == "polygon" else (_as_polygon(shape), "box_as_polygon")
    if shape.kind == "rectangle":
        return shape, ""
    return (_as_box(shape), "polygon_as_box") if plan.chosen else (None, "polygon_left_out")


def plan_problems(reading: Reading, plan: Plan) -> list[Problem]:
    """What the plan itself will lose or change."""
    if reading.is_classification or not plan.training_type:
        return []
    return [problem for record in reading.images for problem in shapes_for(record, plan)[1]]


def _as_polygon(shape: Shape) -> Shape:
    (left, top), (right, bottom) = shape.points
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    return shape._replace(kind="polygon", points=corners)


def _as_box(shape: Shape) -> Shape:
    return shape._replace(kind="rectangle", points=bounds(shape.points))


def _siblings(path: str, image_types: tuple[str, ...], usable: dict[str, ImageRecord]) -> Iterable[tuple[str, str]]:
    if not image_types or not path.endswith(image_types[0]):
        return
    stem = path.removesuffix(image_types[0])
    for suffix in image_types[1:]:
        if stem + suffix in usable:
            yield suffix, stem + suffix


def _left_siblings(usable: dict[str, ImageRecord], primaries: set[str], taken: set[str]) -> Iterable[Problem]:
    for path, record in usable.items():
        if path in taken and record.shapes:
            yield Problem(path, "sibling_labelled", f"{len(record.shapes)}")
        elif path not in taken and path not in primaries:
            yield Problem(path, "sibling_alone")


def _is_good_name(path: str) -> bool:
    """Lists of files hold one name a line, so a name is printable; columns hold so many characters."""
    return len(path) <= NAME_LENGTH and path.isprintable()
