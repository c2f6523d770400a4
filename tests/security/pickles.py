"""Pickles that do harm when they are opened, and archives around them; made when tests run."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import zipfile
from collections.abc import Callable
from typing import Any

import torch

from kbert.nn.legacy import _MAGIC

Hostile = Callable[[str], bytes]


class _Reduced:
    """Call a function with arguments when it is unpickled."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> Any:
        return self._call


class _Built(_Reduced):
    """The same, after an object was built whose state is set."""

    def __reduce__(self) -> Any:
        return dict, (), {"x": _Reduced(*self._call)}  # the state holds the call


def touch(song: str) -> str:
    return f"touch {song}"


def system(song: str) -> bytes:
    return pickle.dumps(_Reduced(os.system, touch(song)), protocol=2)


def nested(song: str) -> bytes:
    """Harm behind an innocent dictionary of tensors."""
    return pickle.dumps({"a": 1, "b": [(_Reduced(os.system, touch(song)),)]}, protocol=2)


def popen(song: str) -> bytes:
    return pickle.dumps(_Reduced(subprocess.Popen, ["touch", song]), protocol=2)


def evaluated(song: str) -> bytes:
    return pickle.dumps(_Reduced(eval, f"open({song!r}, 'w')"), protocol=2)


def executed(song: str) -> bytes:
    return pickle.dumps(_Reduced(exec, f"open({song!r}, 'w')"), protocol=2)


def opened(song: str) -> bytes:
    return pickle.dumps(_Reduced(open, song, "w"), protocol=2)


def built(song: str) -> bytes:
    return pickle.dumps(_Built(os.system, touch(song)), protocol=2)


def imported(_: str) -> bytes:
    """Naming a function imports its module, even if it is never called."""
    return b"\x80\x02ccanary_module\nsing\n."


def imported_by_names(_: str) -> bytes:
    """Protocol 4 takes module and name from the stack."""
    return b"\x80\x04\x8c\x0dcanary_module\x8c\x04sing\x93."


def instance(song: str) -> bytes:
    """The opcodes of protocol 0 that make an instance."""
    return f"(S'touch {song}'\nios\nsystem\n.".encode()


def object_(song: str) -> bytes:
    return b"(cos\nsystem\n" + f"S'touch {song}'\no.".encode()


def new_object(_: str) -> bytes:
    return b"\x80\x02ccanary_module\nsing\n)\x81."


def by_import(song: str) -> bytes:
    """A function that fetches functions."""
    return b"\x80\x02cbuiltins\ngetattr\ncos\nsystem\nX\x04\x00\x00\x00name\x86R."


def torch_load(song: str) -> bytes:
    return pickle.dumps(_Reduced(torch.load, song), protocol=2)


def extension(_: str) -> bytes:
    """The registry of extensions names functions by number."""
    return b"\x80\x02\x82\x01)R."


def deep(_: str) -> bytes:
    """A tuple in a tuple …, as a key: hashing it recurses past the end of the stack."""
    return b"\x80\x02}" + b")" + b"\x85" * 200_000 + b"K\x01s."


def deep_list(_: str) -> bytes:
    return b"\x80\x02" + b"](" * 100_000 + b"."


def without_end(_: str) -> bytes:
    return b"\x80\x02}q\x00"


def empty_stack(_: str) -> bytes:
    return b"\x80\x02R."


def long_string(_: str) -> bytes:
    """A string of 4 GiB is announced, and is not there."""
    return b"\x80\x02X" + struct.pack("<I", 0xFFFFFFFF) + b"x."


def long_number(_: str) -> bytes:
    return b"\x80\x02\x8b" + struct.pack("<i", -5) + b"."


def memory_bomb(_: str) -> bytes:
    """Lists of the same lists, over and over: small here, immense where they are written out."""
    layers = b"".join(b"(" + b"h\x00" * 10 + b"lq\x00" for _ in range(30))
    return b"\x80\x02]q\x00" + layers + b"."


PROGRAMS: dict[str, Hostile] = {
    function.__name__: function
    for function in (
        system, nested, popen, evaluated, executed, opened, built, imported, imported_by_names,
        instance, object_, new_object, by_import, torch_load, extension, deep, deep_list,
        without_end, empty_stack, long_string, long_number, memory_bomb,
    )
}  # fmt: skip


def old(program: bytes) -> bytes:
    """Put a pickle where the old format has its tensors."""
    parts = (_MAGIC, 1001, {"little_endian": True})
    return b"".join(pickle.dumps(part, protocol=2) for part in parts) + program


def archive(
    members: dict[str, bytes], *, compression: int = zipfile.ZIP_STORED, twice: str = ""
) -> bytes:
    """Write a zip archive with any names of members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data)
        if twice:
            file.writestr(twice, b"again")
    return stream.getvalue()


def tensors(**extra: Any) -> bytes:
    """Write a sound file of the new format, for what is then changed in it."""
    stream = io.BytesIO()
    torch.save({"a": torch.arange(6.0).reshape(2, 3), **extra}, stream)
    return stream.getvalue()


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def program_of(
    size: int, *, shape: tuple[int, ...], stride: tuple[int, ...], count: int = 1
) -> bytes:
    """Write a pickle of tensors in a storage of so many numbers."""
    text = [b"\x80\x02}("]
    for number in range(count):
        name = f"t{number}".encode()
        text += [b"X", struct.pack("<I", len(name)), name]
        text += [b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage"]
        text += [b"ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"]
        text += [pickle.dumps(size, protocol=2)[2:-1], b"tQK\x00"]
        text += [_numbers(shape), _numbers(stride), b"\x89}tR"]
    return b"".join([*text, b"u."])


def _numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(pickle.dumps(value, protocol=2)[2:-1] for value in values) + b"t"


def new(program: bytes, *, storage: bytes = bytes(24)) -> bytes:
    """Put a pickle into an archive of the new format."""
    return archive(
        {"archive/data.pkl": program, "archive/data/0": storage, "archive/version": b"3"}
    )
