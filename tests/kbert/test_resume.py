"""Fine-tuning that is stopped and gone on with ends in the same bits."""

from __future__ import annotations

import copy
import dataclasses
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kbert import checkpoints, finetune, resuming
from kbert.errors import CheckpointError, Diverged
from kbert.module import FineTuning
from kbert.settings import TrainSettings
from tests.resuming import check_every_stop, contents, everything, gone_on, whole_run

TEXTS = ["我爱北京", "苹果", "我在上海吃苹果", "去", "哈哈哈", "我爱吃", "他在上海", "北京的苹果"]
GRAPH = "北京\t首都\t中国\n上海\t位于\t中国\n上海\t是\t城市\n苹果\t是\t水果\n"

Make = Callable[..., TrainSettings]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume")
    (folder / "graph.spo").write_text(GRAPH, encoding="utf-8")
    rows = [f"{'好坏'[n % 2]}\t{text}" for n, text in enumerate(TEXTS)]
    for split, part in (("train", rows), ("dev", rows[::2]), ("test", rows[1::2])):
        (folder / f"{split}.tsv").write_text("\n".join(["label\ttext_a", *part]), "utf-8")
    return folder


@pytest.fixture(scope="module")
def make(data: Path) -> Make:
    def settings(**changes: Any) -> TrainSettings:
        given: dict[str, Any] = {
            "data": str(data), "kg": str(data / "graph.spo"), "epochs": 6, "batch_tokens": 20,
            "layers": 2, "width": 8, "feed_forward": 16, "learning_rate": 0.02, "max_length": 32,
            "fact_dropout": 0.3, "accelerator": "cpu", "checkpoint_steps": 1,
            "output": str(data / "run"),
        }  # fmt: skip
        return TrainSettings(**(given | changes))

    return settings


def trained(settings: TrainSettings) -> Callable[[Path, bool], object]:
    """Train into a folder that is there, as `finetune` does."""
    made = finetune._prepare(settings)

    def train(folder: Path, going: bool) -> object:
        prepared = dataclasses.replace(made, network=copy.deepcopy(made.network))
        resumed = resuming.read(
            folder if going else None,
            fingerprints=prepared.fingerprints,
            versions=prepared.record.versions,
        )
        torch.manual_seed(time.monotonic_ns())  # what was drawn before does not matter
        return finetune._fit(prepared, folder=folder, start=time.monotonic(), resumed=resumed)

    return train


def test_every_stop_and_every_later_one(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_every_stop(trained(make()), tmp_path, monkeypatch, total=30) == 435


@pytest.mark.parametrize(
    "changes",
    [
        {"unfreeze_epochs": 1, "layer_decay": 0.8, "clip": 0.0, "schedule": "slanted"},
        {"workers": 2},
        {"precision": "bf16"},
    ],
)
def test_stops_under_other_settings(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    train = trained(make(epochs=3, **changes))
    whole = whole_run(train, tmp_path, monkeypatch)
    total = max(int(path.name.rpartition("-")[2]) for path in whole.glob("checkpoint-*"))
    for stop in (1, total // 2, 2 * total // 3, total):
        run = gone_on(train, whole, tmp_path, stop=stop)
        assert contents(run) == contents(whole)
        for later in range(stop + 1, total + 1):
            name = f"checkpoint-{later}"
            assert contents(run / name) == contents(whole / name)


@pytest.mark.parametrize("lost", ["optimiser", "moment", "step", "losses", "best"])
def test_each_piece_of_the_state_is_needed(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """Were one lost, the comparison of the tests above would tell."""
    train = trained(make(epochs=2))
    whole = whole_run(train, tmp_path, monkeypatch)
    found = checkpoints.read(whole / "checkpoint-7")
    tensors, state = found.tensors(), dict(found.state)
    if lost == "optimiser":
        tensors = {k: v for k, v in tensors.items() if not k.startswith("optimiser.")}
    elif lost == "moment":
        tensors["optimiser.network.classifier.weight.exp_avg"].neg_()
    elif lost == "losses":
        state["course"]["losses"] += 1e-9
    elif lost == "best":
        state["course"]["best"] = -1  # the second epoch is no better, so it would not be kept
    run = tmp_path / "less"
    run.mkdir()
    for file in found.files:
        shutil.copy(found.folder / file, run)
    step = 6 if lost == "step" else 7
    checkpoints.write(run, step=step, state=state, tensors=tensors, replaced=found.files)
    train(run, True)
    expected = everything(whole)
    assert any(made != expected[name] for name, made in everything(run).items())


def test_without_the_best_weights_a_run_cannot_end(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = trained(make(epochs=2))
    whole = whole_run(train, tmp_path, monkeypatch)
    found = checkpoints.read(whole / "checkpoint-7")
    assert found.files == ("config.json", "model.safetensors", "checksums.json")
    run = tmp_path / "less"
    run.mkdir()
    (run / "model.safetensors").write_bytes((whole / "model.safetensors").read_bytes())
    checkpoints.write(run, step=7, state=found.state, tensors=found.tensors())
    with pytest.raises(CheckpointError, match=r"model\.safetensors: no such file"):
        train(run, True)  # what is there, but not of the checkpoint, is not taken


@pytest.mark.parametrize("step", [7, 9])  # from 1; of 10, with a checkpoint after each third
def test_a_training_that_diverges_names_its_last_good_checkpoint(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    portion = FineTuning.portion

    def spoilt(self: FineTuning, part: Any, whole: Any) -> Any:
        found = portion(self, part, whole)
        return found._replace(loss=found.loss * (torch.nan if self.steps_done == step - 1 else 1))

    monkeypatch.setattr(FineTuning, "portion", spoilt)
    settings = make(epochs=2, checkpoint_steps=3, output=str(tmp_path / "run"))
    with pytest.raises(Diverged) as caught:
        finetune.finetune(settings)
    (left,) = tmp_path.glob("run.partial-*")
    assert f"step {step - 5} (gradient norm nan, on " in str(caught.value)
    assert str(caught.value).endswith(f"; the last good checkpoint is {left}/checkpoint-6")
    kept = checkpoints.newest(left)
    assert kept is not None and kept.step == 6
    assert all(bool(tensor.isfinite().all()) for tensor in kept.tensors().values())
