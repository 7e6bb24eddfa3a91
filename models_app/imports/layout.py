"""What was unpacked, brought into the places where a kernel looks for it: the model's root and its `save/`."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from kernels_app.contract import ContractError, results
from kernels_app.contract.files import is_text, read_json_object
from models_app import manifest

MODEL, REST = "model", "rest"  # below a draft's folder: the model's files, and what of an export is none
SAVE = "save"
OF_SAVE = (results.CHECKPOINT.name, results.RESUME.name, results.METRICS.name, results.LOGS.name)
JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")  # what systems put into archives
CARD_LIMIT = 2**20  # bytes of a small JSON or text that is looked into
SHOWN = 200  # files that the preview names


class BadModel(Exception):
    """The archive holds no model; the message says why and what to do."""


def arrange(folder: Path, raw: Path) -> dict[str, Any]:
    """Move what lies in `raw` to `folder/model` and `folder/rest`; what was found, for the draft. Raises BadModel.

    Found is: `files` (name and bytes of the first), `count`, `size`, `moved` (into `save/`), `classes`, and of an
    export its `manifest`.
    """
    _drop_junk(raw)
    root = _only_folder(raw)
    about = _manifest(root)
    if about:
        _check_hashes(root, about["files"])
        (root / manifest.RESULTS).rename(folder / MODEL)
        root.rename(folder / REST)
        moved: list[str] = []
    else:
        root.rename(folder / MODEL)
        moved = _into_save(folder / MODEL)
    model = folder / MODEL
    if not (model / results.CHECKPOINT).is_file():
        raise BadModel(_without_checkpoint(model))
    every = [(path.relative_to(model).as_posix(), path.stat().st_size) for path in _plain_files(model)]
    return {
        "files": every[:SHOWN],
        "count": len(every),
        "size": sum(size for _name, size in every),
        "moved": moved,
        "classes": about["model"]["classes"] if about else _label_file(model),
        "manifest": about,
    }


def settings_text(folder: Path) -> str:
    """The `model.json` that came with the archive; "" where there is none."""
    for path in (folder / REST / manifest.SETTINGS, folder / MODEL / manifest.SETTINGS):
        if path.is_file() and path.stat().st_size <= CARD_LIMIT:
            return path.read_text(encoding="utf-8-sig", errors="replace")
    return ""


def card_classes(folder: Path, code: str) -> list[str]:
    """The classes that `<model type>.json` names, as bundled kernels write it beside the ONNX file; [] without."""
    path = folder / MODEL / f"{code}.json"
    try:
        found: Any = read_json_object(path).get("classes") if path.stat().st_size <= CARD_LIMIT else None
    except (ContractError, OSError, ValueError):
        return []
    return list(found) if _are_codes(found) else []


def _label_file(model: Path) -> list[str]:
    """The class codes of a `label.txt` at the root, one a line."""
    path = model / manifest.LABELS
    if not path.is_file() or path.stat().st_size > CARD_LIMIT:
        return []
    found = [line.strip() for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines()]
    found = [line for line in found if line]
    return found if _are_codes(found) else []


def _are_codes(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(code, str) and code and is_text(code) for code in found)


def _manifest(root: Path) -> dict[str, Any] | None:
    """What the export says of itself; None where it is none. Raises BadModel."""
    path = root / manifest.NAME
    if not path.is_file() or not (root / manifest.RESULTS).is_dir():
        return None
    try:
        found = read_json_object(path)
        return manifest.check(found) if manifest.is_one(found) else None
    except ContractError as error:
        raise BadModel(_("The export cannot be read (%(why)s). Export the model again.") % {"why": error}) from error


def _check_hashes(root: Path, files: dict[str, Any]) -> None:
    """Every file is what it was when it was exported, and there is no other. Raises BadModel."""
    there = {path.relative_to(root).as_posix(): path for path in _plain_files(root)}
    there.pop(manifest.NAME)
    wrong = sorted(there.keys() ^ files.keys())
    wrong += [name for name, path in there.items() if name in files and _hash(path) != _stated(files[name])]
    if wrong:
        text = _("The archive is not what was exported: %(name)s differs. Export the model again, or copy it again.")
        raise BadModel(text % {"name": wrong[0]})


def _stated(entry: Any) -> str:
    return str(entry.get("sha256", "")) if isinstance(entry, dict) else ""


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _only_folder(raw: Path) -> Path:
    """Archives are often packed as one folder: what is in it counts."""
    while True:
        entries = list(raw.iterdir())
        if len(entries) != 1 or not entries[0].is_dir() or entries[0].name == SAVE:
            return raw
        raw = entries[0]


def _into_save(model: Path) -> list[str]:
    """Without a `save/` of its own, what belongs there lies at the root: move it; the names."""
    if (model / SAVE).exists():
        return []
    found = [name for name in OF_SAVE if (model / name).exists()]
    for name in found:
        (model / SAVE).mkdir(exist_ok=True)
        (model / name).rename(model / SAVE / name)
    return found


def _without_checkpoint(model: Path) -> str:
    names = [path.relative_to(model).as_posix() for path in _plain_files(model)]
    text = _(
        "There is no %(checkpoint)s in the archive: kernels read the weights from there. Pack it under that name "
        "(checkpoint.pth beside the other files does, too). Found: %(names)s."
    )
    more = " …" if len(names) > 5 else ""
    return text % {"checkpoint": results.CHECKPOINT, "names": ", ".join(names[:5]) + more}


def _drop_junk(raw: Path) -> None:
    for path in [path for path in raw.rglob("*") if path.name in JUNK]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _plain_files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
