"""The curves of a run: `metrics.csv`, and TensorBoard's files if they are asked for."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from kbert.errors import SettingsError
from kbert.pretraining.targets import OBJECTIVES

FILE: Final = "metrics.csv"
_PLAIN: Final = ("step", "phase", "set", "rate", "loss", "tokens", "tokens_per_second", "mfu")
COLUMNS: Final = (
    *_PLAIN,
    *(f"{name}_{what}" for name in OBJECTIVES for what in ("loss", "accuracy", "targets")),
    "causal_perplexity",
)


class Curves:
    """Appends rows to the curves of a run."""

    def __init__(self, folder: Path, *, tensorboard: bool, step: int = 0) -> None:
        """Begin the file in `folder`, or go on with what it holds up to `step`.

        Raises `SettingsError` where TensorBoard is not there.
        """
        self._path = folder / FILE
        self._board: Any = _board(folder / "tensorboard", step=step) if tensorboard else None
        if not step:
            self._append(COLUMNS)

    def add(self, row: Mapping[str, float | int | str]) -> None:
        """Add figures by the names of `COLUMNS`; those that are not there stay empty."""
        self._append([row.get(name, "") for name in COLUMNS])
        if self._board is None:
            return
        for name, value in row.items():
            if name not in ("step", "set"):
                self._board.add_scalar(f"{row['set']}/{name}", value, row["step"])

    def close(self) -> None:
        """Finish what is written in the background."""
        if self._board is not None:
            self._board.close()

    def _append(self, row: Sequence[float | int | str]) -> None:
        with self._path.open("a", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerow(row)


def check_tensorboard() -> None:
    """Refuse to go on where TensorBoard is not installed. Raises `SettingsError`."""
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError:
        raise SettingsError(
            "--tensorboard: it is not installed; pip install tensorboard, or leave the flag out"
        ) from None


def _board(folder: Path, *, step: int) -> Any:
    check_tensorboard()
    from torch.utils.tensorboard import SummaryWriter

    # What a run that was stopped wrote beyond its checkpoint is not shown.
    beyond = {"purge_step": step + 1} if step else {}
    writer: Any = SummaryWriter(str(folder), **beyond)
    return writer
