"""Tell from its content what an annotation file is, also for the formats that cannot be imported (yet)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from datasets_app.formats.coco_file import CocoFile
from datasets_app.formats.safe_files import UnreadableFile, read_json, read_xml, read_yaml

# What a file that is not read gets called in messages; the kinds that are read are named by their modules.
TITLES = {
    "coco_results": "a COCO results list",
    "coco_keypoints": "COCO keypoints",
    "coco_panoptic": "COCO panoptic segmentation",
    "coco_captions": "COCO captions",
    "cvat": "CVAT XML",
    "via": "VIA (VGG Image Annotator)",
    "createml": "CreateML",
    "yolo_pose": "YOLO key points (pose)",
}
_YOLO_ROW = re.compile(r"\d+(\s+[-+]?[\d.]+(e[-+]?\d+)?){4,}", re.IGNORECASE)
_CLASS_LISTS = (".data", ".names", ".yaml", ".yml")
_HEAD_BYTES = 65536
_HEAD = 50  # entries that are looked at, of a list or of a kind of small file: enough to tell, cheap on a large set


@dataclass(frozen=True)
class Kinds:
    """Annotation files by kind; the kind is a reader's NAME, a key of TITLES or "" for anything else."""

    by_kind: dict[str, tuple[str, ...]]
    unreadable: dict[str, str]  # JSON and XML files, and what is wrong with them

    def of(self, kind: str) -> tuple[str, ...]:
        return self.by_kind.get(kind, ())


def sort_kinds(files: Iterable[tuple[str, Path]], read: dict[str, CocoFile]) -> Kinds:
    """Look into each file, given as its relative name and where it is. What was read of COCO goes into `read`."""
    by_kind: dict[str, list[str]] = {}
    unreadable: dict[str, str] = {}
    for name, path in files:
        try:
            kind, content = look_into(path)
            by_kind.setdefault(kind, []).append(name)
            if kind == "coco" and content:
                read[name] = content
        except UnreadableFile as error:
            unreadable[name] = str(error)
    return Kinds({kind: tuple(names) for kind, names in by_kind.items()}, unreadable)


def look_into(path: Path) -> tuple[str, CocoFile | None]:
    """The kind of one file, and what was read of one that looks like COCO; raises UnreadableFile."""
    if path.suffix.lower() != ".json":
        return kind_of(path), None
    found = CocoFile(path)
    if found.members is None:
        return list_kind(read_json(path)), None
    return found.kind or object_kind(found.members), found


def kind_of(path: Path) -> str:
    """The kind of a file that is no JSON; raises UnreadableFile for XML or YAML that is none."""
    suffix = path.suffix.lower()
    if suffix == ".xml":
        return xml_kind(read_xml(path))
    if suffix in _CLASS_LISTS:
        return _class_list_kind(path, suffix)
    if suffix == ".cat":
        return "original"
    return _text_kind(path) if suffix in (".txt", ".csv") else ""


def list_kind(value: Any) -> str:
    """The kind of a JSON file that holds a list."""
    entries = [entry for entry in value[:_HEAD] if isinstance(entry, dict)] if isinstance(value, list) else []
    if any("image_id" in entry and ("bbox" in entry or "segmentation" in entry) for entry in entries):
        return "coco_results"
    if any("image" in entry and isinstance(entry.get("annotations"), list) for entry in entries):
        return "createml"
    return ""


def object_kind(value: dict[str, Any]) -> str:
    """The kind of a JSON file that holds an object which is no COCO."""
    if isinstance(value.get("shapes"), list):
        return "labelme_json"
    regions = value.get("_via_img_metadata", value)
    entries = list(regions.values())[:_HEAD] if isinstance(regions, dict) else []
    return "via" if any(isinstance(entry, dict) and "regions" in entry for entry in entries) else ""


def xml_kind(root: Element) -> str:
    """VOC and LabelMe share the root tag: a box in an object means VOC, LabelMe's own tags the other."""
    if root.tag == "annotations":
        return "cvat"
    if root.tag != "annotation":
        return ""
    if root.find("object/bndbox") is not None:
        return "voc"
    marks = ("imagesize", "source/sourceAnnotation", "object/polygon", "object/segm", "object/deleted")
    return "labelme_xml" if any(root.find(mark) is not None for mark in marks) else "voc"


def _class_list_kind(path: Path, suffix: str) -> str:
    """What names the classes of YOLO; a YAML file of something else is none."""
    if suffix in (".data", ".names"):
        return "yolo_names"
    found = read_yaml(path)
    if not isinstance(found, dict) or not isinstance(found.get("names"), dict | list):
        return ""
    return "yolo_pose" if "kpt_shape" in found else "yolo_names"


def _text_kind(path: Path) -> str:
    """YOLO rows and VIA's table; the first lines tell. One row that is none does not make it another format."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES).decode("utf-8", "replace")
    lines = [line.strip() for line in head.splitlines()[:_HEAD]]
    if path.suffix.lower() == ".csv":
        columns = lines[0].split(",") if lines else []
        return "via" if {"region_shape_attributes", "region_attributes"} <= set(columns) else ""
    filled = [line for line in lines if line]
    rows = sum(_YOLO_ROW.fullmatch(line) is not None for line in filled)
    return "yolo" if rows and rows > len(filled) / 2 else ""
