"""Datasets go out as one archive, in any format: what it will lose is said before, what was lost is counted.

exporting.losses([dataset], "voc", "OD") -> what the format has no place for
exporting.write([dataset], "voc", "OD", Path("out.zip"))
"""

from __future__ import annotations

import os
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from datasets_app.formats.source import LAYOUTS
from datasets_app.formats.splits import split_of
from datasets_app.formats.writing import WRITERS
from datasets_app.formats.writing.outgoing import (
    CATEGORIES,
    POLYGONS,
    RECTANGLES,
    ROIS,
    SCORES,
    VERDICTS,
    Classes,
    Outgoing,
    Sink,
)
from datasets_app.models import Annotation, Blob, Dataset, Image, ImageFile, labelled_field
from datasets_app.records import Shape
from projects_app.models import AnnotationType, TrainingType

WHOLE = "original"  # the format that holds several training types at once
_DRAWN = (TrainingType.OD, TrainingType.SEG, TrainingType.RC)
_CHUNK = 500  # images whose labels are in memory at a time

Progress = Callable[[float, str], None]


class ExportRefused(Exception):
    """Nothing can be exported so; the message says why."""


@dataclass(frozen=True)
class Loss:
    """What of the datasets the format does not hold. `code`: of a sentence in `exporting_words`."""

    code: str
    count: int


def training_types(datasets: Sequence[Dataset]) -> list[TrainingType]:
    """What they have labels for, the most labels first; with images that were looked at and hold nothing."""
    labels = Annotation.objects.filter(image__dataset__in=datasets, annotation_type__isnull=False)
    rows = labels.order_by().values_list("annotation_type__training_type").annotate(Count("pk"))
    counts = Counter({TrainingType(kind): count for kind, count in rows})
    looked = {kind: Count("pk", filter=Q(**{labelled_field(kind): True})) for kind in TrainingType.values}
    seen = Image.objects.filter(dataset__in=datasets).aggregate(**looked)
    counts.update({TrainingType(kind): 0 for kind, count in seen.items() if count})
    return [kind for kind, _n in counts.most_common()]


def choose_type(datasets: Sequence[Dataset], format: str) -> TrainingType | None:
    """The training type with the most labels that the format has a place for; None where there are no labels."""
    holds = _DRAWN if RECTANGLES in WRITERS[format].KEEPS else (TrainingType.CL,)
    found = training_types(datasets)
    return next((kind for kind in found if kind in holds), None)


def losses(datasets: Sequence[Dataset], format: str, training_type: str | None = None) -> list[Loss]:
    """What an export would leave out or change. Raises ExportRefused."""
    kind, keeps = _asked(datasets, format, training_type), WRITERS[format].KEEPS
    labels = Annotation.objects.filter(image__dataset__in=datasets)
    of_kind = Q(annotation_type__training_type=kind)
    counted = labels.aggregate(
        **{
            POLYGONS: Count("pk", filter=of_kind & Q(kind="polygon")),
            VERDICTS: Count("pk", filter=of_kind & Q(verdict__isnull=False)),
            ROIS: Count("pk", filter=_lost_rois(labels, kind, format)),
            SCORES: Count("pk", filter=of_kind & Q(is_generated=True)),
            "other_types": Count("pk", filter=~_exported(kind, format) & Q(is_roi=False)),
            "unjudged": Count("pk", filter=Q(annotation_type__training_type="RC", verdict__isnull=True)),
        }
    )
    counted["siblings"] = ImageFile.objects.filter(image__dataset__in=datasets).count()
    keeps = (keeps - {ROIS}) | (frozenset() if format == WHOLE else {"unjudged"})
    lost = [Loss(code, count) for code, count in counted.items() if count and code not in keeps]
    return lost + (_lost_as_folders(datasets, labels) if format == "folders" and kind else [])


def write(
    datasets: Sequence[Dataset],
    format: str,
    training_type: str | None,
    target: Path,
    progress: Progress = lambda percentage, sentence: None,
) -> int:
    """Write the archive, whole or not at all; how many images are in it. Raises ExportRefused, and OSError."""
    kind = _asked(datasets, format, training_type)
    leaving = _Leaving(list(datasets), format, kind)
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            sink = Sink(archive)
            WRITERS[format].write(leaving.images(progress), leaving.classes, sink)
            sink.finish("meta/meta.csv" if format == WHOLE else "meta.csv")
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return leaving.count


