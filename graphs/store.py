"""Ask a knowledge graph: immutable, without duplicates, in the order of its source.

A store is in memory (`from_triples`, `open` on a file) or mapped from a compiled folder (`open` on
that); both answer the same. Everything that others use is the small set of public methods.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs import content, loading, queries
from graphs.compiled.folder import Folder
from graphs.content import Content, Source
from graphs.errors import GraphError
from graphs.readers import OnError, ReadReport
from graphs.strings import Chosen
from graphs.triple import Fact, Triple
from graphs.wording import Wording


class TripleStore(Wording):
    """Answer what a graph says about an entity; made by `from_triples` or `open`."""

    def __init__(self, content: Content, *, folder: Folder | None = None) -> None:
        """Answer from `content`; users call `from_triples` or `open` instead."""
        super().__init__(content)
        self._folder = folder
        # Bound once, not at every look-up.
        self._number = content.entities.number
        self._entity_of, self._relation_of = content.entities.getter(), content.relations.getter()
        # Memory views give plain Python numbers, which are faster to use than numpy's scalars.
        self._offsets = content.facts.offsets.data
        self._fact_relations = content.facts.relations.data
        self._fact_tails = content.facts.others.data

    @classmethod
    def from_triples(
        cls,
        triples: Iterable[tuple[str, str, str]],
        *,
        name: str = "memory",
        languages: Sequence[str] = (),
        names: Mapping[str, Sequence[str]] | None = None,
    ) -> TripleStore:
        """Build a store from triples, keeping the first of equal ones.

        `names` says what entities are called, the preferred name first; `languages` is the
        preference among names and literals (see `graphs.names`).

        Raises `GraphError`, which names the triple, where one is not three strings with something
        other than white space in them.
        """
        given = () if names is None else tuple(names.items())
        return cls(content.from_triples(triples, name=name, languages=languages, given=given))

    @classmethod
    def from_rdflib(
        cls, graph: Any, *, name: str = "memory", languages: Sequence[str] = ()
    ) -> TripleStore:
        """Build a store from a graph of rdflib, as `open` does from a file of RDF.

        Blank nodes are numbered in order of first appearance. Raises `GraphError` for what is no
        such graph, or holds a triple that no file of RDF may hold, such as a literal as a head.
        """
        from graphs.rdf import is_graph, read_graph

        if not is_graph(graph):
            raise GraphError(f"{type(graph).__name__} is no graph of rdflib")
        rows = read_graph(graph)
        return cls(content.from_triples(rows, name=name, is_rdf=True, languages=languages))

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        on_error: OnError = "fail",
        report: ReadReport | None = None,
        name: str | None = None,
        languages: Sequence[str] = (),
        progress: Callable[[int], None] | None = None,
    ) -> TripleStore:
        """Map the compiled folder `path`, or read a file or folder (see `graphs.readers`).

        `name` is the path unless given. With `on_error="skip"` bad lines are counted in `skipped`,
        and in `report` where given. `languages` is the preference among names and literals; a
        compiled graph with names has that with which it was built, and another one is refused.

        Raises `GraphError` for what cannot be read, is damaged, or is no graph.
        """
        found = loading.load(
            path,
            on_error=on_error,
            report=report,
            name=name,
            languages=languages,
            progress=progress,
        )
        return cls(found.content, folder=found.folder)

    @property
    def name(self) -> str:
        """Say where the graph comes from: its name in the catalogue, its path, or `memory`."""
        return self._content.about.name

    @property
    def path(self) -> Path | None:
        """Return the compiled folder that the graph is mapped from, if it is."""
        return None if self._folder is None else self._folder.path

    @property
    def folder(self) -> Folder | None:
        """Return the compiled folder with its files, if the graph is mapped from one."""
        return self._folder

    @property
    def content(self) -> Content:
        """Return the strings and arrays that the store answers from."""
        return self._content

    @property
    def duplicates(self) -> int:
        """Count the triples of the source that had stood there before."""
        return self._content.about.duplicates

    @property
    def skipped(self) -> int:
        """Count the bad lines of the source that were left out."""
        return self._content.about.skipped

    @property
    def sources(self) -> tuple[Source, ...]:
        """List the files that a compiled graph was built from."""
        return self._content.about.sources

    def source_of(self, triple: tuple[str, str, str]) -> Source | None:
        """Return the source that brought `triple` first; None if that is not known.

        All triples are looked through.
        """
        return queries.source_of(self._content, triple) if triple in self else None

    @property
    def entities(self) -> Sequence[str]:
        """List heads and tails in order of first appearance, a triple's head before its tail."""
        return self._entities

    @cached_property
    def heads(self) -> Sequence[str]:
        """List the entities that have facts, in order of their first fact."""
        return Chosen(self._entities, self._content.heads)

    @property
    def relations(self) -> Sequence[str]:
        """List the relations in order of first appearance."""
        return self._relations

    @property
    def rows(self) -> NDArray[np.int32]:
        """Return the triples as numbers (3, N), in source order: heads, relations, tails.

        Heads and tails number `entities`, relations number `relations`.
        """
        return self._content.rows

    def number(self, entity: str) -> int:
        """Return the number of `entity` in `entities`, or -1 if the graph does not know it."""
        return self._entities.number(entity)

    def facts(self, entity: str, *, limit: int | None = None) -> list[Fact]:
        """Return what the graph says about `entity`, in source order; nothing if unknown.

        With a `limit` only the first so many are read, which is what makes an entity with a
        million facts cheap. Raises `GraphError` for a negative one.
        """
        # Written out, since this is what everything else waits for.
        number = self._number(entity)
        start, stop = (self._offsets[number], self._offsets[number + 1]) if number >= 0 else (0, 0)
        if limit is not None and (limit < 0 or limit < stop - start):
            stop = _bounded(stop, start=start, limit=limit)
        relation_of, entity_of = self._relation_of, self._entity_of
        numbers = zip(self._fact_relations[start:stop], self._fact_tails[start:stop], strict=False)
        return [Fact(relation_of(relation), entity_of(tail)) for relation, tail in numbers]

    def rarest_facts(self, entity: str, *, limit: int | None = None) -> list[Fact]:
        """Return the facts of `entity`, those said of few entities first; `limit` as in `facts`.

        The least frequent relation comes first, then the least frequent tail, then the source.
        """
        rows = self._rows_of(entity)
        order = queries.rarest(self._content, rows, relation_counts=self._relation_counts)
        return self._chosen(order[: _bounded(len(order), start=0, limit=limit)])

    def central_facts(self, entity: str, *, limit: int | None = None) -> list[Fact]:
        """Return the facts of `entity`, those with the tail of the highest degree first.

        The degree is the number of triples with the tail at either end (one that has it at both
        counts twice); equals keep the source order. `limit` is as in `facts`.
        """
        order = queries.central(self._content, self._rows_of(entity))
        return self._chosen(order[: _bounded(len(order), start=0, limit=limit)])

    def subjects(self, tail: str, *, limit: int | None = None) -> list[Triple]:
        """Return the triples whose tail is `tail`, in source order; `limit` as in `facts`."""
        number = self._entities.number(tail)
        offsets, relations, heads = self._content.incoming
        start, stop = (offsets.item(number), offsets.item(number + 1)) if number >= 0 else (0, 0)
        stop = _bounded(stop, start=start, limit=limit)
        found = self._entities.take(heads[start:stop].tolist())
        stated = self._relations.take(relations[start:stop].tolist())
        return [Triple(head, relation, tail) for head, relation in zip(found, stated, strict=True)]

    def degree(self, entity: str, *, in_words: bool = False) -> int:
        """Return how many facts `entity` has; `in_words`, that `readable` has words for."""
        known, number = self._content.names, self._entities.number(entity)
        if in_words and known is not None and number >= 0:
            return known.said(number)
        return self._offsets[number + 1] - self._offsets[number] if number >= 0 else 0

    def relation_count(self, relation: str) -> int:
        """Return how many triples have this relation."""
        number = self._relations.number(relation)
        return 0 if number < 0 else int(self._relation_counts[number])

    def tail_count(self, tail: str) -> int:
        """Return how many triples have this entity in the tail's place."""
        number, offsets = self._entities.number(tail), self._content.incoming.offsets
        return 0 if number < 0 else offsets.item(number + 1) - offsets.item(number)

    def heads_where(
        self, *, relations: Collection[str] | None = None, sayable: bool = False
    ) -> Sequence[str]:
        """List the entities with a fact of one of `relations` (None: any), as `heads` does.

        With `sayable` the fact must also be one that `readable` has words for.
        """
        found = queries.heads_where(self._content, relations=relations, sayable=sayable)
        return Chosen(self._entities, found)

    @cached_property
    def fingerprint(self) -> str:
        """Return the SHA-256 (hexadecimal) of the triples in order; name and source do not count.

        Equal triples in equal order, with equal names, have equal fingerprints, whatever storage
        they stand in. What is hashed, `graphs.content.fingerprint` says.
        """
        if self._folder is not None:
            return str(self._folder.manifest["fingerprint"])
        return content.fingerprint(self._content)

    def __len__(self) -> int:
        """Return the number of triples."""
        return int(self._content.rows.shape[1])

    def __iter__(self) -> Iterator[Triple]:
        """Iterate over the triples in source order."""
        return content.iter_triples(self._content)

    def __contains__(self, triple: object) -> bool:
        """Say whether the graph holds this triple."""
        if not isinstance(triple, tuple) or len(triple) != 3:
            return False
        if not all(isinstance(part, str) for part in triple):
            return False
        head, relation, tail = triple
        numbers = self._relations.number(relation), self._entities.number(tail)
        facts, rows = self._content.facts, self._rows_of(head)
        same = (facts.relations[rows] == numbers[0]) & (facts.others[rows] == numbers[1])
        return bool(same.any())

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle a mapped graph as its path, so that processes share its pages."""
        if self._folder is None:
            return TripleStore, (self._content,)
        return _reopen, (self._folder.path, self._folder.seal, self.name)

    def __repr__(self) -> str:
        """Show the name and the sizes."""
        return (
            f"TripleStore({self.name!r}: {len(self)} triples, {len(self._entities)} entities, "
            f"{len(self._relations)} relations)"
        )

    def _rows_of(self, entity: str) -> slice:
        """Return where the facts of `entity` stand in the columns grouped by head."""
        number = self._entities.number(entity)
        return slice(*self._offsets[number : number + 2]) if number >= 0 else slice(0, 0)

    def _chosen(self, rows: NDArray[np.intp]) -> list[Fact]:
        """Return the facts of some rows (K,) of the columns grouped by head."""
        facts = self._content.facts
        relations = self._relations.take(facts.relations[rows].tolist())
        return list(map(Fact, relations, self._entities.take(facts.others[rows].tolist())))

    @cached_property
    def _relation_counts(self) -> NDArray[np.intp]:
        return np.bincount(self._content.rows[1], minlength=len(self._relations))


def _bounded(stop: int, *, start: int, limit: int | None) -> int:
    """Return where the first `limit` of the rows end; raises GraphError for a negative limit."""
    if limit is not None and limit < 0:
        raise GraphError(f"limit is {limit}; it must not be negative")
    return stop if limit is None else min(stop, start + limit)


def _reopen(path: Path, seal: str, name: str) -> TripleStore:
    found = loading.reload(path, seal=seal, name=name)
    return TripleStore(found.content, folder=found.folder)
