"""A folder in which everything is in order, for a mistake to be made in it, and what was said."""

from __future__ import annotations

import importlib
import json
import os
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kbert.nn.checksums import CHECKSUMS

TABLE = "label\ttext_a\n好\t我爱北京\n坏\t我不去上海\n"
TAGGED = "text_a\tlabel\n我 在 北 京\tO O B-LOC I-LOC\n他 去 上 海\tO O B-LOC I-LOC\n"
GRAPH = "北京\t首都\t中国\n上海\t位于\t中国\n苹果\t是\t水果\n"
TEXTS = "We go home. It is late.\nThe dog sleeps.\n\nA cat runs. It is fast.\n" * 20
SAMPLE = Path(__file__).parents[2] / "kgbert" / "sample"
SMALL = "--layers 1 --width 8 --heads 2 --feed-forward 8"
CPU = "--accelerator cpu"

Change = str | bytes | Mapping[str, object] | Callable[[Path], object] | None


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A line that somebody types, what is wrong with it, and how the answer begins.

    `files` are changed beforehand: text or bytes are written, a mapping is merged into a JSON
    file, None removes, a function does anything else; a name that ends in `/` is a new folder.
    """

    what: str
    line: str
    says: str
    files: Mapping[str, Change] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    input: bytes = b""

    @property
    def command(self) -> str:
        """The module that is run."""
        return shlex.split(self.line)[0]


def with_line(line: str) -> Callable[[Path], object]:
    """Return what puts a line at the end of a file."""
    return lambda path: path.write_bytes(path.read_bytes() + f"{line}\n".encode())


def furnish(folder: Path) -> None:
    """Fill a folder with small data of every kind, and with a run of every kind."""
    for name, table in (("data", TABLE), ("tagged", TAGGED)):
        (folder / name).mkdir()
        for split in ("train", "dev", "test"):
            (folder / name / f"{split}.tsv").write_text(table, encoding="utf-8")
    (folder / "kg.spo").write_text(GRAPH, encoding="utf-8")
    (folder / "texts.txt").write_text(TEXTS, encoding="utf-8")
    (folder / "facts").mkdir()
    for file in SAMPLE.iterdir():
        if file.is_file() and file.suffix in (".tsv", ".txt"):
            shutil.copyfile(file, folder / "facts" / file.name)
    for line in (
        "graphs build kg.spo -o graph",
        f"kbert.train --data data --kg kg.spo --output run --epochs 1 {SMALL} {CPU}",
        f"kbert.train --data tagged --task tagging --output tagger --epochs 1 {SMALL} {CPU}",
        "kbert.corpus build texts.txt -o corpus --vocab-size 60 --workers 1",
        "kbert.pretrain --corpus corpus --output pretrained --phases 2x32 --batch-tokens 64"
        f" --samples 0 {SMALL} {CPU}",
        f"kgbert.train --dataset facts --output judge --epochs 1 --train-share 0.05"
        f" --validation-triples 5 {SMALL} {CPU}",
        "kgbert.train --dataset facts --task relation-prediction --output relations --epochs 1"
        f" --train-share 0.05 --validation-triples 5 {SMALL} {CPU}",
    ):
        status = run(line)
        assert status == 0, line


def run(line: str) -> int:
    """Run a line in this process; return its status."""
    module, *arguments = shlex.split(line)
    name = f"{module}.__main__" if module == "graphs" else module
    try:
        status = importlib.import_module(name).main(arguments)
    except SystemExit as end:  # of the argument parser
        status = int(end.code or 0)
    return int(status)


def prepare(folder: Path, files: Mapping[str, Change]) -> None:
    """Make a mistake's changes; those that are no functions are made as if nothing was sealed."""
    for name, change in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not callable(change):
            (path.parent / CHECKSUMS).unlink(missing_ok=True)
        if name.endswith("/"):
            path.mkdir()
        elif change is None:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        elif isinstance(change, Mapping):
            content = json.loads(path.read_text(encoding="utf-8"))
            path.write_text(json.dumps(content | change), encoding="utf-8")
        elif callable(change):
            change(path)
        else:
            path.write_bytes(change if isinstance(change, bytes) else change.encode())


def contents(folder: Path) -> dict[str, bytes | None]:
    """Return every file's content, and every folder, by its path."""
    return {
        os.fspath(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if path.suffix != ".lock"
    }
