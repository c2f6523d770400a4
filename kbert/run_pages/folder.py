"""What a run folder says of itself: its JSON and its curves, read with care."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kbert.errors import RunError


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The contents of `run.json` and `metrics.json`, and the rows of `metrics.csv`."""

    folder: Path
    run: Mapping[str, Any]
    metrics: Mapping[str, Any]
    curves: Sequence[Mapping[str, str]]

    @classmethod
    def read(cls, folder: str | Path) -> RunFiles:
        """Read a run folder. Raises `RunError` for one that is none, or is broken."""
        path = Path(folder)
        if not path.is_dir():
            raise RunError(f"{path}: no such run folder")
        if not (path / "run.json").is_file():
            raise RunError(f"{path}: not a run: it has no run.json")
        curves = path / "metrics.csv"
        return cls(
            path,
            read_object(path / "run.json"),
            read_object(path / "metrics.json"),
            read_rows(curves) if curves.is_file() else [],
        )

    @property
    def task(self) -> str:
        """The word of `run.json` that says which command wrote the run."""
        return str(self.run.get("task", ""))


def read_object(file: Path) -> dict[str, Any]:
    """Read a JSON object. Raises `RunError`."""
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise RunError(f"{file}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise RunError(f"{file}: damaged: {error}") from None
    if not isinstance(content, dict):
        raise RunError(f"{file}: damaged: not an object")
    return content


def read_rows(file: Path, *, delimiter: str = ",") -> list[dict[str, str]]:
    """Read a table under a header; cells that TABs part are never quoted. Raises `RunError`."""
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            if delimiter == "\t":
                lines = list(csv.reader(stream, delimiter=delimiter, quoting=csv.QUOTE_NONE))
            else:
                lines = list(csv.reader(stream, delimiter=delimiter))
    except OSError as error:
        raise RunError(f"{file}: cannot be read: {error.strerror}") from None
    except (ValueError, csv.Error) as error:
        raise RunError(f"{file}: damaged: {error}") from None
    return [dict(zip(lines[0], line, strict=False)) for line in lines[1:]]


def numbers(
    rows: Sequence[Mapping[str, str]], *, x: str, y: str, **only: str
) -> tuple[list[float], list[float]]:
    """Return the points of those rows whose columns are as `only` says, and that have both."""
    xs, ys = [], []
    for row in rows:
        if all(row.get(name) == value for name, value in only.items()):
            point = _number(row.get(x, "")), _number(row.get(y, ""))
            if point[0] is not None and point[1] is not None:
                xs.append(point[0])
                ys.append(point[1])
    return xs, ys


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
