"""Datasets: a large import beside datumaro's reading of the same files, its memory, the gallery of 100,000 images."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path
from typing import Any

from django.db import connection
from PIL import Image as Picture

from bench.portal import CODE, Portal
from bench.table import MeasurementFailed, Row, percentile, say
from datasets_app.models import Annotation, Blob, Dataset, Image
from projects_app.models import AnnotationType, Project

IMAGES, MANY, BOXES = 20_000, 100_000, 10  # boxes an image
CLASSES = 20
RATIO_GOAL, MEMORY_GOAL, PAGE_GOAL = 1.5, 400.0, 100.0  # x, MB, ms
OURS, PEER = Path(__file__).with_name("datasets_ours.py"), Path(__file__).with_name("datasets_peer.py")
QUERIES = (
    ("first page", ""),
    ("by label", "label=MANY_03"),
    ("labelled", "labelled=yes"),
    ("not labelled", "labelled=no"),
    ("by name", "q=00005"),
    ("page 800", "page=800"),
)


def run(portal: Portal) -> list[Row]:
    few = portal.options.count(IMAGES, 500)
    folder = portal.home / "bench-coco"
    write_coco(folder / "few", few)
    ours = _ours(portal, folder / "few", "few")
    rows = [
        Row(f"datasets: {few:,} images, {few * BOXES:,} boxes read and written", ours["wall"], "s"),
        Row("datasets: the same, CPU", ours["cpu"], "s"),
        Row("datasets: beside it, decoding, hashing and copying the images", ours["pictures"], "s"),
        Row("datasets: peak memory of it all", ours["memory"], "MB", MEMORY_GOAL),
        *_peer(portal, folder / "few", ours),
    ]
    many = portal.options.count(MANY, 1000)
    write_coco(folder / "many", many)
    rows.append(
        Row(
            f"datasets: peak memory at {many:,} images",
            _ours(portal, folder / "many", "many")["memory"],
            "MB",
            MEMORY_GOAL,
        )
    )
    return rows + _gallery(portal, many)


def write_coco(folder: Path, count: int) -> None:
    """Small pictures that all differ, and one JSON; row by row, so that the bench itself needs no memory."""
    (folder / "images").mkdir(parents=True)
    buffer, chance = io.BytesIO(), random.Random(1)
    Picture.new("RGB", (64, 48)).save(buffer, "JPEG", quality=30)
    picture = buffer.getvalue()
    categories = [{"id": n + 1, "name": f"class_{n}", "supercategory": ""} for n in range(CLASSES)]
    with (folder / "instances_default.json").open("w") as file:
        file.write(f'{{"info": {{}}, "licenses": [], "categories": {json.dumps(categories)}, "images": [')
        for n in range(count):
            name = f"{n:06}.jpg"
            (folder / "images" / name).write_bytes(picture[:2] + b"\xff\xfe\x00\x08%06d" % n + picture[2:])  # a comment
            stated = {"id": n + 1, "file_name": name, "width": 64, "height": 48}
            file.write((", " if n else "") + json.dumps(stated))
        file.write('], "annotations": [')
        for n in range(count * BOXES):
            file.write((", " if n else "") + json.dumps(_annotation(n, chance)))
        file.write("]}")


def _annotation(n: int, chance: random.Random) -> dict[str, Any]:
    place, size = (chance.uniform(0, 40), chance.uniform(0, 30)), (chance.uniform(3, 20), chance.uniform(3, 16))
    box = [round(value, 2) for value in (*place, *size)]
    category = 1 + chance.randrange(CLASSES)
    return {
        "id": n + 1, "image_id": 1 + n // BOXES, "category_id": category, "bbox": box,
        "area": round(box[2] * box[3], 2), "segmentation": [], "iscrowd": 0,
    }  # fmt: skip


def _ours(portal: Portal, folder: Path, name: str) -> dict[str, float]:
    """In a process of its own, so that its memory is its own, into the bench's database."""
    return _python([sys.executable, str(OURS), CODE, name, str(folder)], dict(os.environ), Path.cwd())


