"""Unpack an uploaded zip, tar or tar.gz: plain files only, inside one folder, within limits, or not at all.

Every name is checked before anything is written for it, and the bytes that are really written are counted: what an
archive says about itself is not believed.
"""

from __future__ import annotations

import errno
import gzip
import io
import lzma
import os
import posixpath
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

_CHUNK = 2**18  # bytes copied at a time
_MAX_READ = 2**20  # bytes tarfile may ask for at once: a longer header is an attack on the memory
_MAX_NAME, _MAX_PATH = 255, 1024  # bytes, of one part and of the whole
_MAX_PARTS = 64  # each may be a folder that has to be made
_ENTRY = 512  # bytes of a zip's directory, an entry, on average
_RATIO_FROM = 2**20  # bytes; smaller files may be as compressible as they like (a blank mask is)
_FAILURES = (  # what reading a damaged archive has been seen to raise
    *(zipfile.BadZipFile, zipfile.LargeZipFile, tarfile.TarError, OSError, zlib.error, lzma.LZMAError),
    *(EOFError, NotImplementedError, RuntimeError, ValueError, struct.error, OverflowError, IndexError, KeyError),
)
_MAGIC = (  # what people upload instead
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"BM", "a BMP image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"%PDF", "a PDF document"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (b"\x1f\x8b", "a gzip file without a tar archive in it"),
    (b"<", "an XML or HTML file"),
    (b"{", "a JSON file"),
    (b"[", "a JSON file"),
)


@dataclass(frozen=True)
class Limits:
    """Where unpacking stops; sizes in bytes."""

    entries: int = 200_000
    total: int = 50 * 2**30
    file: int = 10 * 2**30
    ratio: float = 200.0  # unpacked to packed size, of a file and of the whole, from 1 MB on
    programs: bool = False  # whether a file that its owner may execute stays so


class ArchiveError(Exception):
    """The archive is refused; the message says why. `code` is stable, for translating."""

    def __init__(self, message: str, code: str = "broken_archive") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class _Member:
    """One entry of either kind of archive."""

    name: str  # as stated
    is_folder: bool
    packed: int | None  # bytes in the archive; None where it is compressed as a whole
    handle: zipfile.ZipInfo | tarfile.TarInfo

    @property
    def is_program(self) -> bool:
        mode = self.handle.mode if isinstance(self.handle, tarfile.TarInfo) else self.handle.external_attr >> 16
        return bool(mode & stat.S_IXUSR)


def unpack(archive: Path, into: Path, *, limits: Limits | None = None) -> list[str]:
    """Unpack into the new or empty folder `into`; relative names of the files, "/" between parts.

    Raises ArchiveError; then `into` is empty. Raises ValueError when `into` holds something already.
    """
    into.mkdir(parents=True, exist_ok=True)
    if any(into.iterdir()):
        raise ValueError(f"{into} is not empty")
    try:
        return _unpack(archive, into, limits or Limits())
    except BaseException as error:
        _empty(into)
        if isinstance(error, _FAILURES):
            raise _explained(error) from error
        raise


def is_safe(name: str) -> bool:
    """Whether `unpack` would write an entry of this name as it is spelled."""
    try:
        return _checked_name(name) == name
    except (ArchiveError, UnicodeEncodeError):
        return False


def _explained(error: Exception) -> ArchiveError:
    """A damaged archive and a full disk are different news. EINVAL: the archive sent us to before its start."""
    disk = isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile) and error.errno != errno.EINVAL
    if disk:
        return ArchiveError(f"it could not be unpacked ({error})", "not_written")
    return ArchiveError(f"the archive is damaged ({error})")


def _unpack(archive: Path, into: Path, limits: Limits) -> list[str]:
    with ExitStack() as stack:
        opened = _open(archive, stack, limits)
        writer = _Writer(into, limits, archive.stat().st_size)
        for count, member in enumerate(_members(opened), 1):
            if count > limits.entries:
                raise ArchiveError(f"the archive has more than {limits.entries} entries", "too_many_entries")
            writer.write(opened, member)
    if not writer.names:
        raise ArchiveError("the archive is empty", "empty_archive")
    return writer.names


