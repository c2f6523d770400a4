"""Read the train, dev and test triples of a benchmark, or divide a graph into such parts.

A folder holds `train`, `dev` (or `valid`) and `test`, each as `.tsv` or `.txt`, also compressed: a
triple a line, head TAB relation TAB tail, and in sets for triple classification a fourth field that
says whether the triple is true (`1`) or made up (`-1`). All parts share one numbering, in order of
first appearance, and keep every line: what occurs twice is for `graphs.leakage` to report.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphs.errors import GraphError
from graphs.labelled import Record, find_file, read_labelled, read_texts
from graphs.opening import is_there
from graphs.store import TripleStore
from graphs.triple import Triple, is_text

PARTS = ("train", "dev", "test")

_STEMS = {"train": ("train",), "dev": ("dev", "valid"), "test": ("test",)}


@dataclass(frozen=True, eq=False)
class Split:
    """Hold one part: numbers in source order, and labels 1 or -1 where the source has them."""

    rows: NDArray[np.int32]  # (3, N): head, relation, tail
    labels: NDArray[np.int8] | None = None  # (N,)

    @property
    def positives(self) -> NDArray[np.int32]:
        """Return the triples (3, P) that are stated as true; all, where there are no labels."""
        return self.rows if self.labels is None else self.rows[:, self.labels > 0]

    @property
    def negatives(self) -> NDArray[np.int32]:
        """Return the triples (3, M) that are labelled -1."""
        return self.rows[:, :0] if self.labels is None else self.rows[:, self.labels < 0]

    def __len__(self) -> int:
        """Return the number of triples, those labelled -1 included."""
        return int(self.rows.shape[1])


@dataclass(frozen=True, eq=False)
class Splits:
    """Hold train, dev and test over one numbering; made by `open`, `from_triples`, `random_split`.

    `texts` says what an entity is called, for those that have a text.
    """

    name: str
    entities: tuple[str, ...]
    relations: tuple[str, ...]
    train: Split
    dev: Split
    test: Split
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, folder: str | Path, *, texts: Mapping[str, str] | None = None) -> Splits:
        """Read the three files of `folder`, and `entity2text.txt` where `texts` are not given.

        Raises `ParseError` for a line that is no triple, and `GraphError` for a folder in which a
        part is missing, or stands in two files.
        """
        folder = Path(folder)
        if not (is_there(folder) and folder.is_dir()):
            raise GraphError(f"{folder}: is no folder of train, dev and test files")
        files = {part: find_file(folder, stems=_STEMS[part]) for part in PARTS}
        parts = {part: read_labelled(path) for part, path in files.items()}
        texts = read_texts(folder) if texts is None else texts
        return _numbered(parts, name=str(folder), texts=texts)

    @classmethod
    def from_triples(
        cls,
        train: Iterable[Record],
        dev: Iterable[Record],
        test: Iterable[Record],
        *,
        name: str = "memory",
        texts: Mapping[str, str] | None = None,
    ) -> Splits:
        """Number triples, each with a label 1 or -1 in the fourth place, or all of a part without.

        Raises `GraphError`, which names the part and the place, for anything else.
        """
        parts = dict(zip(PARTS, (train, dev, test), strict=True))
        given = {part: _given(records, part=part) for part, records in parts.items()}
        return _numbered(given, name=name, texts=texts or {})

    def triples(self, rows: NDArray[np.integer]) -> Iterator[Triple]:
        """Iterate over `rows` (3, N), such as `splits.test.positives`, as texts."""
        for head, relation, tail in rows.T.tolist():
            yield Triple(self.entities[head], self.relations[relation], self.entities[tail])


def random_split(store: TripleStore, *, dev: float, test: float, seed: int) -> Splits:
    """Divide the triples of `store` by chance; `dev` and `test` are shares of all of them.

    The parts keep the store's order, and the same store, shares and seed give the same parts on
    every machine. Of each entity and each relation one triple, drawn by chance, is for training
    only, so that dev and test hold nothing unseen, unless the shares are too large for that: then
    such triples fill what is missing. Whether relations are inverses of each other is not looked
    at; `graphs.leakage` tells.

    Raises `GraphError` for shares that are negative or leave nothing to train on.
    """
    if seed < 0:
        raise GraphError(f"seed is {seed}; it must not be negative")
    if not (0 <= dev < 1 and 0 <= test < 1):
        raise GraphError(f"dev={dev}, test={test}; each must be a share from 0 to below 1")
    sizes = round(dev * len(store)), round(test * len(store))
    if sum(sizes) >= len(store):
        raise GraphError(
            f"dev={dev}, test={test} leave none of {len(store)} triples to train on; ask for less"
        )
    # Raw draws of a bit generator never change between releases of numpy; permutations may.
    order = np.argsort(np.random.PCG64(seed).random_raw(len(store)), kind="stable")
    heads, relations, tails = store.rows[:, order]
    needed = np.zeros(len(store), dtype=np.bool_)
    needed[np.unique(np.concatenate([heads, tails]), return_index=True)[1] % len(store)] = True
    needed[np.unique(relations, return_index=True)[1]] = True
    order = np.concatenate([order[~needed], order[needed]])
    part = np.zeros(len(store), dtype=np.int8)
    part[order[: sizes[0]]] = 1
    part[order[sizes[0] : sum(sizes)]] = 2
    return _divided(store, part=part)


def _divided(store: TripleStore, *, part: NDArray[np.int8]) -> Splits:
    """Give each triple of `store` to the part of that index, and number entities anew."""
    rows = store.rows[:, np.argsort(part, kind="stable")]
    entities, ends = _first_seen(rows[[0, 2]].T.reshape(-1))
    relations, links = _first_seen(rows[1])
    rows = np.stack([ends[0::2], links, ends[1::2]])
    bounds = np.cumsum(np.bincount(part, minlength=len(PARTS)))[:-1]
    train, dev, test = map(np.ascontiguousarray, np.split(rows, bounds, axis=1))
    return Splits(
        name=store.name,
        entities=tuple(store.entities[i] for i in entities),
        relations=tuple(store.relations[i] for i in relations),
        train=Split(train),
        dev=Split(dev),
        test=Split(test),
    )


def _first_seen(numbers: NDArray[np.int32]) -> tuple[list[int], NDArray[np.int32]]:
    """Return the distinct numbers in order of first appearance, and each one's place in that."""
    values, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    order = np.argsort(first)
    places = np.empty(len(order), dtype=np.int32)
    places[order] = np.arange(len(order), dtype=np.int32)
    return values[order].tolist(), places[inverse]


