"""Flips are counted by what came of them, and the folder is as it was afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from benchmarks.bit_flip_folders import SETS, FileSet
from benchmarks.bit_flips import flip_all, main
from kbert.errors import RunError


def test_some_flips_of_every_folder_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--flips", "80", "--seed", "3", "--results", str(tmp_path)]) == 0
    content = json.loads((tmp_path / "bit_flips.json").read_bytes())
    assert content["not_refused"] == 0 and content["files"].keys() == SETS.keys()
    counts = [
        file.get("refused", 0) for files in content["files"].values() for file in files.values()
    ]
    assert sum(counts) == 80
    assert "80 flips, 0 not refused" in capsys.readouterr().out
    assert "--results" not in content["environment"]["command"]


def test_what_is_not_refused_is_told_apart(tmp_path: Path) -> None:
    """A reader that believes, one that crashes, one that does not say where."""
    good = b"\0\0\0\0"

    def make(folder: Path) -> None:
        for name in ("believed", "crash", "refused", "unclear"):
            (folder / name).write_bytes(good)

    def read(folder: Path) -> None:
        wrong = [path.name for path in folder.iterdir() if path.read_bytes() != good]
        if wrong == ["crash"]:
            raise IndexError
        if wrong == ["refused"]:
            raise RunError(f"{folder}: damaged")
        if wrong == ["unclear"]:
            raise RunError("damaged")

    make(tmp_path)
    about = FileSet(make, lambda folder: sorted(folder.iterdir()), read)
    tallies = flip_all(tmp_path, about, flips=40, generator=Random(0))
    assert {name: dict(tally.counts) for name, tally in tallies.items()} == {
        name: {name: 10} for name in ("believed", "crash", "refused", "unclear")
    }
    assert tallies["crash"].first.endswith("crash IndexError:")
    assert all((tmp_path / name).read_bytes() == good for name in tallies)
