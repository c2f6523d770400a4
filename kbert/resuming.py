"""Which unfinished run to go on with, and whether it is the run that was asked for.

A run is written to `NAME.partial-MARK` beside its place (`kbert.run`); what is there with a
checkpoint can be gone on with, if settings, graph and data are those that it began with. Settings
that do not change what comes out may differ.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeAlias, TypeVar

from kbert import checkpoints, console
from kbert.checkpoints import Checkpoint
from kbert.errors import CheckpointError, Diverged, RunError, Stopped
from kbert.keeper import resume_line
from kbert.locks import is_going_on
from kbert.recipes import read_recipe
from kbert.run import PARTIAL, unfinished
from kbert.settings import flag

Resume: TypeAlias = Path | Literal["auto"] | None
FREE: Final = frozenset(
    ("workers", "output", "overwrite", "time_limit", "checkpoint_steps", "checkpoint_minutes")
)


class Listed(Protocol):
    """Settings as plain values."""

    def to_mapping(self) -> dict[str, Any]:
        """List every setting."""


Settings = TypeVar("Settings")


def going_on(resume: Resume, *, settings: Listed, output: Path, command: str) -> Path | None:
    """Return the unfinished run to go on with; None where a new one begins.

    `auto` takes the run of this output that came furthest, if one has equal settings. Raises
    `RunError` for a folder that cannot be gone on with, or only with other settings.
    """
    if resume is None:
        return None
    if not console.speaks():  # the first process has chosen
        shared = Path(os.environ.get(PARTIAL, os.devnull))
        return shared if checkpoints.has_checkpoint(shared) else None
    if resume != "auto":
        _open(resume, command=command, settings=settings)
        return resume
    found = []
    for folder in unfinished(output):
        if checkpoints.has_checkpoint(folder) and not is_going_on(folder):
            try:
                found.append((_open(folder, command=command, settings=settings).step, folder))
            except (RunError, CheckpointError) as error:
                console.say(f"note: {error}")
    if not found:
        console.say(f"note: there is no run of {output} to go on with; a new one begins")
        return None
    return max(found)[1]


def settings_of(
    folder: Path,
    *,
    command: str,
    config: str | None,
    flags: Mapping[str, Any],
    read: Callable[[None, Mapping[str, Any]], Settings],
) -> Settings:
    """Return the settings of an unfinished run, and those that were given; they may contradict.

    Raises `RunError`, `CheckpointError`, `SettingsError`.
    """
    stored = dict(_open(folder, command=command, settings=None).state["settings"])
    place = _place(folder)
    if place is not None and _resolved(stored["output"]) != place:
        stored["output"] = str(place)
    recipe = {} if config is None else read_recipe(config, known=sorted(stored)).values
    return read(None, {**stored, **recipe, **flags})


def read(folder: Path | None, *, fingerprints: Mapping[str, str], versions: Mapping[str, str]
) -> Checkpoint | None:  # fmt: skip
    """Read the checkpoint to go on from, None for no folder, and say where it stands.

    Raises `RunError` where what was read now is not what the run began with.
    """
    if folder is None:
        return None
    found = checkpoints.newest(folder)
    if found is None:
        raise RunError(f"{folder}: has no checkpoint any more; begin anew")
    known = found.state["fingerprints"]
    other = [name for name, mark in fingerprints.items() if known.get(name) != mark]
    if other:
        raise RunError(
            f"{folder}: cannot be gone on with: {' and '.join(other)} changed since it began; put"
            " back what it began with, or begin anew"
        )
    before = found.state["versions"]
    changed = [f"{k} {v}, was {before.get(k)}" for k, v in versions.items() if before.get(k) != v]
    if changed:
        console.say(f"note: other versions may give other digits: {'; '.join(changed)}")
    console.say(f"going on from step {found.step} of {found.state['total']}")
    return found


def note_unfinished(output: Path, *, going: Path | None) -> None:
    """Say of each unfinished run of an output how to go on with it."""
    for folder in unfinished(output):
        if going is not None and folder.resolve() == going.resolve():
            continue
        if checkpoints.has_checkpoint(folder) and not is_going_on(folder):
            console.say(f"note: {folder} was stopped; go on: {_line(folder)}")
        else:
            console.say(f"note: {folder} is of a run that is going on, or was killed")


def _line(folder: Path) -> str:
    try:
        found = checkpoints.newest(folder)
        return resume_line(found.state["command"], folder) if found else "begin anew"
    except CheckpointError as error:
        return f"begin anew, for {error}"


def _open(folder: Path, *, command: str, settings: Listed | None) -> Checkpoint:
    """Read a checkpoint of a command, with equal settings if some are given."""
    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder to go on with")
    found = checkpoints.newest(folder)
    if found is None:
        raise RunError(f"{folder}: holds no checkpoint, so there is nothing to go on from")
    if found.state["command"] != command:
        raise RunError(f"{folder}: is a run of {found.state['command']}, not of {command}")
    if settings is not None:
        wrong = differences(found.state["settings"], settings.to_mapping())
        if wrong:
            raise RunError(
                f"{folder}: cannot be gone on with under other settings: {'; '.join(wrong)}"
            )
    return found


@contextmanager
def kept(folder: Path, *, command: str) -> Iterator[None]:
    """Say how to go on with what a run leaves that fails, or is ended at once."""
    try:
        yield
    except (Stopped, Diverged):  # which say it themselves
        raise
    except BaseException:
        if console.speaks() and checkpoints.has_checkpoint(folder):
            console.say(f"note: what was done is kept; go on with: {resume_line(command, folder)}")
        raise


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Sequence[str]:
    """List the settings that differ, of those that change what comes out."""
    return [
        f"{flag(name)} {now[name]} (began with {before.get(name)})"
        for name in now
        if name not in FREE and now[name] != before.get(name)
    ]


def _place(folder: Path) -> Path | None:
    """Return where a run that is written to `folder` was to come."""
    path = folder.resolve()
    name, found, _ = path.name.rpartition(".partial-")
    return path.with_name(name) if found and name else None


def _resolved(output: str | None) -> Path | None:
    return None if output is None else Path(output).resolve()