def _numbered(
    parts: Mapping[str, Iterable[Record]], *, name: str, texts: Mapping[str, str]
) -> Splits:
    entities: dict[str, int] = {}
    relations: dict[str, int] = {}
    splits = {}
    for part, records in parts.items():
        numbers, labels = array("i"), array("b")
        for head, relation, tail, *label in records:
            numbers.append(entities.setdefault(head, len(entities)))
            numbers.append(relations.setdefault(relation, len(relations)))
            numbers.append(entities.setdefault(tail, len(entities)))
            labels.extend(label)
        rows = np.ascontiguousarray(np.array(numbers, dtype=np.int32).reshape(-1, 3).T)
        splits[part] = Split(rows, np.array(labels, dtype=np.int8) if labels else None)
    return Splits(name, tuple(entities), tuple(relations), **splits, texts=texts)


def _given(records: Iterable[Record], *, part: str) -> Iterator[Record]:
    """Yield `records` as they are if each is a triple, all with a label or all without."""
    width = 0
    for place, record in enumerate(records):
        is_record = isinstance(record, tuple | list) and len(record) in (3, 4)
        if not is_record or not all(is_text(each) and each.strip() for each in record[:3]):
            raise GraphError(
                f"{part}[{place}] is {record!r}; give (head, relation, tail), three texts, "
                "none of them blank, and a label 1 or -1 if need be"
            )
        if len(record) == 4 and not (isinstance(record[3], int) and record[3] in (1, -1)):
            raise GraphError(f"{part}[{place}]: label {record[3]!r}; it must be 1 or -1")
        if len(record) != (width or len(record)):
            raise GraphError(f"{part}[{place}] is {record!r}; label all triples of {part}, or none")
        width = len(record)
        yield record
