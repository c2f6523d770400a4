"""Training over triples that is stopped and gone on with ends in the same bits."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from kgbert import training
from kgbert.settings import KnowledgeTrainSettings
from tests.kgbert.small_runs import write_data
from tests.resuming import check_every_stop


def test_every_stop_and_every_later_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fresh negatives and drawn candidates in every epoch, whose batches differ in length."""
    settings = KnowledgeTrainSettings(
        dataset=str(write_data(tmp_path / "data")), epochs=3, batch_size=8, negatives=1, layers=1,
        width=8, feed_forward=16, max_length=24, validation_candidates=3, learning_rate=0.01,
        accelerator="cpu", checkpoint_steps=1,
    )  # fmt: skip

    def train(folder: Path, going: bool) -> object:
        torch.manual_seed(time.monotonic_ns())
        return training._run(settings, folder, start=time.monotonic(), going=going)

    assert check_every_stop(train, tmp_path, monkeypatch, total=30) == 435
