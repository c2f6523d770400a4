"""Hold a knowledge graph in memory: immutable, without duplicates, in the order of its source.

Each string is kept once. Triples are int32 columns in source order, and a second copy of relation
and tail is grouped by head (CSR: entity `e` has the rows `offsets[e]:offsets[e + 1]`): 20 bytes a
triple and no Python object. Everything that others use is the small set of public methods, so that
another storage can stand behind them.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs.errors import GraphError
from graphs.readers import OnError, ReadReport, read_triples
from graphs.triple import Fact, Triple, is_text

_CHUNK = 1 << 16


class TripleStore:
    """Answer what a graph says about an entity; made by `from_triples` or `open`."""

    def __init__(self, columns: _Columns, *, name: str, skipped: int = 0) -> None:
        """Index `columns`; users call `from_triples` or `open` instead."""
        self._name = name
        self._skipped = skipped
        self._duplicates = columns.duplicates
        self._entity_ids = columns.entities
        self._relation_ids = columns.relations
        self._entities = tuple(columns.entities)
        self._relations = tuple(columns.relations)
        self._rows = columns.rows
        heads, relations, tails = columns.rows
        by_head = np.argsort(heads, kind="stable")
        self._offsets = np.zeros(len(self._entities) + 1, dtype=np.intp)
        np.cumsum(np.bincount(heads, minlength=len(self._entities)), out=self._offsets[1:])
        self._fact_relations = relations[by_head]
        self._fact_tails = tails[by_head]

    @classmethod
    def from_triples(
        cls, triples: Iterable[tuple[str, str, str]], *, name: str = "memory"
    ) -> TripleStore:
        """Build a store from triples, keeping the first of equal ones.

        Raises `GraphError`, which names the triple, where one is not three strings with something
        other than white space in them.
        """
        return cls(_columns(triples), name=name)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        on_error: OnError = "fail",
        report: ReadReport | None = None,
        name: str | None = None,
    ) -> TripleStore:
        """Read the file `path` (see `graphs.readers`); `name` is the path unless given.

        With `on_error="skip"` bad lines are counted in `skipped`, and in `report` where given.
        """
        report = ReadReport() if report is None else report
        before = report.skipped
        columns = _columns(read_triples(path, on_error=on_error, report=report))
        return cls(
            columns,
            name=str(path) if name is None else name,
            skipped=report.skipped - before,
        )

    @property
    def name(self) -> str:
        """Say where the graph comes from: its name in the catalogue, its path, or `memory`."""
        return self._name

    @property
    def duplicates(self) -> int:
        """Count the triples of the source that had stood there before."""
        return self._duplicates

    @property
    def skipped(self) -> int:
        """Count the bad lines of the source that were left out."""
        return self._skipped

    @property
    def entities(self) -> Sequence[str]:
        """List heads and tails in order of first appearance, a triple's head before its tail."""
        return self._entities

    @cached_property
    def heads(self) -> Sequence[str]:
        """List the entities that have facts, in order of their first fact."""
        ids, first_rows = np.unique(self._rows[0], return_index=True)
        in_order = ids[np.argsort(first_rows)]
        return tuple(self._entities[i] for i in in_order.tolist())

    @property
    def relations(self) -> Sequence[str]:
        """List the relations in order of first appearance."""
        return self._relations

    def facts(self, entity: str, *, limit: int | None = None) -> list[Fact]:
        """Return what the graph says about `entity`, in source order; nothing if unknown.

        With a `limit` only the first so many are read, which is what makes an entity with a
        million facts cheap. Raises `GraphError` for a negative one.
        """
        start, stop = self._rows_of(entity)
        stop = _bounded(stop, start=start, limit=limit)
        return self._facts(self._fact_relations[start:stop], self._fact_tails[start:stop])

    def rarest_facts(self, entity: str, *, limit: int | None = None) -> list[Fact]:
        """Return the facts of `entity`, those said of few entities first; `limit` as in `facts`.

        The least frequent relation comes first, then the least frequent tail, then the source.
        """
        start, stop = self._rows_of(entity)
        relations, tails = self._fact_relations[start:stop], self._fact_tails[start:stop]
        order = np.lexsort((self._tail_counts[tails], self._relation_counts[relations]))
        order = order[: _bounded(stop, start=start, limit=limit) - start]
        return self._facts(relations[order], tails[order])

    def relation_count(self, relation: str) -> int:
        """Return how many triples have this relation."""
        number = self._relation_ids.get(relation)
        return 0 if number is None else int(self._relation_counts[number])

    def tail_count(self, tail: str) -> int:
        """Return how many triples have this entity in the tail's place."""
        number = self._entity_ids.get(tail)
        return 0 if number is None else int(self._tail_counts[number])

    @cached_property
    def fingerprint(self) -> str:
        """Return the SHA-256 (hexadecimal) of the triples in order; name and source do not count.

        What is hashed is the UTF-8 of one netstring a part, `LENGTH:TEXT` with the length in
        characters, head, relation, tail, triple after triple. Equal triples in equal order have
        equal fingerprints, whatever storage they stand in.
        """
        digest = hashlib.sha256()
        triples = iter(self)
        while chunk := list(islice(triples, _CHUNK)):
            text = "".join(f"{len(part)}:{part}" for triple in chunk for part in triple)
            digest.update(text.encode("utf-8"))
        return digest.hexdigest()

    def __len__(self) -> int:
        """Return the number of triples."""
        return int(self._rows.shape[1])

    def __iter__(self) -> Iterator[Triple]:
        """Iterate over the triples in source order."""
        for start in range(0, len(self), _CHUNK):
            heads, relations, tails = self._rows[:, start : start + _CHUNK].tolist()
            for head, relation, tail in zip(heads, relations, tails, strict=True):
                yield Triple(self._entities[head], self._relations[relation], self._entities[tail])

    def __contains__(self, triple: object) -> bool:
        """Say whether the graph holds this triple."""
        if not isinstance(triple, tuple) or len(triple) != 3:
            return False
        if not all(isinstance(part, str) for part in triple):
            return False
        head, relation, tail = triple
        numbers = self._relation_ids.get(relation), self._entity_ids.get(tail)
        if None in numbers:
            return False
        rows = slice(*self._rows_of(head))
        same = (self._fact_relations[rows] == numbers[0]) & (self._fact_tails[rows] == numbers[1])
        return bool(same.any())

    def __repr__(self) -> str:
        """Show the name and the sizes."""
        return (
            f"TripleStore({self._name!r}: {len(self)} triples, {len(self._entities)} entities, "
            f"{len(self._relations)} relations)"
        )

    def _rows_of(self, entity: str) -> tuple[int, int]:
        """Return where the facts of `entity` start and stop in the columns grouped by head."""
        number = self._entity_ids.get(entity)
        if number is None:
            return 0, 0
        return self._offsets.item(number), self._offsets.item(number + 1)

    def _facts(self, relations: NDArray[np.int32], tails: NDArray[np.int32]) -> list[Fact]:
        names = map(self._relations.__getitem__, relations.tolist())
        return list(map(Fact, names, map(self._entities.__getitem__, tails.tolist())))

    @cached_property
    def _relation_counts(self) -> NDArray[np.intp]:
        return np.bincount(self._rows[1], minlength=len(self._relations))

    @cached_property
    def _tail_counts(self) -> NDArray[np.intp]:
        return np.bincount(self._rows[2], minlength=len(self._entities))


