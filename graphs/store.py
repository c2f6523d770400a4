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

from graphs import content, folders
from graphs.compiled import mapping
from graphs.compiled.folder import Folder, is_compiled
from graphs.content import Content, Source
from graphs.errors import GraphError
from graphs.languages import preference
from graphs.names import is_naming
from graphs.readers import OnError, ReadReport, is_rdf, read_triples
from graphs.strings import Chosen
from graphs.terms import parse_literal
from graphs.triple import Fact, Triple


class TripleStore:
    """Answer what a graph says about an entity; made by `from_triples` or `open`."""

    def __init__(self, content: Content, *, folder: Folder | None = None) -> None:
        """Answer from `content`; users call `from_triples` or `open` instead."""
        self._content = content
        self._folder = folder
        self._entities = content.entities
        self._relations = content.relations
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
        if is_compiled(path):
            folder = Folder.open(path)
            wanted, built = preference(languages), tuple(folder.manifest["languages"])
            if wanted and wanted != built and folder.manifest["named"]:
                known = " ".join(built) or "none"
                raise GraphError(
                    f"{path}: was built with the languages {known}; build it with"
                    f" --language {' '.join(languages)}, or ask for no languages"
                )
            return cls(mapping.read(folder, name=name or str(path)), folder=folder)
        report = ReadReport() if report is None else report
        is_folder = Path(path).is_dir()
        found = content.from_triples(
            read_triples(path, on_error=on_error, report=report, progress=progress),
            name=str(path) if name is None else name,
            report=report,
            is_rdf=is_rdf(path),
            languages=languages,
            given=tuple(folders.read_names(path)) if is_folder else (),
            given_relations=tuple(folders.read_relation_names(path)) if is_folder else (),
        )
        return cls(found)

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
        sources, origins = self.sources, self._content.origins
        if not sources or triple not in self:
            return None
        if origins is None:
            return sources[0]
        head, relation, tail = triple
        heads, relations, tails = self._content.rows
        rows = np.flatnonzero(heads == self._entities.number(head))
        rows = rows[tails[rows] == self._entities.number(tail)]
        rows = rows[relations[rows] == self._relations.number(relation)]
        return sources[int(origins[rows[0]])]

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
        start, stop = self._rows_of(entity)
        facts = self._content.facts
        relations, tails = facts.relations[start:stop], facts.others[start:stop]
        counts = _lengths(self._content.incoming.offsets, tails)
        order = np.lexsort((counts, self._relation_counts[relations]))
        return self._chosen(start + order[: _bounded(stop, start=start, limit=limit) - start])

    def central_facts(self, entity: str, *, limit: int | None = None) -> list[Fact]:
        """Return the facts of `entity`, those with the tail of the highest degree first.

        The degree is the number of triples with the tail at either end (one that has it at both
        counts twice); equals keep the source order. `limit` is as in `facts`.
        """
        start, stop = self._rows_of(entity)
        tails = self._content.facts.others[start:stop]
        degrees = _lengths(self._content.incoming.offsets, tails)
        degrees += _lengths(self._content.facts.offsets, tails)
        order = np.argsort(-degrees, kind="stable")
        return self._chosen(start + order[: _bounded(stop, start=start, limit=limit) - start])

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
        start, stop = self._rows_of(entity)
        return stop - start

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
        facts, known = self._content.facts, self._content.names
        allowed = np.ones(len(self._relations), dtype=np.bool_)
        if relations is not None:
            allowed[:] = False
            numbers = np.array([self._relations.number(name) for name in relations], dtype=int)
            allowed[numbers[numbers >= 0]] = True
        if sayable and known is not None:
            allowed[[self._relations.number(name) for name in self.naming]] = False
        kept = allowed[facts.relations]
        if sayable and known is not None:
            kept &= known.has_name()[facts.others]
        before = np.concatenate([[0], np.cumsum(kept, dtype=np.int32)])
        has_fact = before[facts.offsets[1:]] > before[facts.offsets[:-1]]
        heads = self._content.heads
        return Chosen(self._entities, heads[has_fact[heads]])

    @property
    def named(self) -> bool:
        """Say whether entities have names apart from their strings: RDF, or names were given."""
        return self._content.names is not None

    @property
    def languages(self) -> tuple[str, ...]:
        """Return the preference of languages among names and literals."""
        return () if self._content.names is None else self._content.names.languages

    @cached_property
    def naming(self) -> frozenset[str]:
        """Return the relations that only say what an entity is called."""
        return is_naming(self._relations) if self.named else frozenset()

    def name_of(self, entity: str) -> str:
        """Return what people call `entity`; what the graph does not know is called as it is.

        A blank node, and a text in a language that is not wanted, are called `""`.
        """
        known, number = self._content.names, self._entities.number(entity)
        return entity if known is None or number < 0 else known.first(number)

    def names_of(self, entity: str) -> tuple[str, ...]:
        """Return all names of `entity`, the preferred one first."""
        known, number = self._content.names, self._entities.number(entity)
        return (entity,) if known is None or number < 0 else tuple(known.get(number))

    def relation_name(self, relation: str) -> str:
        """Return what people call `relation`."""
        number = self._relations.number(relation)
        return relation if not self.named or number < 0 else self._content.relation_names[number]

    def candidates(self, name: str) -> tuple[str, ...]:
        """Return the entities called `name`, most likely first; also the one whose id it is.

        First those whose preferred name it is, then those who have it as an alias, then those of
        whom it is a guess, from what their IRI ends in; among these those with more facts that
        there are words for (see `readable`), then the source. The text of a literal names nobody.
        """
        known = self._content.names
        called = [] if known is None else self._entities.take(known.candidates(name))
        found = [entity for entity in called if parse_literal(entity) is None]
        if name not in found and self._entities.number(name) >= 0:
            found.append(name)
        return tuple(found)

    def readable(self, fact: Fact) -> Fact | None:
        """Return `fact` with names in place of ids; None where there is nothing to say.

        That is a fact which only names its entity, and one whose tail has no name.
        """
        if not self.named:
            return fact
        tail = "" if fact.relation in self.naming else self.name_of(fact.tail)
        return Fact(self.relation_name(fact.relation), tail) if tail else None

    @cached_property
    def fingerprint(self) -> str:
        """Return the SHA-256 (hexadecimal) of the triples in order; name and source do not count.

        What is hashed is the UTF-8 of one netstring a part, `LENGTH:TEXT` with the length in
        characters, head, relation, tail, triple after triple; then, if entities have names, a `|`,
        for each entity the number of its names, a `;` and their netstrings, and a `|` and the names
        of relations. Equal triples in equal order, with equal names, have equal fingerprints,
        whatever storage they stand in.
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
        facts, rows = self._content.facts, slice(*self._rows_of(head))
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

    def _rows_of(self, entity: str, *, limit: int | None = None) -> tuple[int, int]:
        """Return where the facts of `entity` start and stop in the columns grouped by head."""
        number = self._entities.number(entity)
        start, stop = (self._offsets[number], self._offsets[number + 1]) if number >= 0 else (0, 0)
        return start, _bounded(stop, start=start, limit=limit)

    def _chosen(self, rows: NDArray[np.intp]) -> list[Fact]:
        """Return the facts of some rows (K,) of the columns grouped by head."""
        facts = self._content.facts
        relations = self._relations.take(facts.relations[rows].tolist())
        return list(map(Fact, relations, self._entities.take(facts.others[rows].tolist())))

    @cached_property
    def _relation_counts(self) -> NDArray[np.intp]:
        return np.bincount(self._content.rows[1], minlength=len(self._relations))


def _lengths(offsets: NDArray[np.int64], numbers: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return how long the lists of `numbers` (K,) are."""
    return offsets[numbers + 1] - offsets[numbers]


def _bounded(stop: int, *, start: int, limit: int | None) -> int:
    """Return where the first `limit` of the rows end; raises GraphError for a negative limit."""
    if limit is None:
        return stop
    if limit < 0:
        raise GraphError(f"limit is {limit}; it must not be negative")
    return min(stop, start + limit)


def _reopen(path: Path, seal: str, name: str) -> TripleStore:
    folder = Folder.open(path, seal=seal)
    return TripleStore(mapping.read(folder, name=name), folder=folder)
