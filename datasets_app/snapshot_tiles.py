"""Images of a snapshot as the gallery draws them, whatever became of their dataset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from datasets_app import overlays, pictures
from datasets_app.models import Blob, Image, Snapshot, SnapshotFile
from datasets_app.overlays import Drawn, Scaled
from datasets_app.snapshot_reading import SETS, Contents, Picture

_FEW = 1000  # hashes that go into one statement; of more, all that the snapshot holds are looked at


@dataclass(frozen=True)
class SeenTile(Scaled):
    """One image with its labels. `number`: its place in its set; `href`: of the small picture, empty where it is gone.

    `size` is that of nothing where nobody knows it any more: then no label is drawn either."""

    image: Picture
    split: str
    number: int
    is_there: bool
    shapes: list[Drawn] = field(default_factory=list)
    tags: list[Drawn] = field(default_factory=list)

    @property
    def is_labelled(self) -> bool:
        return self.image.labels is not None


@dataclass(frozen=True)
class CountRow:
    """One label of a snapshot: how often it stands in either set."""

    key: str
    text: str
    colour: int
    train: int
    validation: int


def count_rows(project: int, contents: Contents) -> list[CountRow]:
    """Every label in the order of the classes, with its colour; classes that no image shows too."""
    train, validation = contents.counts("train"), contents.counts("validation")
    texts = {label.key: label.text for image in contents.all for label in image.labels or () if not label.is_roi}
    known = set(texts.values())
    if contents.training_type != "RC":  # there each class has two
        texts |= {code: code for code in contents.classes if code not in known}
    order = {code: n for n, code in enumerate(contents.classes)}
    keys = sorted(texts, key=lambda key: (order.get(texts[key].partition(": ")[0], len(order)), key))
    found = overlays.colours(project, overlays.in_order(project, keys))
    return [CountRow(key, texts[key], found[key], train[key], validation[key]) for key in keys]


def numbered(contents: Contents, split: str = "") -> list[tuple[str, int, Picture]]:
    """Set, place in it and image, of one set or both."""
    sets = [split] if split in SETS else SETS
    return [(one, n, image) for one in sets for n, image in enumerate(contents.of(one))]


def tiles(
    snapshot: Snapshot, found: Sequence[tuple[str, int, Picture]], colours: dict[str, int], *, fine: bool = False
) -> list[SeenTile]:
    images = sized([image for _split, _n, image in found])
    held = held_of(snapshot, (image.sha256 for image in images))
    return [
        tile(image, split, number, colours, is_there=image.sha256 in held, fine=fine)
        for (split, number, _image), image in zip(found, images, strict=True)
    ]


def tile(
    image: Picture, split: str, number: int, colours: dict[str, int], *, is_there: bool, fine: bool = False
) -> SeenTile:
    made = SeenTile(image, split, number, is_there and bool(image.width))
    for place, label in enumerate(image.labels or ()):
        colour = colours.get(label.key, 0)
        if label.points:
            drawn = overlays.shape(label.text, colour, label.points, label.kind, fine=fine)
            made.shapes.append(replace(drawn, is_generated=str(place) in image.scores))
        else:
            made.tags.append(Drawn(label.text, colour, is_generated=str(place) in image.scores))
    return made


def held_of(snapshot: Snapshot, hashes: Iterable[str]) -> set[str]:
    """Those of these files that the snapshot holds."""
    wanted, files = set(hashes), SnapshotFile.objects.filter(snapshot=snapshot)
    if len(wanted) <= _FEW:
        files = files.filter(blob__in=wanted)
    return wanted.intersection(files.values_list("blob", flat=True))


def sized(images: Sequence[Picture]) -> list[Picture]:
    """With width and height, where a manifest does not say them: from a dataset that has the picture, or its header."""
    unknown = {image.sha256 for image in images if not image.width}
    rows = Image.objects.filter(blob__in=unknown).values_list("blob", "width", "height") if unknown else ()
    sizes = {sha256: (width, height) for sha256, width, height in rows}
    for sha256 in unknown - set(sizes):
        try:
            sizes[sha256] = pictures.size(Blob(sha256=sha256).path)
        except (pictures.BadPicture, OSError):
            sizes[sha256] = (0, 0)
    return [
        image if image.width else replace(image, width=sizes[image.sha256][0], height=sizes[image.sha256][1])
        for image in images
    ]
