"""A run that was stopped anywhere, and stopped again anywhere, against the one that never was."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kbert import checkpoints

Train = Callable[[Path, bool], object]  # into a folder; whether to go on with what is there
TIMES = {"seconds", "carried_seconds", "training_seconds", "tokens_per_second"}


def timeless(value: Any) -> Any:
    """Leave out what clocks decide."""
    if isinstance(value, dict):
        return {key: timeless(each) for key, each in value.items() if key not in TIMES}
    if isinstance(value, list):
        return [timeless(each) for each in value]
    return value


def contents(folder: Path) -> dict[str, Any]:
    """Read every file of a folder, but for what clocks decide, and checkpoints below it."""
    found: dict[str, Any] = {}
    for file in sorted(folder.iterdir()):
        if file.is_dir() or file.name in ("seal", "report.html"):  # whose page tells times
            continue
        if file.name == "state.json":
            found[file.name] = timeless(json.loads(file.read_bytes())["state"])
        elif file.suffix == ".json":
            found[file.name] = timeless(json.loads(file.read_bytes()))
        elif file.suffix == ".csv":
            rows = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
            found[file.name] = [timeless(row) for row in rows]
        else:
            found[file.name] = file.read_bytes()
    return found


def whole_run(train: Train, folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Train without a stop, and leave a checkpoint of every step."""
    patch.setattr(checkpoints, "_KEPT", 1000)
    patch.setattr("os.fsync", lambda handle: None)  # whose speed is not the question
    run = folder / "whole"
    run.mkdir()
    train(run, False)
    return run


def gone_on(train: Train, whole: Path, folder: Path, *, stop: int) -> Path:
    """Go on from the checkpoint of a step, with nothing else there."""
    run = folder / f"from-{stop}"
    run.mkdir()
    shutil.copytree(whole / f"checkpoint-{stop}", run / f"checkpoint-{stop}")
    train(run, True)
    return run


def everything(run: Path) -> dict[str, Any]:
    """Read a run and all of its checkpoints."""
    folders = sorted(path for path in run.iterdir() if path.name.startswith("checkpoint-"))
    return {"": contents(run), **{folder.name: contents(folder) for folder in folders}}


def check_every_stop(train: Train, folder: Path, patch: pytest.MonkeyPatch, *, total: int) -> int:
    """Stop after each step, and after each later one again; return how many pairs that makes.

    The checkpoint of step j of a run that went on from step i is what a second stop at j leaves.
    Since it is, bit for bit, that of the run without stops, so is all that follows from it.
    """
    whole, pairs = whole_run(train, folder, patch), 0
    names = [f"checkpoint-{step}" for step in range(1, total + 1)]
    assert sorted(path.name for path in whole.glob("checkpoint-*")) == sorted(names)
    final, expected = contents(whole), {name: contents(whole / name) for name in names}
    assert any(expected[a] != expected[b] for a, b in pairwise(names))
    for stop in range(1, total):
        run = gone_on(train, whole, folder, stop=stop)
        assert contents(run) == final, f"the end, from {stop}"
        for name in names[stop:]:
            assert contents(run / name) == expected[name], f"{name}, from {stop}"
            pairs += 1
        shutil.rmtree(run)
    return pairs
