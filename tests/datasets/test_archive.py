"""Archives that people make, and archives that attackers make."""

from __future__ import annotations

import errno
import gzip
import io
import os
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from projects_app.archive import ArchiveError, Limits, unpack

FILES = {"a.txt": b"one", "sub/b.bin": bytes(range(256)) * 10}


def make_zip(path: Path, files: dict[str, bytes], **options) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            for key, value in options.items():
                setattr(info, key, value)
            archive.writestr(info, data)
    return path


def make_tar(path: Path, *members: tuple[str, bytes], how: str = "w:gz", **options) -> Path:
    with tarfile.open(path, how) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in options.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "into"


@pytest.fixture
def refused(tmp_path: Path, into: Path) -> Callable[..., ArchiveError]:
    """Unpack, expect a refusal, and nothing left anywhere."""

    def check(archive: Path, **limits) -> ArchiveError:
        with pytest.raises(ArchiveError) as caught:
            unpack(archive, into, limits=Limits(**limits))
        assert list(into.iterdir()) == []
        assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == [archive]
        return caught.value

    return check


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_files_come_out_as_they_went_in(tmp_path, into, kind):
    path = tmp_path / "upload.bin"  # the name does not matter
    if kind == "zip":
        make_zip(path, FILES)
    else:
        make_tar(path, *FILES.items(), how="w:gz" if kind == "tar.gz" else "w")
    assert unpack(path, into) == ["a.txt", "sub/b.bin"]
    assert contents(into) == FILES


def test_nothing_that_is_unpacked_can_be_run(tmp_path, into):
    unpack(make_tar(tmp_path / "a.tar", ("run.sh", b"#!/bin/sh"), how="w", mode=0o7777), into)
    assert not os.access(into / "run.sh", os.X_OK)


def test_folders_and_backslashes_of_windows_are_understood(tmp_path, into):
    assert unpack(make_zip(tmp_path / "a.zip", {"set\\": b"", "set\\a.png": b"x"}), into) == ["set/a.png"]


def test_korean_names_without_a_mark_are_read_as_windows_wrote_them(tmp_path, into):
    path = make_zip(tmp_path / "a.zip", {"XXXX.png": b"x"})
    path.write_bytes(path.read_bytes().replace(b"XXXX", "불량".encode("cp949")))
    assert unpack(path, into) == ["불량.png"]


def test_korean_names_with_a_mark_are_read(tmp_path, into):
    assert unpack(make_zip(tmp_path / "a.zip", {"불량.png": b"x"}), into) == ["불량.png"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, into):
    into.mkdir(parents=True)
    (into / "mine").write_text("x")
    with pytest.raises(ValueError, match="not empty"):
        unpack(make_zip(tmp_path / "a.zip", FILES), into)
    assert contents(into) == {"mine": b"x"}


UNSAFE_NAMES = [
    "../evil",
    "a/../../evil",
    "..",
    "/etc/evil",
    "//evil",
    "..\\evil",
    "a\\..\\..\\evil",
    "\\evil",
    "C:\\evil",
    "c:evil",
    "x" * 256,
    "가" * 86,
    "a/" * 600 + "b",
]


@pytest.mark.parametrize("name", UNSAFE_NAMES)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_unsafe_name_is_refused_and_the_good_files_before_it_are_gone(tmp_path, refused, name, kind):
    if kind == "zip":
        path = make_zip(tmp_path / "a.zip", {"good": b"x", name: b"evil"})
    else:
        path = make_tar(tmp_path / "a.tar", ("good", b"x"), (name, b"evil"))
    assert refused(path).code == "unsafe_name"


def test_a_nul_does_not_cut_a_name(tmp_path, refused):
    path = make_zip(tmp_path / "a.zip", {"a.pngX.exe": b"x"})
    path.write_bytes(path.read_bytes().replace(b"a.pngX.exe", b"a.png\0.exe"))
    assert "NUL" in str(refused(path))


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, refused, kind):
    path = make_tar(tmp_path / "a.tar", ("x", b""), type=kind, linkname="/etc/passwd")
    assert refused(path).code == "no_plain_file"


def test_writing_through_a_link_is_refused_at_the_link(tmp_path, refused):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("sub")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        archive.addfile(link)
        archive.addfile(tarfile.TarInfo("sub/evil"))
    assert refused(path).code == "no_plain_file"


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip_are_refused(tmp_path, refused, mode):
    path = make_zip(tmp_path / "a.zip", {"x": b"/etc/passwd"}, external_attr=(mode | 0o777) << 16, create_system=3)
    assert refused(path).code == "no_plain_file"


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("a", "./a")])
def test_a_name_that_comes_twice_is_refused(tmp_path, refused, names):
    assert refused(make_tar(tmp_path / "a.tar", *((name, b"x") for name in names))).code == "name_twice"


def test_too_many_entries_are_refused(tmp_path, refused):
    path = make_zip(tmp_path / "a.zip", {str(number): b"" for number in range(11)})
    assert refused(path, entries=10).code == "too_many_entries"


def test_too_large_a_file_is_refused(tmp_path, refused):
    assert refused(make_zip(tmp_path / "a.zip", {"a": os.urandom(101)}), file=100).code == "file_too_large"


