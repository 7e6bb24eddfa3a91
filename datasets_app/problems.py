"""The words for what an import met: a sentence a code, for the readers' problems and for what they refuse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from datasets_app.records import FormatError, Problem
from projects_app import archive_words
from projects_app.archive import ArchiveError

SHOWN = 5  # files named with each problem

PROBLEMS: dict[str, str | Promise] = {
    # files
    "broken_image": gettext_lazy("The picture is damaged and was left out. Save it anew and import it again."),
    "empty_file": gettext_lazy("The file is empty and was left out."),
    "not_an_image": gettext_lazy("The file is no PNG, JPEG, BMP, TIFF or WebP picture and was left out."),
    "too_many_pixels": gettext_lazy("The picture has more pixels than this installation takes and was left out."),
    "cut_off": gettext_lazy("The picture seems to be cut off. It is left out if it cannot be decoded."),
    "same_picture": gettext_lazy("The same picture is there under another name too; both are kept."),
    "same_name": gettext_lazy("Two pictures of one name lie in different folders; both are kept, with their folders."),
    "extension_lies": gettext_lazy("The picture is of another kind than its name says; its content counts."),
    "deep_pixels": gettext_lazy("The picture has 16 bits a pixel or more: it is shown stretched, and kept as it is."),
    "cmyk": gettext_lazy("The picture has the colours of print (CMYK). Check that they look right."),
    "palette": gettext_lazy("The picture has a palette of colours; it is read as the colours they stand for."),
    "alpha": gettext_lazy("The picture is partly transparent; it is shown on white."),
    "turned": gettext_lazy("The picture is turned by its EXIF data. Check that the labels lie right."),
    "system_file": gettext_lazy("The file is of the system it was packed on (as ._ files of macOS) and was left out."),
    "extra_file": gettext_lazy("The file is neither a picture nor an annotation and was left out."),
    "label_twice": gettext_lazy(
        "Labels differ only in capitals, spaces or signs. If they are one class, let them become the same."
    ),
    "unreadable_image": gettext_lazy("The picture cannot be read."),
    "bad_name": gettext_lazy(
        "The file name is too long or holds characters that cannot be shown; the picture was left out."
    ),
    "unreadable_file": gettext_lazy("The annotation file cannot be read."),
    "ignored_file": gettext_lazy("The file was not read: its format is not the one that was chosen."),
    "mask_ignored": gettext_lazy("Pixel masks are not read."),
    "nested_folder": gettext_lazy("The picture lies in a deeper folder; its class is the first one."),
    # finding images
    "image_missing": gettext_lazy("An image that is named is not there."),
    "image_twice": gettext_lazy("Two annotation files describe the same image; the second was not read."),
    "ambiguous_name": gettext_lazy("Several images have the name that is given; none was taken."),
    "size_differs": gettext_lazy("The stated size of the image is not its real one. Check that the labels lie right."),
    "unknown_image": gettext_lazy("A label of an image that is not listed was left out."),
    "unknown_category": gettext_lazy("A label of a class that is not listed was left out."),
    "bad_entry": gettext_lazy("An entry that cannot be understood was left out."),
    "bad_row": gettext_lazy("A row that cannot be understood was left out."),
    "two_categories": gettext_lazy("An image has two categories; the first one counts."),
    # masks
    "multi_part": gettext_lazy("A label of several parts became a polygon for each."),
    "mask_holes": gettext_lazy("A mask has holes: its polygon covers them."),
    "mask_missing": gettext_lazy("A label was left out, because its mask is not there."),
    "empty_mask": gettext_lazy("A label was left out, because its mask is empty."),
    "bad_mask": gettext_lazy("A label was left out, because its mask cannot be read."),
    "mask_too_large": gettext_lazy("A label was left out, because its mask is too large."),
    "mask_too_complex": gettext_lazy("A label was left out, because its mask has too many corners: it is noise."),
    # joining a dataset
    "joined_same_left": gettext_lazy("An image of an upload was left out: the same picture was there already."),
    "joined_same": gettext_lazy("An image of an upload was added, though the same picture was there already."),
    "joined_taken_left": gettext_lazy("An image of an upload was left out: another picture had its name."),
    "joined_taken": gettext_lazy("An image of an upload got a folder before its name: another picture had that name."),
    # meta data
    "meta_ignored": gettext_lazy("The table of meta data was not read."),
    "bad_meta": gettext_lazy("A row of meta data that cannot be kept was left out."),
    "two_metas": gettext_lazy("An image has two rows of meta data; the first one counts."),
    # shapes
    "bad_coordinates": gettext_lazy("A shape has coordinates that are no numbers and was left out."),
    "bad_shape": gettext_lazy("A shape cannot be understood and was left out."),
    "clipped": gettext_lazy("A shape reached over the border of its image and was cut."),
    "duplicate_shape": gettext_lazy("The same shape stands there twice; one was kept."),
    "bad_label": gettext_lazy("A shape whose label holds characters that cannot be kept was left out."),
    "no_label": gettext_lazy("A shape without a label was left out."),
    "outside_image": gettext_lazy("A shape outside its image was left out."),
    "too_few_points": gettext_lazy("A polygon of fewer than three points was left out."),
    "unsupported_shape": gettext_lazy("A shape of a kind that no training type learns (point, line …) was left out."),
    "zero_area_polygon": gettext_lazy("A polygon without an area was left out."),
    "zero_size_box": gettext_lazy("A rectangle without width or height was left out."),
    "polygon_ignored": gettext_lazy("A polygon was not read, only its box: this format is read for boxes."),
    # what a training type holds
    "polygon_left_out": gettext_lazy(
        "A polygon was left out, because most labels are rectangles. Choose object detection to import its box, or "
        "segmentation to import it as it is."
    ),
    "polygon_as_box": gettext_lazy("A polygon became the rectangle around it."),
    "box_as_polygon": gettext_lazy("A rectangle became a polygon of four points."),
    # splits and siblings
    "two_splits": gettext_lazy("An image is named for two splits; the first one counts."),
    "unknown_split": gettext_lazy("A split is none of train, val and test; the image is in no split."),
    "sibling_alone": gettext_lazy("A picture without the picture it belongs to was left out."),
    "sibling_labelled": gettext_lazy(
        "Labels on a sibling picture were left out: the first picture of a part carries them."
    ),
}
REFUSALS: dict[str, str | Promise] = archive_words.WORDS | {
    # archives
    "empty_archive": gettext_lazy("The archive is empty. Pack images and annotations into it."),
    # what is in it
    "empty": gettext_lazy("There is nothing in it. Pack images and annotations."),
    "no_images": gettext_lazy("No image was found. Pack PNG, JPEG, BMP, TIFF or WebP files with the annotations."),
    "no_format": gettext_lazy("The annotations are not in the format that was expected. Choose another one."),
    "unknown_format": gettext_lazy("This format is not known."),
    "unsupported_format": gettext_lazy(
        "This annotation format cannot be imported yet. Export as COCO or Pascal VOC instead."
    ),
    "unreadable_file": gettext_lazy("No annotation file could be read."),
    "split_columns": gettext_lazy(
        "The split file needs a column for the file and one for the split (train, val, test)."
    ),
    "meta_columns": gettext_lazy("The file of meta data needs a column for the file and at least one other."),
    "meta_unreadable": gettext_lazy("The file of meta data cannot be read as CSV."),
    "split_unreadable": gettext_lazy("The split file cannot be read as CSV."),
}


@dataclass(frozen=True)
class Group:
    """All problems of one code."""

    code: str
    sentence: str
    count: int
    files: list[str]  # the first few, with what was found


def sentence(code: str) -> str:
    """What a problem's code says to a person."""
    return str(PROBLEMS.get(code, code.replace("_", " ")))


def refusal(error: FormatError | ArchiveError) -> str:
    """What a refused source says to a person: what to do, then what was found."""
    found = str(error).rstrip(".")
    known = REFUSALS.get(error.code)
    return _("%(sentence)s (%(found)s)") % {"sentence": known, "found": found} if known else found


def grouped(problems: Iterable[Problem]) -> list[Group]:
    """The problems by code, the most frequent first."""
    by_code: dict[str, list[Problem]] = {}
    for problem in problems:
        by_code.setdefault(problem.code, []).append(problem)
    groups = (
        Group(code, sentence(code), len(found), [_named(problem) for problem in found[:SHOWN]])
        for code, found in by_code.items()
    )
    return sorted(groups, key=lambda group: (-group.count, group.code))


def _named(problem: Problem) -> str:
    return f"{problem.path}: {problem.detail}" if problem.detail else problem.path
