"""Where the public data sets are, and the one of them that needs another form.

The sets are public, but none is part of this project; `docs/data.md` says where each is published.
They are looked for in the folder that the environment variable KBERT_DATA names, else in
`../shared/data` beside the repository. `python -m benchmarks.data --sst FOLDER` writes SST as the
TSV files that `configs/sst_minilm.yaml` reads.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kbert import console
from kbert.data import Columns, load_splits
from kbert.errors import DataError
from kbert.examples import TextExample

REPOSITORY: Final = Path(__file__).resolve().parent.parent


def data_folder() -> Path:
    """Find the folder of data sets. Raises `DataError` where there is none."""
    named = os.environ.get("KBERT_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        what = "KBERT_DATA names it, but it is no folder" if named else "KBERT_DATA is not set"
        raise DataError(f"no data sets at {folder}: {what}; docs/data.md lists them")
    return folder.resolve()


def part_of(folder: Path, name: str) -> Path:
    """Find one file or folder of the data sets, as `zh/chnsenticorp`. Raises `DataError`."""
    path = folder / name
    if not path.exists():
        raise DataError("no such file or folder among the data sets; see docs/data.md", file=path)
    return path


def labelled_texts(folder: Path) -> tuple[TextExample, ...]:
    """Read the examples of train, dev and test, in this order. Raises `DataError`."""
    splits = load_splits(
        folder, task="classification", columns=Columns(), announce=lambda line: None
    )
    return (*splits.train, *splits.dev, *splits.test)


def write_sst(source: Path, target: Path) -> None:
    """Rewrite `stsa.binary.{train,dev,test}`, lines of `label text`, as TSV files with a header.

    Raises `DataError`, with file and line, for a line that is not of this form.
    """
    target.mkdir(parents=True, exist_ok=True)
    for split in ("train", "dev", "test"):
        file = part_of(source, f"stsa.binary.{split}")
        rows = ["label\ttext_a"]
        lines = file.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        for number, line in enumerate(lines, start=1):
            label, space, text = line.partition(" ")
            if label not in ("0", "1") or not space or not text.strip() or "\t" in text:
                message = f"expected `0 text` or `1 text` without tabs, found {line[:40]!r}"
                raise DataError(message, file=file, line=number)
            rows.append(f"{label}\t{text}")
        (target / f"{split}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Say where the data sets are, or write SST in another form; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data", description=main.__doc__)
    parser.add_argument("--sst", type=Path, metavar="FOLDER", help="write SST as TSV files here")
    options = parser.parse_args(arguments)

    def run() -> None:
        folder = data_folder()
        if options.sst is not None:
            write_sst(folder / "en" / "SST", options.sst)
        print(folder if options.sst is None else options.sst)

    return console.guard(run)


if __name__ == "__main__":
    sys.exit(main())
