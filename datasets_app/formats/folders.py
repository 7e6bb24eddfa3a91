"""Images in a folder per class, with or without folders per split above; or just images, which nobody labelled."""

from __future__ import annotations

from dataclasses import dataclass

from datasets_app.formats.candidate import Candidate
from datasets_app.formats.source import Source
from datasets_app.formats.splits import split_of
from datasets_app.records import ImageRecord, Problem, Reading

NAME = "folders"
TITLE = "Folders"
_NO_CLASS = frozenset({"images", "image", "imgs", "img", "jpegimages"})  # what tools call the folder of all images


@dataclass(frozen=True)
class _Place:
    """What the folders above one image say."""

    split: str
    category: str | None
    deeper: bool  # there are more folders between the category and the image


def match(source: Source) -> Candidate:
    """Fits whenever there are images, so it is the last one to be asked."""
    categories = {place.category for place in _places(source).values()} - {None}
    reason = f"{len(categories)} class folders" if categories else f"{len(source.images)} images without labels"
    if not source.images:
        reason = "no image was found"
    return Candidate(NAME, TITLE, len(categories) or min(1, len(source.images)), f"{TITLE}: {reason}")


def read(source: Source) -> Reading:
    """Categories from folder names; without class folders the images are unlabelled."""
    places = _places(source)
    images = tuple(
        ImageRecord(image, category=place.category, labelled=place.category is not None, split=place.split)
        for image, place in places.items()
    )
    labels = tuple(sorted({place.category for place in places.values() if place.category is not None}))
    problems = tuple(Problem(image, "nested_folder", "") for image, place in places.items() if place.deeper)
    return Reading(NAME, images, labels, problems, is_classification=bool(labels))


def _places(source: Source) -> dict[str, _Place]:
    folders = {image: tuple(image.split("/")[:-1]) for image in source.images}
    folders = _without_wrapper(folders)
    only_splits = all(split_of(parts[0]) for parts in folders.values() if parts)
    return {image: _place(parts, only_splits) for image, parts in folders.items()}


def _without_wrapper(folders: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Drop folders that all images share: an archive of one folder says nothing about classes."""
    while len({parts[:1] for parts in folders.values()}) == 1:
        first = next(iter(folders.values()))[:1]
        if not first or split_of(first[0]):
            break
        folders = {image: parts[1:] for image, parts in folders.items()}
    return folders


def _place(parts: tuple[str, ...], only_splits: bool) -> _Place:
    """A first folder "train" is a split when it has folders in it, or when all first folders are splits."""
    split = split_of(parts[0]) if parts and (only_splits or len(parts) > 1) else ""
    rest = parts[1:] if split else parts
    if rest and rest[0].lower() in _NO_CLASS:
        rest = rest[1:]
    return _Place(split, rest[0] if rest else None, len(rest) > 1)