def test_too_much_in_all_is_refused(tmp_path, refused):
    path = make_tar(tmp_path / "a.tar", ("a", os.urandom(60)), ("b", os.urandom(60)))
    assert refused(path, total=100).code == "archive_too_large"


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_bomb_is_refused(tmp_path, refused, kind):
    zeros = bytes(3 * 2**20)
    if kind == "zip":
        path = make_zip(tmp_path / "a.zip", {"bomb": zeros})
    else:
        path = make_tar(tmp_path / "a.tar.gz", ("bomb", zeros))
    assert refused(path).code == "ratio"


def test_a_bomb_of_many_small_files_is_refused(tmp_path, refused):
    path = make_zip(tmp_path / "a.zip", {str(number): bytes(2**20) for number in range(9)})
    assert refused(path).code == "ratio"


def test_a_file_may_be_well_compressible_while_it_is_small(tmp_path, into):
    assert unpack(make_zip(tmp_path / "a.zip", {"blank.bmp": bytes(2**20)}), into) == ["blank.bmp"]


def test_a_zip_that_lies_about_a_size_is_refused(tmp_path, refused):
    path = make_zip(tmp_path / "a.zip", {"a": b"x" * 1000})
    path.write_bytes(path.read_bytes().replace(struct.pack("<L", 1000), struct.pack("<L", 10)))
    assert refused(path).code == "broken_archive"


def test_a_tar_header_of_gigabytes_is_not_read_into_memory(tmp_path, refused):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 64 * 2**20
    path = tmp_path / "a.tar.gz"
    with gzip.open(path, "wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT) + bytes(64 * 2**20))
    tracemalloc.start()
    try:
        assert "header" in str(refused(path))
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


def test_an_encrypted_zip_is_refused(tmp_path, refused):
    path = make_zip(tmp_path / "a.zip", {"a": b"x"})
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag in the local header
    data[data.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    path.write_bytes(data)
    assert refused(path).code == "encrypted"


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_empty_archive_is_refused(tmp_path, refused, kind):
    path = make_zip(tmp_path / "a.zip", {}) if kind == "zip" else make_tar(tmp_path / "a.tar")
    assert str(refused(path)) == "the archive is empty"


def test_an_archive_of_empty_folders_is_empty(tmp_path, refused):
    assert refused(make_zip(tmp_path / "a.zip", {"a/": b"", "b/": b""})).code == "empty_archive"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(600), "a PNG image, not an archive"),
        (b"\xff\xd8\xff\xe0" + bytes(600), "a JPEG image"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(600), "a 7z archive"),
        (b"Rar!\x1a\x07" + bytes(600), "a RAR archive"),
        (b'\n{"a": 1}', "a JSON file"),
        (gzip.compress(b"no tar", mtime=0), "a gzip file without a tar archive in it"),
        (b"hello", "of an unknown kind"),
        (b"", "empty"),
    ],
)
def test_a_file_that_is_no_archive_is_named(tmp_path, refused, data, what):
    path = tmp_path / "upload.zip"
    path.write_bytes(data)
    error = refused(path)
    assert (error.code, what in str(error)) == ("no_archive", True)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.7])  # 0.7 cuts the tar exactly between two files
def test_half_an_archive_is_refused(tmp_path, refused, kind, part):
    path, noise = tmp_path / "a", [(str(number), os.urandom(3000)) for number in range(9)]
    if kind == "zip":
        make_zip(path, dict(noise))
    else:
        make_tar(path, *noise, how="w:gz" if kind == "tar.gz" else "w")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    assert refused(path).code == "broken_archive"


def test_rubbish_between_the_entries_of_a_tar_is_not_taken_for_its_end(tmp_path, refused):
    path = make_tar(tmp_path / "a.tar", ("a", b"x"), ("b", b"y"), how="w")
    data = bytearray(path.read_bytes())
    data[1024:1100] = b"\xff" * 76
    path.write_bytes(data)
    assert refused(path).code == "broken_archive"


def test_damage_inside_a_zip_is_found(tmp_path, refused):
    path = make_zip(tmp_path / "a.zip", {"a": os.urandom(500)})
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(data)
    assert refused(path).code == "broken_archive"


def test_a_full_disk_is_not_called_damage(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = make_zip(tmp_path / "a.zip", FILES)
    monkeypatch.setattr(os, "open", full)
    with pytest.raises(ArchiveError, match="No space left") as caught:
        unpack(path, tmp_path / "into")
    assert caught.value.code == "not_written"


@pytest.mark.parametrize("kind", [make_zip, lambda path, files: make_tar(path, *files.items())])
def test_names_of_hundreds_of_folders_are_refused(tmp_path, refused, kind):
    assert refused(kind(tmp_path / "a", {"a/" * 64 + "x": b"1"})).code == "unsafe_name"


def test_entries_are_counted_before_an_object_is_made_of_each(tmp_path, refused, monkeypatch):
    made = []

    class Counted(zipfile.ZipInfo):
        __slots__ = ()

        def __init__(self, *args, **named):
            made.append(args)
            super().__init__(*args, **named)

    path = make_zip(tmp_path / "a", {f"{n}.txt": b"" for n in range(50)})
    monkeypatch.setattr(zipfile, "ZipInfo", Counted)
    assert refused(path, entries=10).code == "too_many_entries"
    assert made == []
