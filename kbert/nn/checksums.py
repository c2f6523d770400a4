"""The checksums of a model folder: written by who writes its files, compared by who reads them.

    checksums.json   {"format", "version", "files": {NAME: {"bytes", "xxh3"}}, "seal"}

Safetensors has no checksum of its own, so a flipped bit in a weight loads in silence. The file
lists what changes results: weights, configuration, vocabulary, the record of a run. Its own seal is
the checksum of its other parts, and it is compared as bytes with what would be written, so that no
bit of it can change either. A folder without it, as published models are, is read as before. A
checksum shows damage; it does not say who wrote a file.
"""

from __future__ import annotations

import json
import os
import re
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from graphs.compiled.folder import checksum, checksum_of
from kbert.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

CHECKSUMS: Final = "checksums.json"
_FORMAT: Final = "kbert-checksums"
_VERSION: Final = 1
_MOST: Final = 1 << 20  # bytes of the manifest
_LONGEST: Final = 64 << 20  # bytes of a small file, if its reader names no other limit
_is_checksum = re.compile(r"[0-9a-f]{32}").fullmatch
_MEND: Final = (
    "restore the folder from a copy, or make it anew"
    f" (if you changed it yourself, remove {CHECKSUMS})"
)


def seal(folder: Path, names: Iterable[str]) -> None:
    """Note the checksums of the files `names`, which were just written, in `checksums.json`.

    What is noted of other files stays; a `checksums.json` that is broken is written anew. Raises
    `OSError`.
    """
    known = _known(folder)
    for name in names:
        known[name] = {"bytes": (folder / name).stat().st_size, "xxh3": checksum(folder / name)}
    write(folder / CHECKSUMS, _encode(known))


def unseal(folder: Path, name: str) -> None:
    """Forget the checksum of a file that is about to be replaced in a finished folder.

    So whoever is killed between the file and its new checksum leaves a folder that can be read.
    Raises `OSError`.
    """
    known = _known(folder)
    if known.pop(name, None) is not None:
        write(folder / CHECKSUMS, _encode(known))


def check(file: Path) -> None:
    """Compare a file with its checksum, if its folder has one of it.

    Raises `CheckpointError` where it differs, is absent, or cannot be read.
    """
    wanted = _entry(file)
    if wanted is None:
        return
    try:
        size = file.stat().st_size
        found = checksum(file) if size == wanted["bytes"] else ""
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read: {error.strerror}; {_MEND}") from None
    _compare(file, size=size, found=found, wanted=wanted)


def is_there(file: Path) -> bool:
    """Say whether a file that a folder need not have is there.

    Raises `CheckpointError` if the folder's checksums say that it should be.
    """
    if file.is_file():
        return True
    if _entry(file) is not None:
        raise CheckpointError(f"{file}: is missing, but {CHECKSUMS} lists it; {_MEND}")
    return False


def read_bytes(file: Path, *, most: int = _LONGEST) -> bytes:
    """Read a whole file of at most `most` bytes, and compare it with its checksum if it has one.

    Raises `CheckpointError` for what is no regular file, cannot be read, is larger or damaged.
    """
    data = _read(file, most=most)
    wanted = _entry(file)
    if wanted is not None:
        _compare(file, size=len(data), found=checksum_of(data), wanted=wanted)
    return data


def write(path: Path, content: bytes) -> None:
    """Put a whole file in place: a reader finds the old one or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _compare(file: Path, *, size: int, found: str, wanted: Mapping[str, Any]) -> None:
    if size != wanted["bytes"]:
        what = f"{size} bytes instead of {wanted['bytes']}"
    elif found != wanted["xxh3"]:
        what = f"its checksum is not that in {CHECKSUMS}"
    else:
        return
    raise CheckpointError(f"{file}: damaged: {what}; {_MEND}")


def _entry(file: Path) -> dict[str, Any] | None:
    """Return what the folder's manifest says of a file; None without manifest or word of it."""
    manifest = file.parent / CHECKSUMS
    try:
        there = stat.S_ISREG(manifest.stat().st_mode)
    except (OSError, ValueError):  # whoever opens the file itself says why
        return None
    return _parse(_read(manifest, most=_MOST), file=manifest).get(file.name) if there else None


def _known(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what is noted so far; nothing where that cannot be trusted."""
    with suppress(CheckpointError):
        return _parse(_read(folder / CHECKSUMS, most=_MOST), file=folder / CHECKSUMS)
    return {}


def _parse(data: bytes, *, file: Path) -> dict[str, dict[str, Any]]:
    """Return the entries of a manifest that is byte for byte what `_encode` makes of them."""
    try:
        content = json.loads(data)
        files: dict[str, dict[str, Any]] = content["files"]
        if content["version"] != _VERSION and content["format"] == _FORMAT:
            raise CheckpointError(
                f"{file}: version {content['version']} is not the version {_VERSION} of this"
                " program; read the folder with a newer one"
            )
        sound = _encode(files) == data and all(map(_is_entry, files.values()))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise CheckpointError(f"{file}: damaged; {_MEND}")
    return files


def _is_entry(entry: object) -> bool:
    if not isinstance(entry, dict) or set(entry) != {"bytes", "xxh3"}:
        return False
    size, digest = entry["bytes"], entry["xxh3"]
    return type(size) is int and isinstance(digest, str) and bool(_is_checksum(digest))


def _encode(files: Mapping[str, Mapping[str, Any]]) -> bytes:
    content: dict[str, Any] = {"format": _FORMAT, "version": _VERSION}
    content["files"] = {name: files[name] for name in sorted(files)}
    content["seal"] = checksum_of(json.dumps(content).encode())
    return json.dumps(content, indent=1).encode() + b"\n"


def _read(file: Path, *, most: int) -> bytes:
    try:
        about = file.stat()
        if not stat.S_ISREG(about.st_mode):
            raise CheckpointError(f"{file}: cannot be read: not a file")
        if about.st_size > most:
            raise CheckpointError(
                f"{file}: {about.st_size:,} bytes, more than the {most:,} that such a file may have"
            )
        with file.open("rb") as stream:
            data = stream.read(about.st_size + 1)  # not `most`, for which it would make room
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CheckpointError(f"{file}: cannot be read: {reason}") from None
    if len(data) > about.st_size:
        raise CheckpointError(f"{file}: grew while it was read; read it again")
    return data
