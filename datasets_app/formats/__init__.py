"""Annotation formats: one module each, registered in FORMATS; all read a Source into a Reading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from datasets_app.formats import coco, folders, labelme_json, labelme_xml, original, remarks, voc, yolo
from datasets_app.formats.candidate import Candidate
from datasets_app.formats.kinds import TITLES
from datasets_app.formats.safe_files import UnreadableFile
from datasets_app.formats.source import Source
from datasets_app.records import FormatError, Problem, Reading

FORMATS = {module.NAME: module for module in (coco, folders, labelme_json, labelme_xml, original, voc, yolo)}
__all__ = ["FORMATS", "Candidate", "Source", "detect", "read"]

# The first that fits is taken. The old layout goes first, as it reads files of other formats with its own; one COCO
# file says as much as a file an image; every picture fits the last.
_PREFERENCE = (
    *(original.NAME, coco.NAME, labelme_json.NAME, labelme_xml.NAME, voc.NAME, yolo.NAME),
    folders.NAME,
)
_LISTED = 5  # names in a message


def detect(source: Source) -> list[Candidate]:
    """Every format, those that fit first (folders last of them), each with the reason."""
    candidates = [FORMATS[name].match(source) for name in _PREFERENCE]
    return sorted(candidates, key=lambda candidate: not candidate.fits)


def read(source: Source, format: str | None = None) -> Reading:
    """Read as `format`, or as the first that fits; raises FormatError with what was found and what was expected."""
    _require_images(source)
    name = _chosen(source, format) if format else _best(source)
    try:
        reading = FORMATS[name].read(source)
    except UnreadableFile as error:  # it was readable a moment ago, when it was recognised
        raise FormatError(f"A file changed while it was read: {error}", "unreadable_file") from None
    return replace(reading, problems=(*reading.problems, *_unread(source, name), *_remarks(source, reading)))


def _remarks(source: Source, reading: Reading) -> Iterator[Problem]:
    """What is odd whatever the format is."""
    yield from remarks.of_names(source)
    yield from remarks.of_pictures(source)
    for one in (reading, *reading.also):
        yield from remarks.of_labels(one.labels)


def _require_images(source: Source) -> None:
    """A file of a known but unread format is the better reason, where there is one."""
    if not source.images and not source.annotations:
        raise FormatError(f"The source is empty. {_expected()}", "empty")
    if not source.images:
        refusal = "" if any(source.kinds.of(name) for name in FORMATS) else _refusal(source)
        code = "unsupported_format" if refusal else "no_images"
        raise FormatError(refusal or f"No image was found in it: {_found(source)}. {_expected()}", code)


def _chosen(source: Source, format: str) -> str:
    if format not in FORMATS:
        raise FormatError(f"{format!r} is no format; known are {', '.join(FORMATS)}", "unknown_format")
    candidate = FORMATS[format].match(source)
    if not candidate.fits:
        refusal = _refusal(source)
        raise FormatError(f"{candidate.reason}; {refusal or 'found: ' + _found(source)}", "no_format")
    return format


def _best(source: Source) -> str:
    """Images alone are a data set (unlabelled), but not beside labels that would silently be lost."""
    best = detect(source)[0].format
    if best == folders.NAME and (refusal := _refusal(source)):
        raise FormatError(refusal, "unsupported_format")
    if best == folders.NAME and source.kinds.unreadable:
        raise FormatError(f"No annotation could be read: {_found(source)}. {_expected()}", "unreadable_file")
    return best


def _refusal(source: Source) -> str:
    """The sentence for a format that is known, but not read; "" where there is none."""
    kind = next((kind for kind in TITLES if source.kinds.of(kind)), "")
    if not kind:
        return ""
    where = source.kinds.of(kind)[0]
    if kind == "coco_results":
        return f"{where} is a COCO results list, not a data set: it has no images and no categories"
    if kind.startswith("coco_"):
        return f"{where} looks like {TITLES[kind]}, which cannot be imported yet; only COCO boxes and polygons can"
    return f"{where} looks like {TITLES[kind]}, which cannot be imported yet; export as COCO or Pascal VOC instead"


def _unread(source: Source, name: str) -> list[Problem]:
    """Files that may hold labels but were not read: broken ones each, those of another format once a format."""
    problems = [Problem(path, "unreadable_file", reason) for path, reason in source.kinds.unreadable.items()]
    for kind, paths in source.kinds.by_kind.items():
        title = FORMATS[kind].TITLE if kind in FORMATS else TITLES.get(kind, "")
        if kind != name and title and kind not in getattr(FORMATS[name], "ALSO", ()):
            problems.append(Problem(paths[0], "ignored_file", f"{title}, {len(paths)} files"))
    unknown = [path for path in source.kinds.of("") if path.lower().endswith((".json", ".xml"))]
    return problems + [Problem(path, "ignored_file", "no known annotation format") for path in unknown]


def _found(source: Source) -> str:
    """For a message: numbers, a few names, and what is wrong with what cannot be read."""
    unreadable = [f"{path}: {reason}" for path, reason in source.kinds.unreadable.items()]
    names = [path for path in source.annotations if path not in source.kinds.unreadable]
    listed = "; ".join((unreadable + names)[:_LISTED])
    more = ", ..." if len(source.annotations) > _LISTED else ""
    return f"{len(source.images)} images and {len(source.annotations)} annotation files ({listed}{more})"


def _expected() -> str:
    titles = ", ".join(FORMATS[name].TITLE for name in _PREFERENCE if name != folders.NAME)
    return f"Expected are images with {titles} annotations, or in a folder per class"
