"""Small data that a test draws itself, and the real data where it is at hand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from datasets_app.formats import Source
from datasets_app.records import Reading
from tests import needs


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """A folder of the real data by name ("quickstart/cl_pcb"); the test is skipped where it is absent."""
    return needs.real_data


@pytest.fixture
def folder(tmp_path: Path) -> Maker:
    return Maker(tmp_path / "source")


class Maker:
    """Writes the files of a small source."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()

    @property
    def source(self) -> Source:
        """A fresh one: a Source walks its folder only once."""
        return Source(self.root)

    def image(self, name: str, size: tuple[int, int] = (100, 80), **options) -> Path:
        path = self._path(name)
        Image.new("L", size).save(path, **options)
        return path

    def text(self, name: str, text: str | bytes) -> Path:
        path = self._path(name)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def json(self, name: str, value: object) -> Path:
        return self.text(name, json.dumps(value))

    def _path(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def codes(reading: Reading) -> list[str]:
    return [problem.code for problem in reading.problems]


def shapes(reading: Reading) -> list:
    return [shape for image in reading.images for shape in image.shapes]


def counts(reading: Reading) -> Counter:
    """Shapes per label and kind."""
    return Counter((shape.label, shape.kind) for shape in shapes(reading))
