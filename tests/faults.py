"""A disk that fails at one call: the n-th write, sync or rename, and all else as ever."""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
import safetensors.torch
from safetensors import SafetensorError

Kind = Literal["write", "sync", "rename"]
KINDS: tuple[Kind, ...] = ("write", "sync", "rename")


class Fault:
    """Counts the calls of one kind, and lets the one of `number` (from 1) fail; 0 is none."""

    def __init__(self, kind: Kind, number: int, code: int) -> None:
        self.kind = kind
        self.number = number
        self.code = code
        self.calls = 0

    def __call__(self, kind: Kind) -> bool:
        """Count a call, and say whether it fails."""
        self.calls += kind == self.kind
        return kind == self.kind and self.calls == self.number

    def error(self) -> OSError:
        return OSError(self.code, os.strerror(self.code))


class FaultyFile(io.FileIO):
    """A file of which one write puts half of the bytes on the disk, and fails."""

    fault: Fault

    def write(self, data: Any) -> int:
        if self.fault("write"):
            super().write(memoryview(data)[: len(data) // 2])
            raise self.fault.error()
        return super().write(data)


@contextmanager
def faulty_disk(kind: Kind, number: int, *, code: int = errno.ENOSPC) -> Iterator[Fault]:
    """Let a call fail; yield what counts them."""
    fault = Fault(kind, number, code)
    with pytest.MonkeyPatch.context() as patch:
        for place in (builtins, io):
            patch.setattr(place, "open", _opening(fault))
        for name in ("fsync", "fdatasync"):
            patch.setattr(os, name, _failing(fault, "sync", lambda handle: None))
        for name in ("rename", "replace"):
            patch.setattr(os, name, _failing(fault, "rename", getattr(os, name)))
        patch.setattr(os, "write", _writing(fault, os.write))
        for name in ("posix_fallocate", "sendfile"):
            patch.setattr(os, name, _failing(fault, "write", getattr(os, name)))
        patch.setattr(safetensors.torch, "save_file", _saving(fault, safetensors.torch.save_file))
        yield fault


def _failing(fault: Fault, kind: Kind, whole: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        if fault(kind):
            raise fault.error()
        return whole(*arguments, **options)

    return call


def _writing(fault: Fault, whole: Callable[..., int]) -> Callable[..., int]:
    def write(handle: int, data: Any) -> int:
        if handle > 2 and fault("write"):
            whole(handle, memoryview(data)[: len(data) // 2])
            raise fault.error()
        return whole(handle, data)

    return write


def _saving(fault: Fault, whole: Callable[..., Any]) -> Callable[..., Any]:
    """Fail as the library does, whose writes Python does not see."""

    def save(tensors: Any, file: Any, **options: Any) -> Any:
        if fault("write"):
            Path(file).touch()
            what = f'Os {{ code: {fault.code}, kind: Other, message: "" }}'
            raise SafetensorError(f"Error while serializing: IoError({what})")
        return whole(tensors, file, **options)

    return save


def _opening(fault: Fault) -> Callable[..., Any]:
    """Return an `open` whose files, if they are written to, belong to the disk that fails."""
    whole = builtins.open

    def opened(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **options: Any) -> Any:
        if isinstance(file, int) or not set(mode) & set("wax+"):
            return whole(file, mode, buffering, *rest, **options)
        raw = FaultyFile(file, mode.replace("b", "").replace("t", ""))
        raw.fault = fault
        buffered: Any = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *rest, **options)

    return opened


def every_call(work: Callable[[], object], kind: Kind) -> range:
    """Count the calls of a kind that `work` makes when none fails; return their numbers."""
    with faulty_disk(kind, 0) as fault:
        work()
    assert fault.calls
    return range(1, fault.calls + 1)