@dataclass
class _Writer:
    """Writes members below `root` and counts what it writes."""

    root: Path
    limits: Limits
    packed: int  # bytes of the whole archive

    def __post_init__(self) -> None:
        self.names: list[str] = []
        self.total = 0

    def write(self, opened: zipfile.ZipFile | tarfile.TarFile, member: _Member) -> None:
        name = _checked_name(member.name)
        target = self.root / name
        try:
            (target if member.is_folder else target.parent).mkdir(parents=True, exist_ok=True)
            if member.is_folder:
                return
            mode = 0o755 if self.limits.programs and member.is_program else 0o644
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise ArchiveError(f"{_shown(name)} is in the archive twice", "name_twice") from None
        with os.fdopen(descriptor, "wb") as file, _content(opened, member) as content:
            self._copy(content, file, name, member)
        self.names.append(name)

    def _copy(self, content: IO[bytes], file: IO[bytes], name: str, member: _Member) -> None:
        written = 0
        while chunk := content.read(_CHUNK):
            written += len(chunk)
            self.total += len(chunk)
            self._check(name, written, member)
            file.write(chunk)

    def _check(self, name: str, written: int, member: _Member) -> None:
        if written > self.limits.file:
            raise ArchiveError(f"{_shown(name)} is larger than {_gib(self.limits.file)}", "file_too_large")
        if self.total > self.limits.total:
            raise ArchiveError(f"unpacked it is larger than {_gib(self.limits.total)}", "archive_too_large")
        ratio = self.limits.ratio
        by_itself = member.packed is not None and written > _RATIO_FROM and written > ratio * member.packed
        if by_itself or (self.total > _RATIO_FROM and self.total > ratio * self.packed):
            raise ArchiveError(f"{_shown(name)} unpacks to more than {ratio:g} times its size", "ratio")


def _checked_name(stated: str) -> str:
    """The relative path that an entry may be written to; raises ArchiveError."""
    path = stated.replace("\\", "/")  # old Windows tools write backslashes
    parts = [part for part in path.split("/") if part not in ("", ".")]
    for bad, why in (
        ("\0" in path, "has a NUL in its name"),
        (path.startswith("/"), "has an absolute path"),
        (len(path) > 1 and path[1] == ":" and path[0].isalpha(), "names a drive"),
        (".." in parts, "points out of the archive"),
        (any(0xD800 <= ord(letter) < 0xE000 for letter in path), "has a name that is no text"),
    ):
        if bad:
            raise ArchiveError(f"{_shown(stated)} {why}", "unsafe_name")
    encoded = [part.encode() for part in parts]
    too_long = any(len(part) > _MAX_NAME for part in encoded) or sum(map(len, encoded)) + len(parts) > _MAX_PATH
    if too_long or len(parts) > _MAX_PARTS:
        raise ArchiveError(f"{_shown(stated)} has too long a name", "unsafe_name")
    return posixpath.join(*parts) if parts else "."


def _open(archive: Path, stack: ExitStack, limits: Limits) -> zipfile.ZipFile | tarfile.TarFile:
    """By content, not by name; raises ArchiveError for anything but zip, tar and tar.gz."""
    with archive.open("rb") as file:
        head = file.read(512)
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        reader = _DirectoryReader(stack.enter_context(archive.open("rb")), limits.entries)
        opened = stack.enter_context(zipfile.ZipFile(cast("IO[bytes]", reader)))
        reader.is_read = True
        return opened
    opener = gzip.open if head[:2] == b"\x1f\x8b" else Path.open
    plain = cast("IO[bytes]", stack.enter_context(opener(archive, "rb")))
    bounded = cast("IO[bytes]", _BoundedReader(plain))
    try:
        return stack.enter_context(tarfile.open(fileobj=bounded, mode="r:"))
    except tarfile.ReadError:
        raise ArchiveError(
            f"the file is {_looks_like(head)}, not an archive (zip, tar, tar.gz)", "no_archive"
        ) from None


