"""Whichever call of the disk fails as triples are scored or ranked, the work can be gone on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kgbert import evaluate, link_evaluation, score, score_shards
from tests.faults import KINDS, Kind, every_call, faulty_disk
from tests.kgbert.small_runs import write_data, write_run
from tests.resuming import contents


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    write_run(folder / "run", write_data(folder / "data"), max_length=16)
    return folder / "run"


def fails(main: Callable[[list[str]], int], flags: list[str], kind: Kind, number: int) -> bool:
    with faulty_disk(kind, number):
        return main(flags) == 2


def only_line(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    return line


def figures(folder: Path) -> dict[str, Any]:
    """Read all files but the page: it says how long the work took, and figures stand without it."""
    found = contents(folder)
    found.pop("report.html", None)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_scoring(
    run: Path, tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(score_shards, "BLOCK", 6)
    place, file = tmp_path / "place", run.parent / "data" / "test.tsv"
    place.mkdir()
    out = place / "out.tsv"
    flags = [str(run), str(file), "--output-file", str(out), "--overwrite"]
    calls = every_call(lambda: score.main(flags), kind)
    expected = out.read_bytes()
    for number in calls:
        out.write_text("old", encoding="utf-8")
        capsys.readouterr()
        if fails(score.main, flags, kind, number):
            assert "No space left on device" in (line := only_line(capsys)) and "are free" in line
            assert out.read_text(encoding="utf-8") == "old"
            assert score.main(flags) == 0  # goes on with the blocks that are there
        assert out.read_bytes() == expected
        assert list(place.iterdir()) == [out]


@pytest.mark.parametrize("kind", KINDS)
def test_ranking(
    run: Path, tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(link_evaluation, "block_queries", lambda engine, entities: 12)
    out = tmp_path / "figures"
    flags = [str(run), "--output", str(out)]
    calls = every_call(lambda: evaluate.main(flags), kind)
    expected = figures(out)
    for number in calls:
        shutil.rmtree(out)
        capsys.readouterr()
        if fails(evaluate.main, flags, kind, number):
            line = only_line(capsys)
            assert "No space left on device" in line and "are free" in line
            assert evaluate.main([*flags, "--resume"]) == 0
        assert figures(out) == expected
