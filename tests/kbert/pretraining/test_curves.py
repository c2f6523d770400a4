from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from kbert.errors import SettingsError
from kbert.pretraining.curves import COLUMNS, Curves, check_tensorboard


class Writer:
    """Stands in for TensorBoard's."""

    told: list[tuple[str, float, int]]

    def __init__(self, folder: str) -> None:
        self.told, self.folder, self.closed = [], folder, False

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.told.append((name, value, step))

    def close(self) -> None:
        self.closed = True


def test_rows_have_all_columns_in_order(tmp_path: Path) -> None:
    curves = Curves(tmp_path, tensorboard=False)
    curves.add({"step": 3, "set": "train", "loss": 1.5, "masked_accuracy": 0.25})
    curves.close()
    header, row = (tmp_path / "metrics.csv").read_text(encoding="utf-8").splitlines()
    assert header == ",".join(COLUMNS)
    assert dict(zip(COLUMNS, row.split(","), strict=True)) == {
        **dict.fromkeys(COLUMNS, ""),
        **{"step": "3", "set": "train", "loss": "1.5", "masked_accuracy": "0.25"},
    }


def test_tensorboard_is_told_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    curves = Curves(tmp_path, tensorboard=True)
    curves.add({"step": 3, "set": "held out", "loss": 1.5, "rate": 0.1})
    curves.close()
    board = curves._board
    assert board.told == [("held out/loss", 1.5, 3), ("held out/rate", 0.1, 3)]
    assert board.closed and board.folder == str(tmp_path / "tensorboard")


def test_curves_go_on_after_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And TensorBoard forgets what came after it."""
    told: dict[str, Any] = {}
    module: Any = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = lambda folder, **options: told.update(options)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    Curves(tmp_path, tensorboard=False).add({"step": 3, "set": "train"})
    Curves(tmp_path, tensorboard=True, step=3)._append(["4"])
    lines = (tmp_path / "metrics.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in lines] == ["step", "3", "4"]
    assert told == {"purge_step": 4}


def test_tensorboard_that_is_absent_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(SettingsError, match="pip install tensorboard"):
        check_tensorboard()
