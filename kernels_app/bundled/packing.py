"""Packs a bundled kernel into a folder that stands on its own: its program, the code it shares, and the contract."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

_HERE = Path(__file__).resolve().parent
BUNDLED = tuple(sorted(path.parent.name for path in _HERE.glob("*/kernel.toml")))
_ROOT = _HERE.parent.parent  # the folder that holds kernels_app
_SHARED = (_HERE.parent / "contract", _HERE / "common")
_PACKAGES = (_HERE.parent / "__init__.py", _HERE / "__init__.py")


def package_files(name: str) -> dict[str, bytes]:
    """Every file of the bundled kernel `name` by its path in the package, sorted. Raises KeyError for another name."""
    if name not in BUNDLED:
        raise KeyError(f"no bundled kernel {name!r}; there are {', '.join(BUNDLED)}")
    own = {path.relative_to(_HERE / name): path for path in sources(_HERE / name) if path.name != "__init__.py"}
    shared = [*_PACKAGES, *(path for folder in _SHARED for path in sources(folder))]
    files = own | {path.relative_to(_ROOT): path for path in shared}
    return {place.as_posix(): path.read_bytes() for place, path in sorted(files.items())}


def digest(files: dict[str, bytes]) -> str:
    """SHA-256 over names and contents, as hex: the same package has the same digest on every machine."""
    total = hashlib.sha256()
    for name, content in sorted(files.items()):
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def digest_of(folder: Path) -> str:
    """The same of the sources in a folder, which need not fit into memory."""
    total = hashlib.sha256()
    for name, path in sorted((path.relative_to(folder).as_posix(), path) for path in sources(folder)):
        total.update(f"{name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while chunk := file.read(2**20):
                total.update(chunk)
    return total.hexdigest()


def write_package(files: dict[str, bytes], folder: Path) -> None:
    """Write the files below `folder`, which is made where it is not there."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def sources(folder: Path) -> Iterator[Path]:
    """The files below `folder` that belong to it: no caches, nothing hidden."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if (
            path.is_file()
            and not any(part.startswith((".", "__pycache__")) for part in parts)
            and path.suffix != ".pyc"
        ):
            yield path
