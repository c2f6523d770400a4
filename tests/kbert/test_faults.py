"""Whichever call of the disk fails in a training: what was there stays, and it can be gone on."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kbert import checkpoints, console, finetune, resuming
from kbert.run import new_run, unfinished
from kbert.settings import TrainSettings
from tests.faults import KINDS, Kind, every_call, faulty_disk
from tests.resuming import contents

Train = Callable[[Path, Path | None], None]


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Train into an output, as `finetune` does with what it has prepared."""
    data = tmp_path_factory.mktemp("faults")
    (data / "graph.spo").write_text("北京\t首都\t中国\n", encoding="utf-8")
    for split in ("train", "dev"):
        text = "label\ttext_a\n好\t我爱北京\n坏\t去\n"
        (data / f"{split}.tsv").write_text(text, encoding="utf-8")
    settings = TrainSettings(
        data=str(data), kg=str(data / "graph.spo"), epochs=2, layers=1, width=8, feed_forward=16,
        heads=2, max_length=16, learning_rate=0.02, accelerator="cpu", checkpoint_steps=1,
        output=str(data / "run"),
    )  # fmt: skip
    made = finetune._prepare(settings)

    def work(output: Path, resume: Path | None) -> None:
        prepared = dataclasses.replace(made, network=copy.deepcopy(made.network))
        with new_run(output, first=True, overwrite=True, resume=resume) as folder:
            resumed = resuming.read(
                None if resume is None else folder,
                fingerprints=prepared.fingerprints,
                versions=prepared.record.versions,
            )
            finetune._fit(prepared, folder=folder, start=time.monotonic(), resumed=resumed)

    return work


@pytest.mark.parametrize("kind", KINDS)
def test_each_call_in_turn(
    train: Train, tmp_path: Path, kind: Kind, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    calls = every_call(lambda: train(output, None), kind)
    expected = contents(output)
    for number in calls:
        (output / "run.json").write_text("old", encoding="utf-8")
        capsys.readouterr()
        with faulty_disk(kind, number):
            status = console.guard(lambda: train(output, None))
        lines = [line for line in capsys.readouterr().err.splitlines() if "No space left" in line]
        left = unfinished(output)
        if status == 0:  # a checkpoint failed, which is said, and the training went on
            assert all(line.startswith("note: ") for line in lines) and len(lines) <= 1
            assert contents(output) == expected and not left
            continue
        assert status == 2 and len(lines) == 1 and lines[0].startswith("error: "), lines
        assert "are free)" in lines[0]
        assert (output / "run.json").read_text(encoding="utf-8") == "old"
        for run in left:
            assert checkpoints.newest(run) is not None
            train(output, run)
            assert contents(output) == expected
        assert not unfinished(output)