def _looks_like(head: bytes) -> str:
    if not head:
        return "empty"
    return next((title for magic, title in _MAGIC if head.lstrip().startswith(magic)), "of an unknown kind")


@dataclass
class _BoundedReader:
    """A file for tarfile that refuses huge reads: a header of gigabytes would be read into memory as a whole."""

    file: IO[bytes]

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_READ:
            raise ArchiveError("the archive has a header larger than 1 MB")
        return self.file.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()


@dataclass
class _DirectoryReader:
    """A file for zipfile, which reads the whole directory, whatever its size, and makes an object of each entry of it:
    refused before that, where there are too many. What the archive says of their number is not believed."""

    file: IO[bytes]
    most: int  # entries
    is_read: bool = False

    def read(self, size: int = -1) -> bytes:
        if not self.is_read and size > max(_MAX_READ, self.most * _ENTRY):
            raise self._refusal()
        data = self.file.read(size)
        if not self.is_read and data.count(b"PK\x01\x02") > self.most:
            raise self._refusal()
        return data

    def _refusal(self) -> ArchiveError:
        return ArchiveError(f"the archive has more than {self.most} entries", "too_many_entries")

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self.file.close()


def _members(opened: zipfile.ZipFile | tarfile.TarFile) -> Iterator[_Member]:
    if isinstance(opened, zipfile.ZipFile):
        yield from map(_zip_member, opened.infolist())
    else:
        yield from map(_tar_member, opened)
        _check_end(opened)


def _zip_member(info: zipfile.ZipInfo) -> _Member:
    name = _zip_name(info)
    if info.flag_bits & 0x1:
        raise ArchiveError(f"{_shown(name)} is encrypted", "encrypted")
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):  # Unix tools keep the mode there
        raise ArchiveError(f"{_shown(name)} is a link or a device", "no_plain_file")
    return _Member(name, name.endswith(("/", "\\")), info.compress_size, info)


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The whole name (zipfile cuts it at a NUL). Windows writes the local encoding unmarked: in Korea that is cp949."""
    name = info.orig_filename
    return name if info.flag_bits & 0x800 else _decoded(name.encode("cp437"), name)


def _decoded(raw: bytes, otherwise: str) -> str:
    for encoding in ("utf-8", "cp949"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return otherwise


def _tar_member(info: tarfile.TarInfo) -> _Member:
    if not (info.isreg() or info.isdir()) or info.issparse():
        raise ArchiveError(f"{_shown(info.name)} is a link or a device", "no_plain_file")
    name = _decoded(info.name.encode("utf-8", "surrogateescape"), info.name)
    return _Member(name, info.isdir(), None, info)


def _check_end(opened: tarfile.TarFile) -> None:
    """After the last entry comes a block of zeros; tarfile itself takes rubbish or nothing for the end as well."""
    file = cast("IO[bytes]", opened.fileobj)
    file.seek(opened.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise ArchiveError("the archive is damaged (it ends too early, or has rubbish between its entries)")


@contextmanager
def _content(opened: zipfile.ZipFile | tarfile.TarFile, member: _Member) -> Iterator[IO[bytes]]:
    if isinstance(opened, zipfile.ZipFile):
        content: IO[bytes] | None = opened.open(cast("zipfile.ZipInfo", member.handle))
    else:
        content = opened.extractfile(cast("tarfile.TarInfo", member.handle))
    if content is None:
        raise ArchiveError(f"{_shown(member.name)} is no plain file", "no_plain_file")
    with content:
        yield content


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _shown(name: str) -> str:
    """A name for a message: never long, never with control characters."""
    return repr(name) if len(name) <= 80 else repr(name[:77]) + "..."


def _gib(size: int) -> str:
    return f"{size / 2**30:.3g} GB"
