"""What every benchmark shares: the record of the machine, the result file, statistics, a table.

Machines are noisy, so a comparison is a list of ratios, one for each pair of measurements taken
right after one another, told by its median and its range. A result file holds every figure that a
document may quote, and appears whole or not at all. Paths of the machine do not get into it.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final, NamedTuple

from kbert.errors import DataError

RESULTS: Final = Path(__file__).resolve().parent / "results"
_LIBRARIES: Final = (
    "torch",
    "pytorch-lightning",
    "transformers",
    "tokenizers",
    "marisa-trie",
    "numpy",
    "networkx",
    "rdflib",
)


class Spread(NamedTuple):
    """The median of some measurements, the least and the greatest of them, and their number."""

    median: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise at least one value."""
        return cls(statistics.median(values), min(values), max(values), len(values))

    def text(self, form: str = ".2f") -> str:
        """Write `median (low to high)`."""
        return f"{self.median:{form}} ({self.low:{form}} to {self.high:{form}})"


class MeanSd(NamedTuple):
    """Mean and sample standard deviation (n - 1; None for one value) of some scores."""

    mean: float
    sd: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> MeanSd:
        """Summarise at least one value."""
        sd = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.fmean(values), sd, len(values))

    def text(self, form: str = ".4f") -> str:
        """Write `mean ± sd`, or the one value."""
        mean = f"{self.mean:{form}}"
        return mean if self.sd is None else f"{mean} ± {self.sd:{form}}"


def ratios(slow: Sequence[float], fast: Sequence[float]) -> Spread:
    """Say how many times longer `slow` took than `fast`, pair by pair. Equally many of both."""
    return Spread.of([one / other for one, other in zip(slow, fast, strict=True)])


def environment(script: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Record what the figures depend on: command, date, versions, processor, threads, load."""
    found: dict[str, Any] = {
        "command": shlex.join(["python", "-m", f"benchmarks.{script}", *_shown(arguments)]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _LIBRARIES},
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "cores_allowed": len(os.sched_getaffinity(0)),
        "load_average": round(os.getloadavg()[0], 2),
    }
    torch = sys.modules.get("torch")  # a benchmark without torch does not load it for the record
    found["torch_threads"] = None if torch is None else torch.get_num_threads()
    if torch is not None and torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found


def _shown(arguments: Sequence[str]) -> list[str]:
    """Leave out where results go, which is a path of the machine and changes no figure."""
    shown = list(arguments)
    if "--results" in shown:
        del shown[(at := shown.index("--results")) : at + 2]
    return [part for part in shown if not part.startswith("--results=")]


def known_runs(file: Path) -> list[dict[str, Any]]:
    """Read the runs of a result file; without the file there are none. Raises `DataError`."""
    if not file.is_file():
        return []
    try:
        runs: list[dict[str, Any]] = json.loads(file.read_bytes())["runs"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"not a result of this benchmark: {error}", file=file) from None
    return runs


def write_result(name: str, content: Mapping[str, Any], *, folder: Path = RESULTS) -> Path:
    """Write `folder/name.json` whole or not at all; named tuples become objects."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    partial = file.with_suffix(".json.partial")
    text = json.dumps(_plain(content), ensure_ascii=False, indent=2, allow_nan=False)
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(file)
    return file


def portable(text: str, names: Mapping[str, str]) -> str:
    """Put `${NAME}` for each path that `names` gives, the longest path first."""
    for name, path in sorted(names.items(), key=lambda item: -len(item[1])):
        text = text.replace(path, f"${{{name}}}")
    return text


def table(rows: Sequence[Sequence[str]]) -> str:
    """Draw rows, the first of them the header, as a Markdown table with aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| "
        + " | ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in rows
    ]
    rule = "|-" + "-|-".join("-" * width for width in widths) + "-|"
    return "\n".join([lines[0], rule, *lines[1:]])


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process on one core while the block runs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n")
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
