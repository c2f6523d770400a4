"""Keeps the checkpoints of one run: when they are due, what stands in them, how to go on.

Batches, rates and dropout are functions of the step, so a checkpoint holds weights, the optimiser's
state and a few counters, and a run that goes on from it ends in the same bits.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kbert import checkpoints, console
from kbert.checkpoints import Checkpoint
from kbert.errors import CheckpointError, Stopped
from kbert.nn.checksums import CHECKSUMS
from kbert.stops import Stop, Stops

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """When checkpoints are written, beside the end of a run that is stopped.

    Every so many `steps`, and after so many `minutes`; 0 of either is never. `limit` is the time
    that the training may take, in minutes, from `start` of `time.monotonic` on.
    """

    steps: int = 0
    minutes: float = 0.0
    limit: float | None = None
    start: float = 0.0


class Stoppable(Protocol):
    """Settings that say when checkpoints are written."""

    @property
    def checkpoint_steps(self) -> int:
        """Steps between two of them, or 0."""

    @property
    def checkpoint_minutes(self) -> float:
        """Minutes between two of them, or 0."""

    @property
    def time_limit(self) -> float | None:
        """Minutes after which the training stops."""

    def to_mapping(self) -> dict[str, Any]:
        """List all settings as plain values."""


def keeping_of(settings: Stoppable, *, start: float) -> Keeping:
    """Return what settings say, for a run that began at `start` of `time.monotonic`."""
    return Keeping(
        steps=settings.checkpoint_steps,
        minutes=settings.checkpoint_minutes,
        limit=settings.time_limit,
        start=start,
    )


def about_run(
    settings: Stoppable, fingerprints: Mapping[str, str], versions: Mapping[str, str]
) -> dict[str, Any]:
    """Return what a checkpoint says of its run, whatever the step."""
    return {
        "settings": settings.to_mapping(),
        "fingerprints": dict(fingerprints),
        "versions": dict(versions),
    }


class Keeper:
    """Writes checkpoints into the folder of a run."""

    def __init__(
        self,
        folder: Path,
        *,
        command: str,
        about: Mapping[str, Any],
        keeping: Keeping,
        resumed: Checkpoint | None = None,
        replaced: Sequence[str] = ("config.json", "model.safetensors", CHECKSUMS),
        appended: Sequence[str] = (),
    ) -> None:
        """Bind the folder and what a checkpoint says `about` its run: settings, fingerprints.

        `resumed` is what the run goes on from; `replaced` and `appended` are the files of the
        folder that belong to its state, as in `checkpoints.write`.
        """
        self.folder = folder
        self.command = command
        self.resumed = resumed
        self.stops = Stops(minutes=keeping.limit, start=keeping.start)
        self.last = None if resumed is None else resumed.folder
        self._about = about
        self._keeping = keeping
        self._files = tuple(replaced), tuple(appended)
        self._written = time.monotonic()
        self._begun = keeping.start
        self._before = 0.0 if resumed is None else float(resumed.state["seconds"])

    @property
    def seconds(self) -> float:
        """Seconds that the run took so far, in all the processes that went on with it."""
        return self._before + time.monotonic() - self._begun

    def due_by_steps(self, done: int) -> bool:
        """Say whether a checkpoint is due after so many steps."""
        return bool(self._keeping.steps) and done % self._keeping.steps == 0

    def due_by_time(self) -> bool:
        """Say whether a checkpoint is due by this process's clock."""
        passed = time.monotonic() - self._written
        return bool(self._keeping.minutes) and passed >= 60 * self._keeping.minutes

    def tick(self) -> None:
        """Begin to count minutes anew; every process does so when a checkpoint is written."""
        self._written = time.monotonic()

    def write(
        self, step: int, *, state: Mapping[str, Any], tensors: Mapping[str, Tensor], must: bool
    ) -> None:
        """Write a checkpoint; that it cannot be is said, or with `must` a `CheckpointError`."""
        replaced, appended = self._files
        content = {**self._about, "command": self.command, "seconds": self.seconds, **state}
        try:
            self.last = checkpoints.write(
                self.folder, step=step, state=content, tensors=tensors,
                replaced=replaced, appended=appended,
            )  # fmt: skip
        except CheckpointError as error:
            if must:
                raise
            console.say(f"note: {error}; the training goes on")

    def restore_files(self) -> None:
        """Put the files of the run back to where they were, and remove what came later."""
        if self.resumed is None:
            return
        for name in (*self._files[0], *self._files[1]):
            if name not in self.resumed.files:
                (self.folder / name).unlink(missing_ok=True)
        self.resumed.restore_files(self.folder)

    def stopped(self, stop: Stop, *, done: int, total: int) -> Stopped:
        """Say where the training stopped, why, and how it goes on."""
        return Stopped(
            f"stopped by {stop.reason} after step {done} of {total}; go on with:"
            f" {resume_line(self.command, self.folder)}",
            stop.status,
        )


def resume_line(command: str, folder: Path) -> str:
    """Spell the command that goes on with the run in a folder."""
    here = Path(os.path.relpath(folder))
    short = folder if ".." in here.parts else here
    return f"python -m {command} --resume {shlex.quote(str(short))}"
