"""Tensors of PyTorch's own files (`.bin`, `.pt`, `.pth`), read without PyTorch's reader.

Two formats: a zip archive since PyTorch 1.6, and before that five pickles with the numbers behind
them. The pickle is read by `kbert.nn.tensor_pickle`, which runs nothing. An archive is never
unpacked: its list of members is checked first (their number, names, sizes, that they are stored
plainly and do not overlap), then members are read one by one. Everything is bounded by the size of
the file. Source: torch/serialization.py, and the zip format (APPNOTE 6.3).
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import torch

from kbert.errors import CheckpointError
from kbert.nn.tensor_pickle import Storage, Stored, read_program

if TYPE_CHECKING:
    from torch import Tensor

_ZIP: Final = b"PK\x03\x04"
_MAGIC: Final = 0x1950A86A20F9469CFC6C
_MOST_PICKLE: Final = 1 << 20  # of BERT-large it has 60 KB
_MOST_MEMBERS: Final = 50_000
_MOST_DIRECTORY: Final = 16 << 20
_MOST_COPIES: Final = 4  # tied weights share a storage, and are copied for each name
_MEMBER: Final = re.compile(
    r"[^/\\]+/(data\.pkl|version|byteorder|\.format_version|\.storage_alignment"
    r"|\.data/serialization_id|data/[0-9]+)"
)
_DTYPES: Final = {
    "BFloat16Storage": torch.bfloat16,
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "ShortStorage": torch.int16,
}


def read_legacy(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a PyTorch file by their names.

    Raises `CheckpointError` for a file that holds, or asks for, anything but named tensors, and
    for one that is damaged.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            zipped = file.read(len(_ZIP)) == _ZIP
            file.seek(0)
            return _from_zip(file, size) if zipped else _from_stream(file, size)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"{path}: not converted: {reason}") from None


def _from_zip(file: BinaryIO, size: int) -> dict[str, Tensor]:
    _check_directory(file, size)
    with zipfile.ZipFile(file) as archive:
        members = _checked_members(archive, size)
        if members.get("byteorder") and archive.read(members["byteorder"]) != b"little":
            raise ValueError("its numbers are not little-endian")
        if "data.pkl" not in members:
            raise ValueError("the archive has no data.pkl; is it a checkpoint of PyTorch?")
        program = archive.read(members["data.pkl"])

        def read(storage: Storage) -> bytes:
            member = members.get(f"data/{storage.key}")
            if member is None or member.file_size < storage.bytes:
                raise ValueError(f"the numbers of storage {storage.key!r} are not there")
            return archive.read(member)

        return _tensors(read_program(BytesIO(program)), read=read, size=size)


def _check_directory(file: BinaryIO, size: int) -> None:
    """Bound an archive's list of members before it is read into memory as a whole."""
    start = max(0, size - 22 - (1 << 16))
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise ValueError("the archive is cut short")
    members = int.from_bytes(tail[at + 10 : at + 12], "little")
    length = int.from_bytes(tail[at + 12 : at + 16], "little")
    if tail[at - 20 : at - 16] == b"PK\x06\x07":  # the list of a large archive, and again its end
        file.seek(int.from_bytes(tail[at - 12 : at - 4], "little"))
        end = file.read(56)
        members = max(members, int.from_bytes(end[32:40], "little"))
        length = max(length, int.from_bytes(end[40:48], "little"))
    if members > _MOST_MEMBERS or length > _MOST_DIRECTORY:
        raise ValueError(f"the archive lists {members:,} members in {length:,} bytes; too many")
    file.seek(0)


def _checked_members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Return the members by their names within the archive's folder, once all are sound."""
    members: dict[str, zipfile.ZipInfo] = {}
    root, end = None, 0
    for member in sorted(archive.infolist(), key=lambda member: member.header_offset):
        shown = repr(member.filename[:80])
        match = _MEMBER.fullmatch(member.orig_filename)
        if match is None:
            raise ValueError(f"the archive has a member {shown}, which no checkpoint has")
        folder = member.filename.partition("/")[0]
        if match[1] in members or root not in (None, folder):
            raise ValueError(f"the archive has {shown} twice")
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise ValueError(f"the member {shown} is compressed or encrypted; PyTorch does neither")
        if member.file_size != member.compress_size or member.header_offset < end:
            raise ValueError(f"the member {shown} overlaps another, or lies about its size")
        end = member.header_offset + 30 + len(member.filename.encode()) + member.file_size
        if end > size or (match[1] == "data.pkl" and member.file_size > _MOST_PICKLE):
            raise ValueError(f"the member {shown} is too large")
        if not match[1].startswith("data") and member.file_size > 1 << 12:
            raise ValueError(f"the member {shown} is too large")
        root = folder
        members[match[1]] = member
    return members


def _from_stream(file: BinaryIO, size: int) -> dict[str, Tensor]:
    head = BytesIO(file.read(_MOST_PICKLE))
    if read_program(head) != _MAGIC:
        raise ValueError("it is no checkpoint of PyTorch")
    read_program(head)  # the version of the protocol
    system = read_program(head)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("its numbers are not little-endian")
    content, keys = read_program(head), read_program(head)
    wanted = {each.storage.key: each.storage for each in _named(content).values()}
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError("it does not name its storages")
    file.seek(head.tell())
    runs: dict[str, bytes] = {}
    for key in keys:
        numbers = int.from_bytes(file.read(8), "little")
        storage = wanted.get(key)
        if storage is None or key in runs or storage.numbers != numbers:
            raise ValueError(f"the numbers of storage {key[:40]!r} are not those it names")
        if storage.bytes > size - file.tell():
            raise ValueError("it is cut short")
        runs[key] = file.read(storage.bytes)
    if file.read(1):
        raise ValueError("something follows the numbers")
    if wanted.keys() - runs.keys():
        raise ValueError("some numbers are not there")
    return _tensors(content, read=lambda storage: runs[storage.key], size=size)


def _named(content: Any) -> dict[str, Stored]:
    """Return a dictionary of tensors as what it is; raises `ValueError` for any other value."""
    if not isinstance(content, dict) or not content:
        raise ValueError("it is no dictionary of tensors; save the model's state_dict")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Stored):
            raise ValueError(f"{str(name)[:80]!r} is no tensor; save the model's state_dict alone")
    return content


def _tensors(content: Any, *, read: Callable[[Storage], bytes], size: int) -> dict[str, Tensor]:
    """Copy each tensor out of its storage."""
    named = _named(content)
    if sum(each.bytes for each in named.values()) > _MOST_COPIES * size:
        raise ValueError("its tensors share their numbers so often that they would fill memory")
    runs: dict[str, tuple[Storage, Tensor]] = {}
    tensors = {}
    for name, stored in named.items():
        storage = stored.storage
        if storage.key not in runs:
            data = bytearray(read(storage)[: storage.bytes])
            dtype = _DTYPES[storage.kind]
            run = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
            runs[storage.key] = storage, run
        known, run = runs[storage.key]
        if known != storage:
            raise ValueError(f"storage {storage.key[:40]!r} is of two types or sizes")
        tensors[name] = run.as_strided(stored.size, stored.stride, stored.offset).clone(
            memory_format=torch.contiguous_format
        )
    return tensors
