"""Does a run survive kill -9? It is killed at random moments, over and over, and gone on with.

`python -m benchmarks.kill_loop --kills 1000 --seed 0` trains with `kbert.train`, `kbert.pretrain`
and `kgbert.train`, with a checkpoint after each step, under `--resume auto`. A third of the kills
comes at any moment, half of them within the writing of a checkpoint, the others while the finished
run is put in its place. The output is on one file system and the temporary folder on another
(`--folders`), and the other way round.

After each kill the newest checkpoint must be whole (else it is `corrupt`) and not older than the
last one that was reported as written (else that is `missing`). A run is killed some times and then
left alone; its weights and all other files that have checksums must be those of a run that was
never stopped, byte for byte. With `--add` the result file keeps the campaigns that it holds, and
counts this one too.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from benchmarks.kill_cells import MOST, Cell, measure, one_run
from benchmarks.kill_children import Moment, live
from benchmarks.kill_tasks import trainings, write_data
from benchmarks.report import RESULTS, environment, table, write_result
from kbert.errors import DataError

KILLS: Final = 1000
COMMANDS: Final = ("kbert.train", "kbert.pretrain", "kgbert.train")
_QUICK: Final = 12
WRONG: Final = ("corrupt", "missing", "failed", "different")
_SHOWN: Final = ("kills", "in_a_write", "in_placing", "resumed", "runs", *WRONG)


def _cells(scratch: Sequence[Path], *, only: Sequence[str]) -> list[Cell]:
    """Make the cells: each training, with its output in each of two folders."""
    data = scratch[0] / "data"
    data.mkdir()
    life = live(lambda: write_data(data) or 0, temporary=scratch[0], moment=Moment("never"))
    if life.status:
        raise RuntimeError(f"the data cannot be made: {life.said}")
    found = []
    for training in (each for each in trainings() if each.name in only):
        for number, folder in enumerate(scratch):
            place, temporary = folder / training.name, scratch[1 - number] / f"{training.name}.tmp"
            place.mkdir()
            temporary.mkdir()
            found.append(Cell(training, data, place, temporary))
    return found


def _kill(cells: Sequence[Cell], *, kills: int, until: float, draw: Random) -> None:
    """Kill so many times in all, the cells in turns, or until a moment of `time.perf_counter`."""
    for cell in cells:
        measure(cell)
    left = kills
    while left > 0 and all(cell.counts["failed"] < MOST for cell in cells):
        for cell in cells:
            if left <= 0 or time.perf_counter() > until:
                return
            left -= one_run(cell, draw, kills=min(left, draw.randint(1, MOST)))


def _entry(cell: Cell, *, other: bool) -> dict[str, Any]:
    content = {"training": cell.training.name, "output": _kind(cell.place)}
    content |= {"temporary_folder": _kind(cell.temporary), "other_file_system": other}
    content |= {"seconds_without_kills": cell.times, **{name: cell.counts[name] for name in _SHOWN}}
    content |= {name: cell.counts[name] for name in sorted(cell.counts.keys() - {*_SHOWN})}
    return content | ({"first": cell.first} if cell.first else {})


def _kind(folder: Path) -> str:
    return "memory" if str(folder).startswith("/dev/shm/") else "disk"


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill, write the result file, print a table; the status is 1 if anything was lost."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kill_loop")
    parser.add_argument("--kills", type=int, default=KILLS, help=f"default: {KILLS}")
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK} kills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long")
    default = Path(tempfile.gettempdir()), Path("/dev/shm")
    parser.add_argument(
        "--folders", type=Path, nargs=2, metavar="FOLDER", default=default,
        help="on two file systems (default: the temporary one, /dev/shm)",
    )  # fmt: skip
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the result goes")
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=COMMANDS, help="of these")
    parser.add_argument("--add", action="store_true", help="add to what the result file counts")
    options = parser.parse_args(given)
    earlier = _earlier(options.results) if options.add else []
    import torch

    torch.set_num_threads(1)  # a pool of threads would not survive a fork
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    kills, start = _QUICK if options.quick else options.kills, time.perf_counter()
    scratch = [Path(tempfile.mkdtemp(prefix="kills-", dir=folder)) for folder in options.folders]
    try:
        other = len({folder.stat().st_dev for folder in scratch}) > 1
        cells = _cells(scratch, only=options.only)
        _kill(cells, kills=kills, until=start + 60 * options.minutes, draw=Random(options.seed))
        entries = [_entry(cell, other=other) for cell in cells]
    finally:
        for folder in scratch:
            shutil.rmtree(folder, ignore_errors=True)
    seconds, about = time.perf_counter() - start, environment("kill_loop", given)
    return _report(entries, about, seconds=seconds, folder=options.results, earlier=earlier)


def _report(
    entries: Sequence[dict[str, Any]],
    about: dict[str, Any],
    *,
    seconds: float,
    folder: Path,
    earlier: Sequence[Mapping[str, Any]] = (),
) -> int:
    """Write and print what was counted, after `earlier` campaigns; return the exit status."""
    campaigns = [*earlier, {"environment": about, "seconds": seconds, "cells": list(entries)}]
    cells = [cell for campaign in campaigns for cell in campaign["cells"]]
    totals = {name: sum(cell[name] for cell in cells) for name in _SHOWN}
    write_result("kill_loop", {**totals, "campaigns": campaigns}, folder=folder)
    rows = [["training", "output on", *_SHOWN]]
    rows += [[e["training"], e["output"], *(str(e[name]) for name in _SHOWN)] for e in cells]
    print(table([*rows, ["all", "", *map(str, totals.values())]]))
    return int(any(totals[name] for name in WRONG))


def _earlier(folder: Path) -> list[dict[str, Any]]:
    """Read the campaigns of the result file, none without one. Raises `DataError`."""
    file = folder / "kill_loop.json"
    if not file.is_file():
        return []
    try:
        campaigns: list[dict[str, Any]] = json.loads(file.read_bytes())["campaigns"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"not a result of this benchmark: {error}", file=file) from None
    return campaigns


if __name__ == "__main__":
    sys.exit(main())
