"""When a training says when it will end."""

from __future__ import annotations

import importlib
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from kbert import eta
from kbert.eta import Eta

SMALL = (
    *("--layers", "1", "--width", "8", "--heads", "2", "--feed-forward", "8"),
    *("--accelerator", "cpu"),
)

START = datetime(2026, 5, 1, 14, 0)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


def told(*, total: int, pace: float, steps: int, begin: int = 1) -> list[str]:
    """Take steps of `pace` seconds, from number `begin` on."""
    clock, lines = Clock(), list[str]()
    measured = Eta(total, say=lines.append, clock=clock, now=clock.now)
    for done in range(begin, begin + steps):
        measured.step(done)
        clock.seconds += pace
    return lines


def test_the_end_is_told_after_some_steps_and_then_ever_more_rarely() -> None:
    lines = told(total=30_000, pace=0.5, steps=400)
    # after 20, 40, 80 and 160 s of steps, the first of which is not measured
    assert [line.partition(":")[0] for line in lines] == [
        "step 41/30000", "step 81/30000", "step 161/30000", "step 321/30000",
    ]  # fmt: skip
    assert lines[0] == "step 41/30000: 0.5 s a step, ends at about 18:09"


def test_another_day_is_named() -> None:
    assert told(total=1_000_000, pace=0.5, steps=50)[0].endswith(
        "ends at about 08:53 on 07 May 2026"
    )


def test_what_ends_soon_is_not_told() -> None:
    assert told(total=100, pace=0.5, steps=99) == []


def test_slow_steps_are_waited_for() -> None:
    lines = told(total=1000, pace=60.0, steps=6)
    assert lines == ["step 6/1000: 60 s a step, ends at about 06:39 on 02 May 2026"]


def test_a_run_that_goes_on_is_measured_from_where_it_goes_on() -> None:
    lines = told(total=30_000, pace=0.5, steps=42, begin=10_000)
    assert lines == ["step 10040/30000: 0.5 s a step, ends at about 16:46"]


@pytest.mark.parametrize("command", ["kbert.train", "kbert.pretrain", "kgbert.train"])
def test_every_training_says_when_it_ends(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Measured from the first step on, and told after the fifth one that is measured."""
    monkeypatch.setattr(eta, "_FIRST", 0.0)
    monkeypatch.setattr(eta, "_SHORT", 0.0)
    (tmp_path / "train.tsv").write_text("label\ttext_a\n" + "a\tx y z\nb\tz y x\n" * 9)
    (tmp_path / "texts.txt").write_text("We go home. It is late.\n\nA dog sleeps. It is fat.\n" * 9)
    flags = {
        "kbert.train": f"--data {tmp_path / 'train.tsv'} --batch-tokens 8 --epochs 1",
        "kbert.pretrain": f"--texts {tmp_path / 'texts.txt'} --vocab-size 40 --phases 9x16"
        " --batch-tokens 16 --samples 0",
        "kgbert.train": "--epochs 1 --train-share 0.05 --batch-size 8 --validation-triples 0",
    }
    main = importlib.import_module(command).main
    assert main([*flags[command].split(), *SMALL, "--output", str(tmp_path / "run")]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "ends at about" in line]
    assert said and said[0].startswith("step 6/")