def _peer(portal: Portal, folder: Path, ours: dict[str, float]) -> list[Row]:
    environment = portal.home / "datumaro"
    python = environment / "bin" / "python"
    say(f"datasets: installing datumaro below {environment} …")
    try:
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True, capture_output=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "datumaro"]
        subprocess.run(pip, check=True, capture_output=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        told = (getattr(error, "stderr", b"") or b"").decode("utf-8", "replace").strip().splitlines()[-1:]
        say(f"datasets: datumaro was not measured, it cannot be installed: {(told or [str(error)])[0]}")
        return []
    (folder / "annotations").mkdir(exist_ok=True)
    (folder / "instances_default.json").rename(folder / "annotations" / "instances_default.json")  # where it looks
    theirs = _python([str(python), str(PEER), str(folder)], dict(os.environ), portal.home)
    if theirs["images"] != ours["images"] or theirs["labels"] != ours["labels"]:
        raise MeasurementFailed(f"datumaro read {theirs}, we {ours}")
    return [
        Row(f"datasets: datumaro {theirs['version']} reads the same (no rows)", theirs["wall"], "s"),
        Row("datasets: its peak memory", theirs["memory"], "MB"),
        Row("datasets: ours with rows / datumaro", ours["wall"] / theirs["wall"], "x", RATIO_GOAL),
        Row("datasets: ours with rows / datumaro, by CPU", ours["cpu"] / theirs["cpu"], "x", RATIO_GOAL),
    ]


def _python(argv: list[str], environment: dict[str, str], folder: Path) -> dict[str, Any]:
    """What a program prints as JSON in its last line."""
    done = subprocess.run(argv, env=environment, cwd=folder, capture_output=True, text=True, timeout=3600, check=False)
    if done.returncode:
        raise MeasurementFailed(f"{Path(argv[1]).name} ended with {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _gallery(portal: Portal, count: int) -> list[Row]:
    address = f"{portal.base}/datasets/{_fill(count)}/"
    took: dict[str, list[float]] = {name: [] for name, _query in QUERIES}
    for turn in range(2 + portal.options.count(20, 3)):
        for name, query in QUERIES:
            began = time.perf_counter()
            answer = portal.browser.get(f"{address}?{query}")
            seconds = time.perf_counter() - began
            if answer.status != 200 or b'id="gallery"' not in answer.body:
                raise MeasurementFailed(f"{address}?{query} was answered with {answer.status}")
            if turn >= 2:
                took[name].append(1000 * seconds)
    every = list(chain.from_iterable(took.values()))
    return [
        Row(
            f"datasets: gallery of {count:,} images, {len(QUERIES)} queries, p95",
            percentile(every, 95),
            "ms",
            PAGE_GOAL,
        ),
        *(Row(f"datasets: gallery, {name}, p95", percentile(values, 95), "ms") for name, values in took.items()),
    ]


def _fill(count: int) -> int:
    """A dataset of so many images, nine of ten labelled with one box each; rows are made inside the database."""
    project = Project.objects.get(code=CODE)
    dataset = Dataset.objects.create(project=project, name="gallery")
    types = [
        AnnotationType.objects.create(project=project, code=f"MANY_{n:02}", name=f"Many {n}", training_type="OD")
        for n in range(CLASSES)
    ]
    blob = Blob.objects.filter(images__isnull=False)[:1].get()
    first = Image.objects.create(
        dataset=dataset, name="0", position=0, blob=blob, width=64, height=48, labelled_od=True
    )
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %s) "
    image, label = Image._meta.db_table, Annotation._meta.db_table
    changed = {"name": "printf('%%07d.jpg', i)", "position": "i", "labelled_od": "i %% 10 > 0"}
    columns = [str(field.column) for field in Image._meta.concrete_fields if not field.primary_key]
    picked = ", ".join(changed.get(column, f"p.{column}") for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"{numbers} INSERT INTO {image} ({', '.join(columns)}) SELECT {picked} FROM n, {image} p WHERE p.id = %s",
            [count - 1, first.pk],
        )
        cursor.execute(
            f"INSERT INTO {label} (image_id, annotation_type_id, kind, points, is_generated, is_roi) "
            f"SELECT id, %s + position %% {CLASSES}, 'rectangle', '[[1, 2], [30, 40]]', 0, 0 FROM {image} "
            "WHERE dataset_id = %s AND labelled_od",
            [types[0].pk, dataset.pk],
        )
    return dataset.pk
