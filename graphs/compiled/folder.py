"""Open the folder of a compiled graph: arrays, a manifest, and a checksum of each.

    manifest.json        what the graph is, and of every file its size and checksum
    data-CHECKSUM/       the files; named after the manifest's checksum

Files are little-endian arrays without a header. The manifest names the data, so that whoever opens
the folder while it is built anew (see `graphs.compiled.sealing`) sees the old graph or the new one.
Opening compares every file with its checksum (XXH3) before anything else looks at it.
"""

from __future__ import annotations

import os
from mmap import PROT_READ, mmap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from graphs.compiled import manifest as manifests
from graphs.errors import GraphError
from graphs.opening import is_there

MANIFEST = "manifest.json"
_MAX_MANIFEST = 64 << 20


class Mapped(NamedTuple):
    """A mapped file: the map itself, None for an empty file, and the array on it."""

    map: mmap | None
    array: NDArray[Any]


class Folder:
    """An opened folder: its manifest, and its files mapped into memory, read-only.

    Files that are mapped stay, whatever becomes of the folder.
    """

    def __init__(
        self, path: Path, manifest: dict[str, Any], seal: str, files: dict[str, Mapped]
    ) -> None:
        """Take what has been checked; users call `open`."""
        self.path = path
        self.manifest = manifest
        self.seal = seal
        self._files = files

    @classmethod
    def open(cls, path: str | Path, *, seal: str | None = None) -> Folder:
        """Open the compiled graph in `path` and compare every file with its checksum.

        A worker process that was handed the graph gives the `seal` of its parent's: then only the
        manifest is compared, and the sizes of the files, since the parent has read them.

        Raises `GraphError` where the folder is no compiled graph, of another version, changed
        since `seal`, or damaged.
        """
        path = Path(path).absolute()
        while True:
            version = read_manifest(path)
            try:
                return cls._open(path, version.data, seal=seal)
            except GraphError:
                # Built anew meanwhile: this manifest's data is gone, and another one's is there.
                if read_manifest(path) == version:
                    raise

    @classmethod
    def _open(cls, path: Path, data: bytes, *, seal: str | None) -> Folder:
        file, found = path / MANIFEST, seal_of(data)
        if seal is not None and seal != found:
            raise GraphError(f"{path}: was built anew since it was opened; open it again")
        # A manifest that was changed by one bit has another seal, and no data of that name.
        place = data_folder(path, found)
        if not place.is_dir():
            raise GraphError(
                f"{file}: damaged, or not made by `python -m graphs build`; build the graph again"
            )
        manifest = manifests.parse(data, file=file)
        files = {
            name: _map(place / name, about, content=seal is None)
            for name, about in manifest["files"].items()
        }
        return cls(path, manifest, found, files)

    @property
    def data(self) -> Path:
        """Return the folder of the arrays."""
        return data_folder(self.path, self.seal)

    def __contains__(self, name: str) -> bool:
        """Say whether there is a file of this name."""
        return name in self._files

    def mapped(self, name: str) -> mmap | None:
        """Return the map of the file `name`; None for an empty file, which cannot be mapped."""
        return self._files[name].map

    def array(self, name: str, *, dtype: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
        """Return the mapped array `name`; None in `shape` is any size.

        Raises `GraphError` where there is none of this dtype and shape.
        """
        array = self._files[name].array if name in self._files else None
        if array is not None and array.dtype == np.dtype(dtype) and array.ndim == len(shape):
            fits = (want in (None, size) for want, size in zip(shape, array.shape, strict=True))
            if all(fits):
                return array
        raise GraphError(f"{self.path}: has no proper {name}; build the graph again")


def is_compiled(path: str | Path) -> bool:
    """Say whether `path` is a folder with a manifest, so meant as a compiled graph.

    Raises `GraphError` where that cannot be known.
    """
    file = Path(path) / MANIFEST
    return is_there(path) and is_there(file) and file.is_file()


def checksum(file: Path) -> str:
    """Return the XXH3 (128 bits, hexadecimal) of a file's bytes."""
    size = file.stat().st_size
    return checksum_of(open_map(file) if size else b"")


def checksum_of(data: mmap | bytes) -> str:
    """Return the XXH3 (128 bits, hexadecimal) of some bytes."""
    return xxhash.xxh3_128_hexdigest(data)


def open_map(file: Path) -> mmap:
    """Map a file that is not empty, read-only."""
    with file.open("rb") as stream:
        return mmap(stream.fileno(), 0, prot=PROT_READ)


def seal_of(manifest: bytes) -> str:
    """Return the checksum of a manifest's bytes."""
    return xxhash.xxh3_128_hexdigest(manifest)[:16]


class Version(NamedTuple):
    """A manifest's bytes, and what tells the file from one that replaced it."""

    data: bytes
    inode: int
    changed: int


def read_manifest(path: Path) -> Version:
    """Return the manifest in `path`; raises `GraphError` where it cannot be read."""
    file = path / MANIFEST
    try:
        with file.open("rb") as stream:
            about = os.fstat(stream.fileno())
            if about.st_size > _MAX_MANIFEST:
                raise GraphError(f"{file}: too large for a manifest; build the graph again")
            return Version(stream.read(), about.st_ino, about.st_mtime_ns)
    except OSError as error:
        raise GraphError(f"{file}: cannot be read: {error.strerror or error}") from None


def _map(file: Path, about: dict[str, Any], *, content: bool) -> Mapped:
    """Map a file after comparing its size, and with `content` its checksum."""
    wanted: int = about["bytes"]
    try:
        size = file.stat().st_size
        if size != wanted:
            raise _damaged(file, f"{size} bytes instead of {wanted}")
        data = open_map(file) if size else b""
        if content and checksum_of(data) != about["xxh3"]:
            raise _damaged(file, "its checksum is wrong")
        array = np.frombuffer(data, dtype=about["dtype"]).reshape(about["shape"])
        return Mapped(None if isinstance(data, bytes) else data, array)
    except OSError as error:
        raise GraphError(f"{file}: cannot be read: {error.strerror}; build it again") from None


def _damaged(file: Path, what: str) -> GraphError:
    return GraphError(f"{file}: damaged ({what}); build the graph again")


def data_folder(path: Path, seal: str) -> Path:
    """Return where the files of the graph in `path` with this seal are."""
    return path / f"data-{seal}"