class _Columns(NamedTuple):
    """Triples as numbers: string → id in order of first appearance, and rows (3, N) int32."""

    entities: dict[str, int]
    relations: dict[str, int]
    rows: NDArray[np.int32]
    duplicates: int


def _bounded(stop: int, *, start: int, limit: int | None) -> int:
    """Return where the first `limit` of the rows end; raises GraphError for a negative limit."""
    if limit is None:
        return stop
    if limit < 0:
        raise GraphError(f"limit is {limit}; it must not be negative")
    return min(stop, start + limit)


def _columns(triples: Iterable[tuple[str, str, str]]) -> _Columns:
    entities: dict[str, int] = {}
    relations: dict[str, int] = {}
    numbers = array("i")
    for triple in triples:
        head, relation, tail = _parts(triple)
        numbers.append(entities.setdefault(head, len(entities)))
        numbers.append(relations.setdefault(relation, len(relations)))
        numbers.append(entities.setdefault(tail, len(entities)))
    rows = np.array(numbers, dtype=np.int32).reshape(-1, 3).T
    kept = _first_of_equals(rows)
    return _Columns(
        entities,
        relations,
        np.ascontiguousarray(rows[:, kept]),
        duplicates=rows.shape[1] - len(kept),
    )


def _first_of_equals(rows: NDArray[np.int32]) -> NDArray[np.intp]:
    """Return the indices of the columns of `rows` (3, N) that equal no earlier one, ascending."""
    order = np.lexsort(rows)  # stable: among equals, the first of the source comes first
    ranked = rows[:, order]
    is_new = np.ones(len(order), dtype=np.bool_)
    is_new[1:] = (ranked[:, 1:] != ranked[:, :-1]).any(axis=0)
    return np.sort(order[is_new])


def _parts(triple: tuple[str, str, str]) -> tuple[str, str, str]:
    """Return `triple` if it is three strings that hold something, else raise GraphError."""
    is_three = isinstance(triple, tuple | list) and len(triple) == 3
    if is_three and all(is_text(part) and part and not part.isspace() for part in triple):
        return triple
    raise GraphError(
        f"{triple!r} is no triple; give (head, relation, tail), three texts, none of them blank"
    )
