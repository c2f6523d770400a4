"""Is a flipped bit ever believed? Random bits of model folders and compiled graphs are flipped.

`python -m benchmarks.bit_flips --flips 10000 --seed 0` makes a run of `kbert.train`, one of
`kgbert.train`, a checkpoint to resume and a compiled graph, flips one bit at a time in a file that
is read, opens the folder as its command does, and flips it back. Each flip must be refused, in one
line that names a file of the folder, before the folder is used: opening must raise the package's
own error. What is not read when a folder is opened (README.md, config.yaml, figures) is left alone.
Files take their turns, so that small ones are hit as often as large ones. `SETS` lists what is
tried.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from benchmarks.bit_flip_folders import SETS, FileSet
from benchmarks.report import RESULTS, environment, table, write_result
from graphs import GraphError
from kbert.errors import KbertError

FLIPS: Final = 10_000


@dataclass
class Tally:
    """Count what came of the flips of one file."""

    bytes: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    first: str = ""

    def add(self, outcome: str, *, bit: int, detail: str = "") -> None:
        """Count an outcome; keep the first that is not a refusal."""
        self.counts[outcome] += 1
        if outcome != "refused" and not self.first:
            self.first = f"bit {bit}: {outcome} {detail}".strip()


def flip_all(folder: Path, about: FileSet, *, flips: int, generator: Random) -> dict[str, Tally]:
    """Flip bits of the files of a folder in turns, and count by file what came of it.

    Outcomes are `refused`, `believed` (it opened), `unclear` (the error names no file of the
    folder, or is more than a line) and `crash` (another exception). Raises `GraphError` or
    `KbertError` where the folder cannot be opened before.
    """
    about.open(folder)
    files = [path for path in about.files(folder) if path.stat().st_size]
    tallies = {path.relative_to(folder).as_posix(): Tally(path.stat().st_size) for path in files}
    for number in range(flips):
        path = files[number % len(files)]
        name = path.relative_to(folder).as_posix()
        bit = generator.randrange(8 * tallies[name].bytes)
        _flip(path, bit)
        outcome, detail = _outcome(folder, about)
        _flip(path, bit)
        tallies[name].add(outcome, bit=bit, detail=detail)
    about.open(folder)
    return tallies


def _flip(path: Path, bit: int) -> None:
    """Flip a bit in place."""
    with path.open("r+b") as file:
        file.seek(bit // 8)
        (byte,) = file.read(1)
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))


def _outcome(folder: Path, about: FileSet) -> tuple[str, str]:
    try:
        about.open(folder)
    except (GraphError, KbertError) as error:
        clear = str(folder) in str(error) and "\n" not in str(error)
        return ("refused", "") if clear else ("unclear", str(error))
    except Exception as error:
        return "crash", f"{type(error).__name__}: {error}"
    return "believed", ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Flip, write the result file, print a table; the status is 1 if a flip was not refused."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bit_flips")
    parser.add_argument("--flips", type=int, default=FLIPS, help=f"default: {FLIPS}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the result goes")
    options = parser.parse_args(given)
    generator, start = Random(options.seed), time.perf_counter()
    found: dict[str, Any] = {}
    rows, missed = [["folder", "file", "bytes", "flips", "refused"]], 0
    with tempfile.TemporaryDirectory() as scratch:
        for number, (name, about) in enumerate(SETS.items()):
            folder = Path(scratch) / str(number)
            about.make(folder)
            share = options.flips * (number + 1) // len(SETS) - options.flips * number // len(SETS)
            tallies = flip_all(folder, about, flips=share, generator=generator)
            found[name] = {file: _entry(tally) for file, tally in tallies.items()}
            for file, tally in tallies.items():
                flips, refused = tally.counts.total(), tally.counts["refused"]
                missed += flips - refused
                rows.append([name, file, str(tally.bytes), str(flips), str(refused)])
    content = {"environment": environment("bit_flips", given), "flips": options.flips}
    content |= {"not_refused": missed, "seconds": time.perf_counter() - start, "files": found}
    path = write_result("bit_flips", content, folder=options.results)
    print(table(rows))
    print(f"{options.flips} flips, {missed} not refused; written to {path.name}")
    return int(missed > 0)


def _entry(tally: Tally) -> dict[str, Any]:
    return {"bytes": tally.bytes, **tally.counts} | ({"first": tally.first} if tally.first else {})


if __name__ == "__main__":
    sys.exit(main())