def _asked(datasets: Sequence[Dataset], format: str, training_type: str | None) -> TrainingType | None:
    """The training type to export. Raises ExportRefused."""
    if format not in WRITERS:
        raise ExportRefused(_("There is no format “%(format)s”.") % {"format": format})
    if not training_type:
        return choose_type(datasets, format)
    kind = TrainingType(training_type)
    is_drawn = kind in _DRAWN
    if not (WRITERS[format].KEEPS & ({RECTANGLES} if is_drawn else {CATEGORIES})):
        raise ExportRefused(_("This format has no place for labels of %(type)s.") % {"type": kind.label})
    return kind


def _exported(kind: TrainingType | None, format: str) -> Q:
    """Labels that go out: those of the training type; in the one format that holds them, of CL and RC as well."""
    kinds = {kind, *((TrainingType.CL, TrainingType.RC) if format == WHOLE else ())} - {None}
    return Q(annotation_type__training_type__in=kinds)


def _drawn_kind(kind: TrainingType | None, format: str) -> TrainingType | None:
    """Whose shapes go into a file an image; one format has lists for RC instead."""
    return kind if kind in _DRAWN and (format != WHOLE or kind != TrainingType.RC) else None


def _lost_rois(labels: QuerySet[Annotation], kind: TrainingType | None, format: str) -> Q:
    """All, where there is no place; else those of images that nobody labelled: a file would say that somebody did."""
    if ROIS not in WRITERS[format].KEEPS:
        return Q(is_roi=True)
    drawn = _drawn_kind(kind, format)
    if drawn is None or not labels.filter(annotation_type__training_type=drawn).exists():
        return Q(pk__in=())
    return Q(is_roi=True) & Q(**{f"image__{labelled_field(drawn)}": False})


def _lost_as_folders(datasets: Sequence[Dataset], labels: QuerySet[Annotation]) -> list[Loss]:
    """Folders say one question; and one folder for all images would be taken for a wrapper."""
    if (question := next(iter(_questions(_types(datasets))), None)) is None:
        return []
    answers = labels.filter(annotation_type=question)
    others = labels.filter(annotation_type__training_type=TrainingType.CL).exclude(annotation_type=question).count()
    beside = Image.objects.filter(dataset__in=datasets).exclude(pk__in=answers.values("image"))
    is_single = answers.order_by().values("category").distinct().count() == 1 and not beside.exists()
    found = Loss("other_questions", others), Loss("single_class", int(is_single))
    return [one for one in found if one.count]


def _questions(types: Iterable[AnnotationType]) -> list[AnnotationType]:
    """The first is the one that a format with a place for one gets."""
    return [one for one in types if one.training_type == TrainingType.CL]


