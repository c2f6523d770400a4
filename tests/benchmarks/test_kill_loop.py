"""The kill loop kills, goes on, and tells a run that lost something from one that did not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.kill_cells import Cell, check_checkpoints
from benchmarks.kill_children import Event, Life, Moment
from benchmarks.kill_loop import WRONG
from benchmarks.kill_tasks import Training
from kbert import checkpoints

REPOSITORY = Path(__file__).resolve().parents[2]


def test_runs_survive_some_kills(tmp_path: Path) -> None:
    """In a process of its own, since it forks, and the one of the tests has threads."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    folders = ["--folders", str(tmp_path / "one"), str(tmp_path / "two")]
    command = [sys.executable, "-m", "benchmarks.kill_loop", "--kills", "2", "--seed", "2"]
    command += ["--only", "kbert.train", *folders, "--results", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "kill_loop.json").read_bytes())
    assert content["kills"] == 2 and not any(content[name] for name in WRONG)
    (run,) = content["campaigns"]
    assert len(run["cells"]) == 2 and sum(cell["kills"] for cell in run["cells"]) == 2
    assert sum(cell["runs"] for cell in run["cells"]) >= 1
    assert list((tmp_path / "one").iterdir()) == list((tmp_path / "two").iterdir()) == []


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    place = tmp_path / "place"
    place.mkdir()
    return Cell(Training("none", lambda _: 0, lambda _: []), tmp_path, place, tmp_path)


Harm = Callable[[Path], object]


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (lambda run: None, {}),
        (lambda run: (run / "checkpoint-3" / "seal").write_text("no"), {"corrupt": 1}),
        (lambda run: shutil.rmtree(run / "checkpoint-3"), {"missing": 1}),
        (lambda run: (run / "checkpoint-1").mkdir(), {"half_removed": 1}),
    ],
)
def test_what_is_lost_is_noticed(cell: Cell, harm: Harm, found: dict[str, int]) -> None:
    run = cell.place / "run.partial-1-0"
    run.mkdir()
    for step in (2, 3):
        checkpoints.write(run, step=step, state={}, tensors={})
    harm(run)
    check_checkpoints(cell, 3)
    counts = dict(cell.counts)
    if "corrupt" in found:  # so the newest one that is whole is older than what was written
        assert counts.pop("missing") == 1
    assert counts == found


def test_moments_count_what_was_told() -> None:
    begun = [Event("begins", 1, 0.0), Event("written", 1, 0.1), Event("begins", 2, 0.2)]
    assert not Moment("write", after=2).counts_from(begun[:2])
    assert Moment("write", after=2).counts_from(begun)
    assert not Moment("placing").counts_from(begun)
    life = Life(begun, killed=True, status=-9, said="", seconds=1.0)
    assert life.written == 1 and life.last == "begins"
