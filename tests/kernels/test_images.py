"""Whether an upload is an image is told without a word of a container tool, and whatever it is."""

from __future__ import annotations

import io
import lzma
import tarfile

import pytest

from kernels_app import images


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def link() -> tarfile.TarInfo:
    member = tarfile.TarInfo("manifest.json")
    member.type, member.linkname = tarfile.SYMTYPE, "elsewhere"
    return member


MANIFEST = tar((tarfile.TarInfo("manifest.json"), b'[{"Layers": []}]'))


@pytest.mark.parametrize(
    ("content", "is_one"),
    [
        (MANIFEST, True),
        (lzma.compress(MANIFEST), True),
        (lzma.compress(MANIFEST * 99)[:60], False),
        (tar((link(), b"")), False),
        (tar((tarfile.TarInfo("manifest.json"), b"[" * 90_000)), False),
        (b"no archive", False),
        (b"", False),
    ],
)
def test_only_what_names_layers_is_an_image(tmp_path, content, is_one):
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    assert images.is_image(path) == is_one


def test_names_of_images_stay_apart_and_readable():
    assert [images._slug(text) for text in ("team-base", "1.0", "1-0")] == ["team-base", "1.0", "1-0"]
    others = {images._slug(text) for text in ("파이토치", "텐서플로", "Team Base", "team base", "a..b")}
    assert len(others) == 5
    assert all(name.isascii() and name == name.lower() for name in others)