class _Leaving:
    """The images of some datasets on their way out."""

    def __init__(self, datasets: list[Dataset], format: str, kind: TrainingType | None) -> None:
        self.datasets, self.format, self.kind, self.count = datasets, format, kind, 0
        self.drawn = _drawn_kind(kind, format)
        self.types = {one.pk: one for one in _types(datasets)}
        self.classes = self._classes()
        self._layout = _common_layout(datasets)
        self._has_many = len(datasets) > 1 and _share_names(datasets)

    def images(self, progress: Progress) -> Iterator[Outgoing]:
        total = Image.objects.filter(dataset__in=self.datasets).count()
        if not total:
            raise ExportRefused(_("There is no image to export."))
        for dataset in self.datasets:
            last = (-1, -1)
            while some := _after(dataset, last):
                for one in self._leaving(dataset, some):  # each is told of: a cancel is seen, the lease is renewed
                    sentence = _("Packing image %(number)d of %(count)d") % {"number": self.count + 1, "count": total}
                    progress(100 * self.count / total, sentence)
                    self.count += 1
                    yield one
                last = some[-1].position, some[-1].pk

    def _leaving(self, dataset: Dataset, images: list[Image]) -> Iterator[Outgoing]:
        labels: dict[int, list[Annotation]] = defaultdict(list)
        for label in Annotation.objects.filter(image__in=images).select_related("category").order_by("pk"):
            labels[label.image_id].append(label)
        siblings: dict[int, list[ImageFile]] = defaultdict(list)
        for sibling in ImageFile.objects.filter(image__in=images):
            siblings[sibling.image_id].append(sibling)
        for image in images:
            yield self._outgoing(dataset, image, labels[image.pk], siblings[image.pk])

    def _outgoing(
        self, dataset: Dataset, image: Image, labels: list[Annotation], siblings: list[ImageFile]
    ) -> Outgoing:
        return Outgoing(
            name=self._name(dataset, image.name),
            file=Blob(sha256=image.blob_id).path,
            size=(image.width, image.height),
            labelled=bool(self.drawn and getattr(image, labelled_field(self.drawn))),
            shapes=tuple(self._shapes(labels, self.drawn, with_rois=True)),
            regions=tuple(self._shapes(labels, TrainingType.RC)) if self.format == WHOLE else (),
            categories=self._categories(labels),
            stem=next((self._name(dataset, one.name.removesuffix(one.suffix)) for one in siblings), ""),
            siblings=tuple((self._name(dataset, one.name), Blob(sha256=one.blob_id).path) for one in siblings),
            meta=_meta(image),
            split=dataset.split,
        )

    def _shapes(self, labels: list[Annotation], kind: TrainingType | None, with_rois: bool = False) -> Iterator[Shape]:
        for label in labels:
            of_type = self.types.get(label.annotation_type_id or 0)
            if not (label.is_roi and with_rois) and (of_type is None or of_type.training_type != kind):
                continue
            points = tuple((float(x), float(y)) for x, y in label.points)
            yield Shape(
                of_type.code if of_type else "",
                str(label.kind),
                points,
                label.score,
                is_generated=label.is_generated,
                is_roi=label.is_roi,
                verdict=label.verdict,
            )

    def _categories(self, labels: list[Annotation]) -> dict[str, str]:
        found: dict[str, str] = {}
        for label in labels:
            of_type = self.types.get(label.annotation_type_id or 0)
            if of_type and label.category and of_type.code in self.classes.questions:
                found.setdefault(of_type.code, label.category.code)
        return found

    def _classes(self) -> Classes:
        drawn = [one.code for one in self.types.values() if one.training_type == self.drawn]
        regions = [one.code for one in self.types.values() if one.training_type == TrainingType.RC]
        questions = _questions(self.types.values())
        if self.format != WHOLE:
            questions = questions[:1] if self.kind == TrainingType.CL else []
        found = {one.code: tuple(one.categories.values_list("code", flat=True)) for one in questions}
        check_names(found, self.format)
        return Classes(tuple(drawn), tuple(regions), found)

    def _name(self, dataset: Dataset, name: str) -> str:
        inside = name.removeprefix(f"{self._layout}/") if self._layout else name
        return f"{dataset.name.replace('/', '-')}/{inside}" if self._has_many else inside


def _types(datasets: Sequence[Dataset]) -> list[AnnotationType]:
    """The annotation types that are used, in an order that stays."""
    used = Annotation.objects.filter(image__dataset__in=datasets).order_by().values("annotation_type").distinct()
    return list(AnnotationType.objects.filter(pk__in=used).order_by("pk"))


def check_names(questions: dict[str, tuple[str, ...]], format: str) -> None:
    """Raises ExportRefused for codes that the layout would take for something else."""
    codes = [code for found in questions.values() for code in found]
    bad = [code for code in codes if split_of(code) or code.lower() in LAYOUTS] if format == "folders" else []
    bad += [code for code in questions if code.lower() == "rc"] if format == WHOLE else []
    if bad:
        raise ExportRefused(_("“%(code)s” means something else in this format. Choose another one.") % {"code": bad[0]})


def _common_layout(datasets: Sequence[Dataset]) -> str:
    """The folder of a layout that all images lie in, which is no part of their names; "" where there is none."""
    images = Image.objects.filter(dataset__in=datasets)
    return next((one for one in LAYOUTS if not images.exclude(name__startswith=f"{one}/").exists()), "")


def _share_names(datasets: Sequence[Dataset]) -> bool:
    rows = Image.objects.filter(dataset__in=datasets).order_by().values("name").annotate(n=Count("pk"))
    return rows.filter(n__gt=1).exists()


def _after(dataset: Dataset, last: tuple[int, int]) -> list[Image]:
    position, pk = last
    following = Q(position__gt=position) | Q(position=position, pk__gt=pk)
    return list(dataset.images.filter(following).order_by("position", "pk")[:_CHUNK])


def _meta(image: Image) -> dict[str, str]:
    """As text, with the data category where the meta data do not say it themselves."""
    found = {str(key): str(value) for key, value in image.meta.items()} if isinstance(image.meta, dict) else {}
    if image.data_category and image.data_category not in (found.get("data_category"), found.get("category")):
        found["data_category"] = image.data_category
    return found
