"""Which files a program reads, seen from outside (inotify), through a sandbox too: a file is the same in there."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

ACCESS, OPEN, IS_FOLDER = 0x1, 0x20, 0x40000000
EVENT = struct.Struct("iIII")


class Reads:
    """Watches files, and folders with the files right below them. Use it as a context."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._names: dict[int, str] = {}
        self._seen: set[str] = set()
        self._is_refused = False
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> Reads:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    @property
    def works(self) -> bool:
        """False on a host that lets nobody watch more."""
        return bool(self._fd >= 0) and not self._is_refused

    def watch(self, path: Path, name: str) -> None:
        """Call it `name` when the file, or any file below the folder, is read."""
        for place in [path, *(p for p in path.rglob("*") if p.is_dir())] if path.is_dir() else [path]:
            number = self._libc.inotify_add_watch(self._fd, os.fsencode(place), ACCESS | OPEN)
            if number >= 0:
                self._names[number] = name
            else:
                self._is_refused = True

    def seen(self) -> set[str]:
        """The names of what was read until now."""
        while self.works:
            try:
                data = os.read(self._fd, 65536)
            except BlockingIOError:
                break
            at = 0
            while at < len(data):
                number, mask, _cookie, length = EVENT.unpack_from(data, at)
                at += EVENT.size + length
                if mask & (ACCESS | OPEN) and not mask & IS_FOLDER and number in self._names:
                    self._seen.add(self._names[number])
        return self._seen
