"""Sources that a stranger might send: small good ones of each format, and ways to spoil them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from PIL import Image

BOX = {"label": "crack", "shape_type": "rectangle", "points": [[1, 2], [30, 40]], "flags": {"verdict": True}}
COCO = {
    "images": [{"id": 1, "file_name": "a.png", "width": 100, "height": 80}],
    "categories": [{"id": 1, "name": "crack", "supercategory": "x"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "segmentation": [[1, 1, 9, 1, 9, 9]]},
        {"id": 2, "image_id": 1, "category_id": 1, "segmentation": {"size": [80, 100], "counts": [85, 2, 7913]}},
        {"id": 3, "image_id": 1, "category_id": 1, "segmentation": {"size": [80, 100], "counts": "e22gf7"}},
        {"id": 4, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "attributes": {"verdict": True}},
    ],
}
VOC = (
    "<annotation><folder>x</folder><filename>a.png</filename><size><width>100</width><height>80</height></size>"
    "<object><name>crack</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object>"
    "</annotation>"
)
LABELME = (
    "<annotation><filename>a.png</filename><folder></folder><imagesize><nrows>80</nrows><ncols>100</ncols></imagesize>"
    "<object><name>crack</name><deleted>0</deleted><type>bounding_box</type><polygon><pt><x>1</x><y>2</y></pt>"
    "<pt><x>30</x><y>2</y></pt><pt><x>30</x><y>40</y></pt><pt><x>1</x><y>40</y></pt></polygon></object>"
    "<object><name>dent</name><segm><mask>m.png</mask></segm></object></annotation>"
)
FILES: dict[str, dict[str, str]] = {  # by reader: what lies beside `a.png` and `sub/b.png`
    "coco": {"annotations/instances_train.json": json.dumps(COCO)},
    "folders": {"split.csv": "file,split\na.png,train\nb.png,val\n", "meta.csv": "file,obj_id\na.png,7\n"},
    "labelme_json": {"a.json": json.dumps({"imagePath": "a.png", "shapes": [BOX], "imageWidth": 100})},
    "labelme_xml": {"a.xml": LABELME},
    "original": {
        "annotations/Q.cat": "good\nbad\n",
        "annotations/Q.txt": "a.png good\nb.png bad\n",
        "annotations/rc.cat": "VALVE\n",
        "annotations/rc.txt": "a.png VALVE true 1 2 10 20\n",
        "annotations/a.json": json.dumps({"imagePath": "../a.png", "shapes": [BOX]}),
        "meta/meta.csv": "file,category\na.png,FRONT\n",
    },
    "voc": {"Annotations/a.xml": VOC, "ImageSets/Main/train.txt": "a\nb\n"},
    "yolo": {
        "a.txt": "0 0.5 0.5 0.2 0.5\n1 0.1 0.1 0.4 0.1 0.4 0.5\n",
        "data.yaml": "names: {0: crack, 1: dent}\ntask: segment\n",
        "train.txt": "a.png\n",
        "sub/classes.txt": "crack\n",
    },
}
ODD = [
    *(
        '""',
        "null",
        "[]",
        "{}",
        "true",
        "-1",
        "0",
        "1e308",
        "1e400",
        "-1e999",
        "NaN",
        "Infinity",
        '"\\u0000"',
        '"\\ud800"',
    ),
    *(
        '"../../etc/passwd"',
        '"C:\\\\x\\\\a.png"',
        "9" * 400,
        "[" * 2000,
        '{"a":' * 500,
        "<!ENTITY x 'y'>",
        "&x;",
        "\0",
        "\ufeff",
    ),
    *(
        "\x1b[31m",
        "<object>",
        "</annotation>",
        "&a [*a]",
        "? ",
        "- " * 300,
        ",,,",
        "\n\n",
        "nan",
        "inf",
        "٣",
        "a" * 3000,
    ),
]
TOKENS = ('"', ":", ",", "[", "]", "{", "}", "<", ">", "\n", " ", ".")


def write(folder: Path, format: str) -> None:
    """The good source."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("a.png", "sub/b.png", "Masks/m.png") if format == "labelme_xml" else ("a.png", "sub/b.png"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (100, 80), 7).save(path)
    for name, text in FILES[format].items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


Spoil = Callable[[bytes], bytes]


def _insert(place: float, what: str) -> Spoil:
    return lambda data: data[: (n := int(place * len(data)))] + what.encode("utf-8", "surrogatepass") + data[n:]


def _cut(place: float, length: int) -> Spoil:
    return lambda data: data[: (n := int(place * len(data)))] + data[n + length :]


def _flip(place: float, bit: int) -> Spoil:
    def spoil(data: bytes) -> bytes:
        changed = bytearray(data)
        if changed:
            changed[int(place * len(changed)) % len(changed)] ^= 1 << bit
        return bytes(changed)

    return spoil


def _replace(token: str, number: int, what: str) -> Spoil:
    """Everything between one token and the next."""

    def spoil(data: bytes) -> bytes:
        parts = data.split(token.encode())
        parts[number % len(parts)] = what.encode("utf-8", "surrogatepass")
        return token.encode().join(parts)

    return spoil


def _double(place: float, length: int) -> Spoil:
    return lambda data: data[: (n := int(place * len(data)))] + data[n : n + length] * 3 + data[n + length :]


_places = st.floats(0, 1)
spoils = st.one_of(
    st.builds(_insert, _places, st.sampled_from(ODD)),
    st.builds(_replace, st.sampled_from(TOKENS), st.integers(0, 60), st.sampled_from(ODD)),
    st.builds(_cut, _places, st.integers(1, 60)),
    st.builds(_flip, _places, st.integers(0, 7)),
    st.builds(_double, _places, st.integers(1, 80)),
)


def values() -> st.SearchStrategy[Any]:
    """Any JSON, also with numbers and texts that nobody expects."""
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=8)
        | st.sampled_from(["a.png", "crack"])
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=8,
    )


@st.composite
def documents(draw: Any, good: Any) -> Any:
    """A good JSON with some of its parts exchanged for anything."""
    if draw(st.integers(0, 7)) == 0:
        return draw(values())
    if isinstance(good, dict):
        return {key: draw(documents(part)) for key, part in good.items() if draw(st.integers(0, 15))}
    if isinstance(good, list):
        return [draw(documents(part)) for part in good]
    return good
