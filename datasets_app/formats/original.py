"""The layout of the system before this one: `images/`, `meta/meta.csv`, and in `annotations/` any of

- CL: `<type>.cat`, a category a line, and `<type>.txt`, a line an image: `file category`;
- RC: `rc.cat`, a label a line, and `rc.txt`, a line a region: `file label true|false x y w h` in pixels;
- OD, SEG: a LabelMe or Pascal VOC file an image.

All of them may speak of the same images: what is not the first reading comes as `also`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, replace

from datasets_app.formats import labelme_json, labelme_xml, voc
from datasets_app.formats.candidate import Candidate
from datasets_app.formats.collect import Collector
from datasets_app.formats.geometry import BadShape, number
from datasets_app.formats.safe_files import UnreadableFile, read_text
from datasets_app.formats.source import Source, clean_name
from datasets_app.formats.verdicts import word
from datasets_app.records import ImageRecord, Problem, Reading, Shape
from kernels_app.contract.files import is_text

NAME = "original"
TITLE = "images, meta, annotations (.cat)"
RC = "rc"
_SHAPES = (labelme_json, labelme_xml, voc)
ALSO = tuple(module.NAME for module in _SHAPES)  # kinds of files that are read with its own


def match(source: Source) -> Candidate:
    files = len(source.kinds.of(NAME))
    reason = f"{files} lists of categories" if files else "no .cat file with categories was found"
    return Candidate(NAME, TITLE, files, f"{TITLE}: {reason}")


def read(source: Source) -> Reading:
    """Shapes first where there are some, then regions, then the questions by name."""
    shapes = [module.read(source) for module in _SHAPES if source.kinds.of(module.NAME)]
    lists = [_List(source, path) for path in source.kinds.of(NAME)]
    regions = [_regions(one) for one in lists if one.name.lower() == RC]
    questions = [_question(one) for one in lists if one.name.lower() != RC]
    first, *others = [*map(_named, shapes), *regions, *questions]
    problems = [problem for reading in (first, *others) for problem in reading.problems]
    return replace(first, problems=_once(problems), also=tuple(replace(one, problems=()) for one in others))


def _named(reading: Reading) -> Reading:
    return replace(reading, format=NAME)


def _once(problems: list[Problem]) -> tuple[Problem, ...]:
    """Several readers complain of the same picture."""
    return tuple(dict.fromkeys(problems))


@dataclass(frozen=True)
class _List:
    """A `.cat` file and the `.txt` beside it."""

    source: Source
    path: str

    @property
    def name(self) -> str:
        return posixpath.splitext(posixpath.basename(self.path))[0]

    @property
    def text_path(self) -> str:
        return posixpath.splitext(self.path)[0] + ".txt"

    def codes(self, collector: Collector) -> list[str]:
        """The first word of each line; what follows it is a name for people."""
        lines = [line.split() for _number, line in self._lines(self.path, collector)]
        return list(dict.fromkeys(words[0] for words in lines if words and is_text(words[0])))

    def lines(self, collector: Collector) -> Iterator[tuple[str, str]]:
        """Each line that holds something, with a name for messages."""
        for position, line in self._lines(self.text_path, collector):
            if line.strip():
                yield f"line {position}", line.strip()

    def _lines(self, path: str, collector: Collector) -> list[tuple[int, str]]:
        try:
            return list(enumerate(read_text(self.source.annotation_path(path)).splitlines(), 1))
        except UnreadableFile as error:
            collector.problem(path, "unreadable_file", str(error))
            return []

    def image(self, stated: str, where: str, collector: Collector) -> str | None:
        """Below `images`, where the lists count from; else wherever there is one of this name."""
        home = posixpath.join(posixpath.dirname(posixpath.dirname(self.path)), "images", clean_name(stated))
        found = self.source.lookup(home)
        if found.how != "exact":
            found = self.source.lookup(stated, near=self.path)
        if not found.image:
            code = "ambiguous_name" if found.candidates else "image_missing"
            collector.problem(self.text_path, code, f"{where}: {stated}")
        return found.image


def _question(one: _List) -> Reading:
    """CL: images whose category is one of the list; the first statement about an image counts."""
    collector, answers = Collector(one.source), dict[str, str]()
    codes = one.codes(collector)
    for where, line in one.lines(collector):
        stated, _space, code = line.rpartition(" ")
        image = one.image(stated.strip(), where, collector) if stated else None
        if not stated:
            collector.problem(one.text_path, "bad_row", f"{where}: {line[:80]}")
        elif code not in codes:
            collector.problem(one.text_path, "unknown_category", f"{where}: {code[:80]}")
        elif image and answers.setdefault(image, code) != code:
            collector.problem(one.text_path, "two_categories", f"{where}: {stated}")
    images = tuple(
        ImageRecord(image, category=answers.get(image), labelled=image in answers) for image in one.source.images
    )
    found = tuple(collector.problems)
    return Reading(NAME, images, tuple(codes), found, is_classification=True, question=one.name)


def _regions(one: _List) -> Reading:
    """RC: regions with what is inspected and whether it is there."""
    collector = Collector(one.source)
    codes, shapes = one.codes(collector), dict[str, list[Shape]]()
    for where, line in one.lines(collector):
        try:
            stated, region = _region(line)
        except BadShape as error:
            collector.problem(one.text_path, error.code, f"{where}: {line[:80]}")
            continue
        if region.label not in codes:
            collector.problem(one.text_path, "unknown_category", f"{where}: {region.label[:80]}")
        elif image := one.image(stated, where, collector):
            shapes.setdefault(image, []).append(region)
    collector.take(shapes)
    labels = tuple(code for code in codes if code in collector.labels())
    return collector.reading(NAME, labels, {})


def _region(line: str) -> tuple[str, Shape]:
    """The file and its region; a file name may hold spaces, so the line is read from its end. Raises BadShape."""
    parts = line.rsplit(maxsplit=6)
    verdict = word(parts[2]) if len(parts) == 7 else None
    if verdict is None:
        raise BadShape("bad_row")
    left, top, width, height = map(number, parts[3:])
    corners = ((left, top), (left + width, top + height))
    return parts[0], Shape(parts[1], "rectangle", corners, verdict=verdict)
