"""Where the public data sets are, and those of them that need another form.

The sets are public, but none is part of this project; `docs/data.md` says where each is published.
They are looked for in the folder that the environment variable KBERT_DATA names, else in
`../shared/data` beside the repository. `python -m benchmarks.data --sst FOLDER` writes SST as the
TSV files that `configs/sst_minilm.yaml` reads, and `--trec FOLDER` TREC as those that
`configs/trec_dbpedia.yaml` and `configs/trec_minilm.yaml` read.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from kbert import console
from kbert.data import Columns, load_splits
from kbert.errors import DataError
from kbert.examples import TextExample

REPOSITORY: Final = Path(__file__).resolve().parent.parent
TREC_LABELS: Final = {"0": "DESC", "1": "ENTY", "2": "ABBR", "3": "HUM", "4": "LOC", "5": "NUM"}


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
    for split in ("train", "dev", "test"):
        rows = _rows(part_of(source, f"stsa.binary.{split}"), labels={"0": "0", "1": "1"})
        _write_table(rows, target / f"{split}.tsv")


def write_trec(source: Path, target: Path) -> None:
    """Rewrite `TREC.{train,test}.all`, lines of `digit text`, as TSV files with a header.

    TREC has no dev set: every tenth question of its training set becomes one. Digits become the
    names of the classes (Li and Roth 2002). Raises `DataError`, with file and line, for a line
    that is not of this form.
    """
    train, test = (
        _rows(part_of(source, f"TREC.{split}.all"), labels=TREC_LABELS)
        for split in ("train", "test")
    )
    dev = train[9::10]
    del train[9::10]
    for split, rows in (("train", train), ("dev", dev), ("test", test)):
        _write_table(rows, target / f"{split}.tsv")


def _rows(file: Path, *, labels: Mapping[str, str]) -> list[str]:
    """Read lines of `label text` in UTF-8 as rows of a table. Raises `DataError`."""
    rows = []
    for number, line in enumerate(file.read_bytes().removesuffix(b"\n").split(b"\n"), start=1):
        try:
            label, space, text = line.decode("utf-8").partition(" ")
        except UnicodeDecodeError:
            raise DataError("not UTF-8", file=file, line=number) from None
        if label not in labels or not space or not text.strip() or set("\t\r") & set(text):
            wanted = f"one of {' '.join(labels)}, a space, and a text without tabs or CR"
            message = f"expected {wanted}, found {line[:40].decode('utf-8', 'replace')!r}"
            raise DataError(message, file=file, line=number)
        rows.append(f"{labels[label]}\t{text}")
    return rows


def _write_table(rows: Sequence[str], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(["label\ttext_a", *rows]) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Say where the data sets are, or write some of them as TSV files; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data", description=main.__doc__)
    parser.add_argument("--sst", type=Path, metavar="FOLDER", help="write SST as TSV files here")
    parser.add_argument("--trec", type=Path, metavar="FOLDER", help="write TREC as TSV files here")
    options = parser.parse_args(arguments)

    def run() -> None:
        folder = data_folder()
        if options.sst is not None:
            write_sst(folder / "en" / "SST", options.sst)
        if options.trec is not None:
            write_trec(folder / "en" / "TREC", options.trec)
        written = [target for target in (options.sst, options.trec) if target is not None]
        print(*written or [folder], sep="\n")

    return console.guard(run)


if __name__ == "__main__":
    sys.exit(main())
