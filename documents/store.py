"""Files that somebody handed in, kept once under the SHA-256 of their bytes: `ab/cdef…`.

A file is put here before the transaction that names it: whatever interrupts us leaves a file that nobody names, never a
name without its file. `jobs.sweeping` removes the former.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from core.errors import ProductError

EXTENSIONS: Mapping[str, str] = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg"}
_BEGINNINGS = {b"%PDF-": "application/pdf", b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_NAME = re.compile(r"[0-9a-f]{64}")


def media_type(data: bytes) -> str | None:
    """Tell by its first bytes what a file is, None if it is nothing that we take: its name may say anything."""
    return next((kind for beginning, kind in _BEGINNINGS.items() if data.startswith(beginning)), None)


class Store:
    """A folder of files; any number of processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        """Know the folder; it is made when something is put."""
        self._folder = folder

    def put(self, data: bytes) -> str:
        """Keep bytes, on the disk for good when this returns; return their SHA-256."""
        sha256 = hashlib.sha256(data).hexdigest()
        place = self._place(sha256)
        try:
            os.utime(place)  # it is there: made young again, so that nobody sweeps it before it is named
        except FileNotFoundError:
            place.parent.mkdir(parents=True, exist_ok=True)
            _write(place, data)
        return sha256

    def get(self, sha256: str) -> bytes:
        """Return what is kept. Raises ProductError (`document_lost`) when it is not there, or not what it was."""
        try:
            data = self._place(sha256).read_bytes()
        except FileNotFoundError:
            raise ProductError("document_lost") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ProductError("document_lost")
        return data

    def remove(self, sha256: str) -> None:
        """Remove what is kept, if it is."""
        self._place(sha256).unlink(missing_ok=True)

    def kept(self) -> Iterator[tuple[str, datetime]]:
        """Yield the SHA-256 of each file, and when it was last put."""
        for path in sorted(self._folder.glob("??/*")):
            sha256 = path.parent.name + path.name
            if _NAME.fullmatch(sha256):
                with suppress(FileNotFoundError):  # somebody removed it meanwhile
                    yield sha256, datetime.fromtimestamp(path.stat().st_mtime, UTC)

    def _place(self, sha256: str) -> Path:
        if not _NAME.fullmatch(sha256):  # a path could be made of anything else
            raise ProductError("document_lost")
        return self._folder / sha256[:2] / sha256[2:]


def _write(place: Path, data: bytes) -> None:
    """Write a file that is there whole, or not at all, also after a power cut."""
    descriptor, temporary = tempfile.mkstemp(dir=place.parent, prefix=".")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(place)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    for folder in (place.parent, place.parent.parent):
        _sync(folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
