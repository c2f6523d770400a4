"""The page of a pre-training, over a folder that its own report and curves wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from kbert.pretraining.curves import Curves
from kbert.pretraining.objectives import Score
from kbert.pretraining.report import PretrainReport, write_run
from kbert.pretraining.settings import PretrainSettings
from kbert.pretraining.watch import Measure
from kbert.run_page import main, write_page
from tests.kbert.run_pages.reading import check_page

HOSTILE = '<script>alert(1)</script> [cat: "dog"] \u202eturned 北京'


def write(folder: Path, *, diverged: str = "", measured: bool = True) -> Path:
    folder.mkdir()
    curves = Curves(folder, tensorboard=False)
    for step in (10, 20, 30):
        row = {"step": step, "phase": 1, "loss": 9.0 / step, "masked_accuracy": step / 100}
        curves.add({**row, "set": "train", "rate": 0.001, "tokens_per_second": 1234.5})
        if measured:
            curves.add({**row, "set": "held out", "loss": 10.0 / step})
    curves.close()
    scores = {"masked": Score(loss=0.3333, accuracy=0.4444, targets=5_555)}
    report = PretrainReport(
        settings=PretrainSettings(corpus=HOSTILE),
        corpus={"path": HOSTILE, "tokens": 77_777, "documents": 9, "held_out": 1},
        knowledge={"graph": {"name": HOSTILE, "triples": 8_888}, "facts": {"facts": 6}},
        parameters=123_456,
        step=30,
        measures=[Measure(30, 0.3333, scores)] if measured else [],
        samples=[f"{HOSTILE} one", "a [cat] sat"] if measured else [],
        tokens=40_000,
        slots=None if diverged else 50_000,
        training_seconds=20.0,
        seconds=25.0,
        diverged=diverged,
    )
    write_run(report, folder)
    return folder


@pytest.mark.usefixtures("capsys")
def test_the_page_has_curves_figures_samples_and_settings(tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    found = check_page(write_page(folder).read_text(encoding="utf-8"))
    for wanted in (
        "padding, share of the token slots20.0%",
        "0.3333", "0.4444", "5,555", "77,777", "8,888", "123,456", "2,000", "a [cat] sat",
        "<script>alert(1)</script>", "held out", "--mask-rate",
    ):  # fmt: skip
        assert wanted in found.text, wanted
    figures = [svg["aria-label"] or "" for svg in found.named("svg")]
    assert len(figures) == 4
    assert "train ends at 0.3; held out ends at 0.3333" in figures[0]
    assert figures[1].startswith("Accuracy of each objective: masked, train ends at 0.3")


def test_a_training_that_ended_early_says_so(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", diverged="the loss is no number", measured=False)
    found = check_page(write_page(folder).read_text(encoding="utf-8"))
    assert "ended early: the loss is no number" in found.text
    assert "padding, share of the token slots–" in found.text  # it was not counted
    assert "No texts were held out" in found.text


def test_curves_that_were_cut_short_are_drawn_as_far_as_they_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "run")
    file = folder / "metrics.csv"
    text = file.read_text(encoding="utf-8")
    file.write_text(text + "40,1,train,x", encoding="utf-8")  # the disk was full
    assert main([str(folder)]) == 0
    file.write_bytes(b"\xff\xfe")
    assert main([str(folder)]) == 2
    assert "metrics.csv: damaged" in capsys.readouterr().err
