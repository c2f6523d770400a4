"""Write the folder of a compiled graph (see `graphs.compiled.folder`), and put it in its place.

Everything is written beside its place, synced, and moved there whole: a new folder by one rename, a
new graph in an old folder by replacing its manifest, which names the data.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs.compiled import manifest as manifests
from graphs.compiled.folder import MANIFEST, checksum, data_folder, seal_of
from graphs.compiled.manifest import FORMAT, VERSION

_ZEROS = 1 << 20


class FolderWriter:
    """Collect the files of a compiled graph in a scratch folder."""

    def __init__(self, scratch: Path) -> None:
        """Write to `scratch`/data, which is made."""
        self.scratch = scratch
        self._data = scratch / "data"
        self._data.mkdir()
        self._files: dict[str, dict[str, Any]] = {}

    def path(self, name: str) -> Path:
        """Return where the file `name` stands."""
        return self._data / name

    def write(self, name: str, array: NDArray[Any]) -> None:
        """Write an array."""
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        with self.path(name).open("wb") as file:
            file.write(little.data if little.size else b"")
        self._note(name, little.shape, little.dtype)

    def create(self, name: str, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """Make an array to be filled in place, mapped, with its space reserved on the disk."""
        self._note(name, shape, np.dtype(dtype))
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        with self.path(name).open("wb") as file:
            if size:
                _reserve(file.fileno(), size)
        if not size:
            return np.empty(shape, dtype=dtype)
        return np.memmap(self.path(name), dtype=dtype, mode="r+", shape=shape)

    def seal(self, about: dict[str, Any]) -> str:
        """Sync every file, write the manifest with what it says `about` the graph; return its seal.

        Afterwards `scratch` has the layout of a compiled graph.
        """
        for name, entry in self._files.items():
            sync(self.path(name))
            entry |= {"bytes": self.path(name).stat().st_size, "xxh3": checksum(self.path(name))}
        manifest = {"format": FORMAT, "version": VERSION, **about, "files": self._files}
        data = manifests.encode(manifest)
        seal = seal_of(data)
        (self.scratch / MANIFEST).write_bytes(data)
        sync(self.scratch / MANIFEST)
        sync(self._data)
        self._data.rename(data_folder(self.scratch, seal))
        sync(self.scratch)
        return seal

    def _note(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._files[name] = {"dtype": dtype.str, "shape": list(shape)}


@contextmanager
def scratch_beside(target: Path) -> Iterator[Path]:
    """Make a hidden folder beside `target`; it goes afterwards, and those of killed builds before.

    One process at a time may do so for a target (see `graphs.compiled.locking`). Raises `OSError`.
    """
    prefix = f".{target.name}.partial-"
    for left in target.parent.glob(f"{escape(prefix)}{'[0-9a-f]' * 8}"):
        shutil.rmtree(left, ignore_errors=True)
    scratch = target.parent / f"{prefix}{secrets.token_hex(4)}"
    scratch.mkdir()
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def put(result: Path, target: Path) -> None:
    """Move a sealed graph from the folder `result` to `target`, in one step that counts.

    A compiled graph in `target` is replaced. Raises `OSError`, and then `target` is as it was.
    """
    if not target.exists():
        result.rename(target)
        with suppress(OSError):  # it stands there, if perhaps not yet for good
            sync(target.parent)
        return
    (data,) = result.glob("data-*")
    old, place = set(target.glob("data-*")), target / data.name
    try:
        if place in old:  # the same graph, whose files may be damaged
            for file in data.iterdir():
                file.replace(place / file.name)
        else:
            data.rename(place)
        sync(place)
        sync(target)
        (result / MANIFEST).replace(target / MANIFEST)
    except OSError:
        if place not in old:
            shutil.rmtree(place, ignore_errors=True)
        raise
    with suppress(OSError):
        sync(target)
    for folder in old - {place}:
        shutil.rmtree(folder, ignore_errors=True)


def _reserve(handle: int, size: int) -> None:
    """Make an empty file `size` bytes long, with space for them on the disk.

    Without that space a write through a map would kill the process.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
        return
    zeros = bytes(min(size, _ZEROS))
    while size:
        size -= os.write(handle, zeros[:size])


def sync(path: Path) -> None:
    """Have a file or folder reach the disk. Raises `OSError`."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
