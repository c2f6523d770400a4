"""A training that is killed and gone on with until it is done, and whether anything was lost."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

from benchmarks.kill_children import BEGINS, PLACED, PLACES, WRITTEN, Life, Moment, live
from benchmarks.kill_tasks import Training
from kbert import checkpoints
from kbert.errors import CheckpointError, KbertError
from kbert.nn.checksums import CHECKSUMS, check
from kbert.run import unfinished

MOST: Final = 8  # kills of one run
_SLACK: Final = 1.2  # moments are drawn from this much of what a thing took when it was not killed


@dataclass
class Cell:
    """One training with its output in one place; `times` are those of a run without kills."""

    training: Training
    data: Path
    place: Path
    temporary: Path
    counts: Counter[str] = field(default_factory=Counter)
    times: dict[str, float] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    first: str = ""  # what went wrong first

    @property
    def output(self) -> Path:
        """Where the finished run comes to stand."""
        return self.place / "run"

    def work(self) -> int:
        """Train, or go on with what is there; return the exit status."""
        flags = self.training.flags(self.data)
        return self.training.main([*flags, "--output", str(self.output), "--resume", "auto"])

    def live(self, moment: Moment) -> Life:
        """Do so in a process of its own."""
        return live(self.work, temporary=self.temporary, moment=moment)

    def wrong(self, what: str, detail: str) -> None:
        """Count what must not be, and keep the first of it."""
        self.counts[what] += 1
        self.first = self.first or f"{what}: {detail}"[:500]


def measure(cell: Cell) -> None:
    """Train without kills: what comes out, and how long it takes. Raises `RuntimeError`."""
    life = cell.live(Moment("never"))
    if life.status:
        raise RuntimeError(f"{cell.training.name} ends with {life.status}: {life.said[-2000:]}")
    cell.files = _files(cell.output)
    cell.times = {
        "life": life.seconds,
        "write": median(_spans(life, BEGINS, WRITTEN)),
        "placing": median(_spans(life, PLACES, PLACED)),
    }
    shutil.rmtree(cell.output)


def _spans(life: Life, before: str, after: str) -> list[float]:
    starts = [event.time for event in life.events if event.name == before]
    ends = [event.time for event in life.events if event.name == after]
    return [end - start for start, end in zip(starts, ends, strict=True)]


def _files(folder: Path) -> dict[str, bytes]:
    """Read the weights, and the list of all files that are checked, of which each must be right."""
    for file in folder.iterdir():
        if file.is_file():
            check(file)
    return {name: (folder / name).read_bytes() for name in ("model.safetensors", CHECKSUMS)}


def drawn_moment(cell: Cell, draw: Random) -> Moment:
    """Draw when to kill."""
    chance = draw.random()
    if chance < 1 / 3:
        return Moment("anywhere", delay=draw.uniform(0, _SLACK * cell.times["life"]))
    if chance < 5 / 6:
        delay = draw.uniform(0, _SLACK * cell.times["write"])
        return Moment("write", after=draw.randint(1, 4), delay=delay)
    return Moment("placing", delay=draw.uniform(0, _SLACK * cell.times["placing"]))


def one_run(cell: Cell, draw: Random, *, kills: int) -> int:
    """Train a run, killed up to so many times; return how often it was."""
    known = killed = 0
    while not cell.output.exists():
        life = cell.live(drawn_moment(cell, draw) if killed < kills else Moment("never"))
        cell.counts["resumed"] += "\ngoing on from step " in "\n" + life.said
        if life.killed:
            killed += 1
            known = max(known, life.written)
            _count_kill(cell, life)
            check_checkpoints(cell, known)
        elif life.status or not cell.output.exists():
            cell.wrong("failed", f"status {life.status}: {life.said[-400:]}")
            break
    else:
        _check_end(cell)
    for left in cell.place.iterdir():
        shutil.rmtree(left)
    return killed


def _count_kill(cell: Cell, life: Life) -> None:
    cell.counts["kills"] += 1
    cell.counts["in_a_write"] += life.last == BEGINS
    cell.counts["in_placing"] += life.last == PLACES
    cell.counts["before_any_write"] += not life.events


def check_checkpoints(cell: Cell, known: int) -> None:
    """Read what a killed run left, as who goes on with it will."""
    if cell.output.exists():  # it was done, and is compared
        return
    steps = [0]
    for run in unfinished(cell.output):
        for number, folder in enumerate(checkpoints._folders(run)):
            try:
                steps.append(checkpoints.read(folder).step)
            except CheckpointError as error:
                if number < 2:
                    cell.wrong("corrupt", str(error))
                else:  # killed as it was removed, after two newer ones
                    cell.counts["half_removed"] += 1
    if max(steps) < known:
        cell.wrong("missing", f"step {known} was written, and {max(steps)} is the newest")


def _check_end(cell: Cell) -> None:
    cell.counts["runs"] += 1
    cell.counts["left_checkpoints"] += any(cell.output.glob("checkpoint-*"))
    try:
        found = _files(cell.output)
    except (KbertError, OSError) as error:
        cell.wrong("different", str(error))
        return
    for name, content in cell.files.items():
        if found[name] != content:
            cell.wrong("different", name)
            return
