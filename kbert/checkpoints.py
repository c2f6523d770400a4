"""Checkpoints of a training: folders that appear whole, are checked when read, and replace older.

    checkpoint-STEP/      in the folder that the run is being written to
        state.json        counters, figures, settings, fingerprints; size and checksum of each file
        tensors.safetensors   weights and the optimiser's state
        …                 files of the run that belong to the state, such as the best weights
        seal              checksum of state.json

A folder is written beside its place, synced, renamed, and read back; only then older ones go, but
for the one before it, so that damage to the newest costs some steps and not the run. Checksums are
XXH3, which tell damage, not malice. Nothing here needs torch until tensors are asked for.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from graphs.compiled.folder import checksum, checksum_of
from graphs.compiled.sealing import sync
from graphs.disk import reason
from kbert import console
from kbert.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

FORMAT: Final = 1
_KEPT: Final = 2  # checkpoints that stay
_NAME: Final = re.compile(r"checkpoint-(\d{1,12})", re.ASCII)
_SHOWN: Final = 200  # characters of an error
_HALF: Final = ".checkpoint-"
_STATE, _TENSORS, _SEAL = "state.json", "tensors.safetensors", "seal"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that was read and is what was written; `files` are those of the run."""

    folder: Path
    step: int
    state: Mapping[str, Any]
    files: tuple[str, ...]

    def tensors(self) -> dict[str, Tensor]:
        """Read weights and the optimiser's state."""
        from safetensors.torch import load_file

        found: dict[str, Tensor] = load_file(self.folder / _TENSORS)
        return found

    def restore_files(self, run: Path) -> None:
        """Put the files of the run back; what was appended to them later is gone."""
        for name in self.files:
            _copy(self.folder / name, run / f".{name}.back")
            (run / f".{name}.back").replace(run / name)


def write(
    run: Path,
    *,
    step: int,
    state: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    replaced: Sequence[str] = (),
    appended: Sequence[str] = (),
) -> Path:
    """Write the checkpoint of a step into the folder of a run, and let older ones go.

    Files of the run that are there are taken in: those that are `replaced` as wholes by a link
    where the file system has them, those that are `appended` to by a copy.

    Raises `CheckpointError` where it cannot be written or does not read back as it was; older
    checkpoints then are as they were.
    """
    target, half = run / f"checkpoint-{step}", run / f"{_HALF}{step}.{os.getpid()}"
    try:
        _clear(run, _HALF)
        half.mkdir()
        _fill(half, {**state, "step": step}, tensors, _taken(run, half, replaced, appended))
        if target.exists():
            shutil.rmtree(target)
        half.rename(target)
        sync(run)
    except OSError as error:
        shutil.rmtree(half, ignore_errors=True)
        needed = sum(tensor.nbytes for tensor in tensors.values())
        why = reason(error, at=run, needed=needed)
        raise CheckpointError(f"{target}: cannot be written: {why}") from None
    try:
        read(target)
    except CheckpointError:
        shutil.rmtree(target, ignore_errors=True)
        raise
    _let_go(run, step)
    return target


def read(folder: Path) -> Checkpoint:
    """Read a checkpoint and compare all of it with its checksums. Raises `CheckpointError`."""
    try:
        text = (folder / _STATE).read_bytes()
        if (folder / _SEAL).read_bytes() != _seal_of(text):
            raise CheckpointError(f"{folder / _STATE}: damaged: its checksum is wrong")
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise CheckpointError(
                f"{folder}: format {content['format']} is not the format {FORMAT} of this version"
            )
        for name, about in content["files"].items():
            file = folder / name
            if name in ("", "..") or Path(name).name != name:
                raise CheckpointError(f"{folder}: damaged: {name!r} is no name of a file in it")
            if file.stat().st_size != about["bytes"] or checksum(file) != about["xxh3"]:
                raise CheckpointError(f"{file}: damaged: its size or checksum is wrong")
        names = tuple(name for name in content["files"] if name != _TENSORS)
        return Checkpoint(folder, content["state"]["step"], content["state"], names)
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{folder}: damaged: {error}") from None


def newest(run: Path) -> Checkpoint | None:
    """Read the newest checkpoint of a run that is not damaged; None where there is none at all.

    That a newer one is damaged is said. Raises `CheckpointError` where all of them are.
    """
    damage: list[CheckpointError] = []
    for folder in _folders(run):
        try:
            found = read(folder)
        except CheckpointError as error:
            damage.append(error)
            continue
        for each in damage:
            console.say(f"note: {each}; going on from step {found.step} instead")
        return found
    if damage:
        raise CheckpointError(f"{damage[0]}; no other checkpoint is there, so begin anew")
    return None


def has_checkpoint(run: Path) -> bool:
    """Say whether a folder holds a checkpoint, damaged or not."""
    return next(_folders(run), None) is not None


def clear(run: Path) -> None:
    """Remove all checkpoints of a run that is done."""
    _clear(run, _HALF)
    for folder in _folders(run):
        shutil.rmtree(folder, ignore_errors=True)


def _folders(run: Path) -> Iterator[Path]:
    """Yield the checkpoints of a run, the newest first."""
    try:
        names = [match for file in run.iterdir() if (match := _NAME.fullmatch(file.name))]
    except OSError:
        return
    for match in sorted(names, key=lambda match: -int(match[1])):
        yield run / match[0]


def _let_go(run: Path, step: int) -> None:
    """Remove checkpoints older than the two that stay, and later ones: those were damaged.

    Who went on from an earlier one has not used them, and they must not count as kept.
    """
    known = [(int(folder.name.rpartition("-")[2]), folder) for folder in _folders(run)]
    keep = [folder for number, folder in known if number <= step][:_KEPT]
    for _, folder in known:
        if folder not in keep:
            shutil.rmtree(folder, ignore_errors=True)


def _clear(run: Path, start: str) -> None:
    for left in run.glob(f"{start}*"):
        shutil.rmtree(left, ignore_errors=True)


def _taken(run: Path, half: Path, replaced: Sequence[str], appended: Sequence[str]) -> list[str]:
    """Take files of the run in; return the names of those that are there."""
    for names, take in ((replaced, _link), (appended, _copy)):
        for name in names:
            if (run / name).is_file():
                take(run / name, half / name)
    return [name for name in (*replaced, *appended) if (half / name).is_file()]


def _fill(
    half: Path, state: Mapping[str, Any], tensors: Mapping[str, Tensor], taken: Sequence[str]
) -> None:
    _save(half / _TENSORS, tensors)
    sync(half / _TENSORS)
    files = {
        name: {"bytes": (half / name).stat().st_size, "xxh3": checksum(half / name)}
        for name in (_TENSORS, *taken)
    }
    content = {"format": FORMAT, "state": state, "files": files}
    text = json.dumps(content, ensure_ascii=False, indent=1).encode()
    _write(half / _STATE, text)
    _write(half / _SEAL, _seal_of(text))
    sync(half)


def _save(file: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors. Raises `OSError`, also where the library has an error of its own for it."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file(dict(tensors), file)
    except SafetensorError as error:  # its text names the system's error by number
        found = re.search(r"\(os error (\d+)\)|code: (\d+)", str(error))
        if found is None:
            raise OSError(errno.EIO, str(error)[:_SHOWN]) from None
        code = int(found[1] or found[2])
        raise OSError(code, os.strerror(code), str(file)) from None


def _seal_of(text: bytes) -> bytes:
    """Return what `seal` holds; it is compared as it is, so no bit of it can change."""
    return f"{checksum_of(text)}\n".encode()


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # no links on this file system
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    sync(target)


def _write(file: Path, content: bytes) -> None:
    with file.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
