"""Labelled data sets: train, dev and test from a folder, a file or the hub, as examples.

Find the tables (`kbert.tables`, `kbert.hub`), choose their columns (`kbert.columns`), turn every
row into an example (`kbert.rows`). K-BERT's files load as they are. No row is dropped: one that
cannot be used is an error with file and line. Text is taken verbatim; a tokeniser, truncation and
batches come later and elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TypeVar, overload

from kbert.answers.questions import QuestionExample
from kbert.columns import Chosen, Columns, Task, choose
from kbert.errors import DataError, SettingsError
from kbert.examples import Example, Splits, TaggedExample, TextExample
from kbert.hub import is_hub_id, read_hub
from kbert.rows import tagged_example, text_example
from kbert.tables import FORMATS, Table, format_of, read_table

__all__ = ["Columns", "Task", "label_names", "load_splits", "overlap"]

T = TypeVar("T")

_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "train": ("train",),
    "dev": ("dev", "valid", "validation"),
    "test": ("test",),
}
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)


@overload
def load_splits(
    source: str | Path,
    *,
    task: Literal["classification", "pair"],
    columns: Columns,
    config: str | None = None,
    announce: Callable[[str], None],
) -> Splits[TextExample]: ...
@overload
def load_splits(
    source: str | Path,
    *,
    task: Literal["tagging"],
    columns: Columns,
    config: str | None = None,
    announce: Callable[[str], None],
) -> Splits[TaggedExample]: ...
@overload
def load_splits(
    source: str | Path,
    *,
    task: Task,
    columns: Columns,
    config: str | None = None,
    announce: Callable[[str], None],
) -> Splits[TextExample] | Splits[TaggedExample]: ...
def load_splits(
    source: str | Path,
    *,
    task: Task,
    columns: Columns,
    config: str | None = None,
    announce: Callable[[str], None],
) -> Splits[TextExample] | Splits[TaggedExample]:
    """Read a folder of train/dev/test files, one file (all of it for training), or a hub id.

    `config` names a configuration of a hub data set. `announce` receives a line for each split:
    what was read from where, and which columns; before the hub is asked, and for files or splits
    that have other names, it receives one as well. A split that is not there is empty; only `train`
    must be. On the hub a dev or test split without a single label counts as not there, which is
    announced. Raises `DataError` for whatever cannot be read as labelled examples.
    """
    path = _local_path(source)
    if path is not None:
        if config is not None:
            raise SettingsError(f"{config!r} names a configuration on the hub, but {path} is local")
        tables = _local_tables(path, announce=announce)
    else:
        tables = _hub_tables(str(source), config=config, announce=announce)
    chosen = {name: choose(columns, table=table, task=task) for name, table in tables.items()}
    if path is None:
        tables = _labelled(tables, chosen=chosen, announce=announce)
    for name, table in tables.items():
        if not table.rows:
            raise DataError(f"holds no rows for {name}", file=table.file)
        used = ", ".join(repr(table.columns[index]) for index in chosen[name] if index is not None)
        idle = [repr(c) for i, c in enumerate(table.columns) if i not in chosen[name]]
        note = f" (not used: {', '.join(idle)})" if idle else ""
        announce(f"{name}: {len(table.rows)} rows from {table.file}, columns {used}{note}")
    if task == "tagging":
        return _splits(tables, chosen=chosen, convert=tagged_example)
    return _splits(tables, chosen=chosen, convert=text_example)


def label_names(splits: Splits[TextExample] | Splits[TaggedExample]) -> tuple[str, ...]:
    """Return the labels of the training split: sorted, as numbers if all of them are whole numbers.

    Of tags `O` comes first, and is known even if no training word has it: it stands for "nothing".
    Raises `DataError` for a single label, and, with its place, for a dev or test label that
    training does not have.
    """
    known = {label for example in splits.train for label in _labels(example)}
    if any(isinstance(example, TaggedExample) for example in splits.train):
        names = ("O", *sorted(known - {"O"}))
    elif all(_INTEGER.fullmatch(label) for label in known):
        names = tuple(sorted(known, key=lambda label: (int(label), label)))
    else:
        names = tuple(sorted(known))
    if len(names) == 1:
        raise DataError(
            f"all of training is labelled {names[0]!r}, so there is nothing to learn; is the label"
            " in another column (--label-column)?",
            file=splits.train[0].place.rpartition(":")[0],
        )
    allowed = frozenset(names)
    for example in (*splits.dev, *splits.test):
        unseen = next((label for label in _labels(example) if label not in allowed), None)
        if unseen is not None:
            file, _, line = example.place.rpartition(":")
            message = f"label {unseen!r} does not occur in training, whose labels are {names}"
            raise DataError(message, file=file, line=int(line))
    return names


def overlap(
    splits: Splits[TextExample] | Splits[TaggedExample] | Splits[QuestionExample],
) -> int:
    """Count the test examples whose text (all texts, or all words) stands in training too."""
    train = {_content(example) for example in splits.train}
    return sum(_content(example) in train for example in splits.test)


def _labels(example: TextExample | TaggedExample) -> tuple[str, ...]:
    if isinstance(example, TaggedExample):
        return example.tags or ()
    return () if example.label is None else (example.label,)


def _content(example: TextExample | TaggedExample | QuestionExample) -> tuple[str | None, ...]:
    if isinstance(example, QuestionExample):
        return example.question, example.context
    if isinstance(example, TaggedExample):
        return example.words
    return example.text, example.pair


def _splits(
    tables: Mapping[str, Table],
    *,
    chosen: Mapping[str, Chosen],
    convert: Callable[..., Example],
) -> Splits[Example]:
    parts = {
        name: tuple(convert(row, chosen=chosen[name], file=table.file) for row in table.rows)
        for name, table in tables.items()
    }
    return Splits(parts["train"], parts.get("dev", ()), parts.get("test", ()))


def _local_path(source: str | Path) -> Path | None:
    """Return the file or folder of this name, or None where there is none."""
    try:
        path = Path(source).expanduser()
        return path if path.exists() else None
    except RuntimeError:  # the home folder of an unknown user
        return None
    except OSError as error:
        raise DataError(error.strerror or str(error), file=source) from None


def _local_tables(path: Path, *, announce: Callable[[str], None]) -> dict[str, Table]:
    if not path.is_dir():
        announce(f"{path}: one file, all of it for training")
        return {"train": read_table(path)}
    try:
        files = [file for file in sorted(path.iterdir()) if format_of(file)]
    except OSError as error:
        raise DataError(error.strerror or str(error), file=path) from None
    stems = [(file.name.removesuffix(format_of(file) or ""), file) for file in files]
    expected = f"train.tsv (or {', '.join(FORMATS)})"
    chosen = _assign(stems, where=str(path), expected=expected)
    unused = [file.name for file in files if file not in chosen.values()]
    if unused:
        announce(f"{path}: other files, not used: {', '.join(unused)}")
    return {name: read_table(file) for name, file in chosen.items()}


def _hub_tables(
    source: str, *, config: str | None, announce: Callable[[str], None]
) -> dict[str, Table]:
    if not is_hub_id(source):
        raise DataError("no such file or folder", file=source)
    announce(f"no folder or file {source} here: asking the hub")
    found = read_hub(source, config=config)
    places = _assign([(name, name) for name in found], where=source, expected="a split train")
    unused = [name for name in found if name not in places.values()]
    if unused:
        announce(f"{source}: other splits, not used: {', '.join(unused)}")
    return {name: found[place] for name, place in places.items()}


def _assign(found: Sequence[tuple[str, T]], *, where: str, expected: str) -> dict[str, T]:
    """Give each split, in the order train, dev, test, the one thing that is called like it."""
    splits: dict[str, T] = {}
    for name, stems in _NAMES.items():
        candidates = [thing for stem, thing in found if stem in stems]
        if len(candidates) > 1:
            named = " and ".join(str(thing) for thing in candidates)
            raise DataError(f"{named} could all be {name}; keep one", file=where)
        if candidates:
            splits[name] = candidates[0]
    if "train" not in splits:
        there = ", ".join(stem for stem, _ in found) or "nothing of the kind"
        raise DataError(f"no training data: expected {expected}, found {there}", file=where)
    return splits


def _labelled(
    tables: Mapping[str, Table],
    *,
    chosen: Mapping[str, Chosen],
    announce: Callable[[str], None],
) -> dict[str, Table]:
    """Leave out dev and test splits in which no row has a label, as the hub publishes them."""
    kept = {"train": tables["train"]}
    for name in (name for name in tables if name != "train"):
        table, column = tables[name], chosen[name].label
        if any(row.cells[column] is not None for row in table.rows):
            kept[name] = table
        else:
            announce(f"{table.file}: none of {len(table.rows)} rows has a label: no {name} set")
    return kept
