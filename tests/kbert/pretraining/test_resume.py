"""Pre-training that is stopped and gone on with ends in the same bits, its curves too."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kbert.pretraining import run
from kbert.pretraining.settings import PretrainSettings
from tests.resuming import check_every_stop, everything, gone_on, whole_run

Settings = Callable[..., PretrainSettings]


def trained(settings: PretrainSettings) -> Callable[[Path, bool], object]:
    def train(folder: Path, going: bool) -> object:
        torch.manual_seed(time.monotonic_ns())
        return run._run(settings, folder, start=time.monotonic(), going=going)

    return train


def test_every_stop_and_every_later_one(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through two phases and several epochs, with lines and validations now and then."""
    chosen = settings(
        phases=["16x32", "14x48"], batch_tokens=64, accumulate=2, log_every=4, validate_every=5,
        checkpoint_steps=1, samples=0, validation_batches=2,
    )  # fmt: skip
    assert check_every_stop(trained(chosen), tmp_path, monkeypatch, total=30) == 435


@pytest.mark.parametrize(
    "changes",
    [
        {"causal_share": 0.5, "boundary_weight": 1.0, "clip": 0.0, "samples": 2},
        {"workers": 2, "packing": False},
    ],
)
def test_stops_under_other_settings(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    chosen = settings(phases=["4x32", "4x48"], checkpoint_steps=1, **changes)
    train = trained(chosen)
    whole = whole_run(train, tmp_path, monkeypatch)
    expected = everything(whole)
    for stop in (1, 4, 7, 8):
        made = everything(gone_on(train, whole, tmp_path, stop=stop))
        assert len(made) == 10 - stop
        assert all(found == expected[name] for name, found in made.items())
