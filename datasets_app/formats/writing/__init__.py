"""Datasets go out: one module a format, registered in WRITERS. Each takes images one by one, so that few are in memory.

`KEEPS` names what a format has a place for, of `Outgoing`'s: what is not in it is lost, and said before the export.
"""

from __future__ import annotations

from datasets_app.formats.writing import coco, folders, labelme_json, labelme_xml, original, voc, yolo

WRITERS = {module.NAME: module for module in (coco, folders, labelme_json, labelme_xml, original, voc, yolo)}
__all__ = ["WRITERS"]
