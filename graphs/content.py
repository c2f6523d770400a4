"""Hold a graph as strings and arrays: in memory, from triples; `graphs.compiled` maps the same.

Triples are int32 columns in the order of the source, without duplicates, and two more copies are
grouped: by head (facts) and by tail. A group keeps the order of the source.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from graphs import bearers, names
from graphs.bearers import Names
from graphs.errors import GraphError
from graphs.interning import MemoryInterner
from graphs.languages import no_text_in, preference
from graphs.names import Graph
from graphs.readers import ReadReport
from graphs.relation_names import relation_names
from graphs.strings import MemoryStrings, Strings
from graphs.triple import Triple, is_text

GivenNames: TypeAlias = Sequence[tuple[str, Sequence[str]]]

_CHUNK = 1 << 16
_SORTED = 1 << 20  # numbers that are sorted at once


class Source(NamedTuple):
    """Say where triples come from: the file, what it held, and the SHA-256 of its bytes.

    `triples` counts what was read, `duplicates` those of them that had stood there before, in this
    source or an earlier one, `skipped` bad lines that were left out.
    """

    path: str
    triples: int
    duplicates: int
    skipped: int
    sha256: str


class Grouped(NamedTuple):
    """Triples grouped by an end: of entity e the rows `offsets[e]:offsets[e + 1]`.

    `offsets` (E + 1) int64, `relations` and `others` (N,) int32; others are the entities at the
    triples' other end.
    """

    offsets: NDArray[np.int64]
    relations: NDArray[np.int32]
    others: NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class About:
    """What is known of a graph as a whole."""

    name: str
    duplicates: int = 0
    skipped: int = 0
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Content:
    """Everything a store answers from.

    `rows` (3, N) are heads, relations and tails; `facts` and `incoming` are the same triples by
    head and by tail; `heads` are the entities that have facts, in the order of their first;
    `origins` (N,) are the sources of the rows, where there are several.
    """

    about: About
    entities: Strings
    relations: Strings
    rows: NDArray[np.int32]
    facts: Grouped
    incoming: Grouped
    heads: NDArray[np.int32]
    origins: NDArray[np.uint16] | None = None
    names: Names | None = None
    relation_names: Sequence[str] = ()


def group(
    ends: NDArray[np.int32], relations: NDArray[np.int32], others: NDArray[np.int32], *, count: int
) -> Grouped:
    """Group triples by one of their ends (N,), which is below `count`."""
    offsets = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(ends, minlength=count), out=offsets[1:])
    order = np.argsort(ends, kind="stable")
    return Grouped(offsets, relations[order], others[order])


def in_order(numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the distinct `numbers` in the order of their first appearance.

    Memory is bounded by the largest of them, not by how many there are.
    """
    seen = np.zeros(int(numbers.max(initial=-1)) + 1, dtype=np.bool_)
    found = [numbers[:0]]
    for start in range(0, len(numbers), _SORTED):
        distinct, first = np.unique(numbers[start : start + _SORTED], return_index=True)
        distinct = distinct[np.argsort(first)]
        found.append(distinct[~seen[distinct]])
        seen[distinct] = True
    return np.concatenate(found)


def from_triples(
    triples: Iterable[tuple[str, str, str]],
    *,
    name: str,
    report: ReadReport | None = None,
    is_rdf: bool = False,
    languages: Sequence[str] = (),
    given: GivenNames = (),
    given_relations: GivenNames = (),
) -> Content:
    """Number triples, drop duplicates, and find names, if there can be any.

    What reading `triples` adds to the skipped lines of `report` is counted.

    Raises `GraphError` where a triple is not three strings with something other than white space,
    and for names that are no lists of texts.
    """
    before, preferred = 0 if report is None else report.skipped, preference(languages)
    entities: dict[str, int] = {}
    relations: dict[str, int] = {}
    numbers = array("i")
    for triple in triples:
        head, relation, tail = parts(triple)
        numbers.append(entities.setdefault(head, len(entities)))
        numbers.append(relations.setdefault(relation, len(relations)))
        numbers.append(entities.setdefault(tail, len(entities)))
    read = np.array(numbers, dtype=np.int32).reshape(-1, 3).T
    rows = np.ascontiguousarray(read[:, first_of_equals(read)])
    heads, stated, tails = rows
    content = Content(
        about=About(
            name=name,
            duplicates=read.shape[1] - rows.shape[1],
            skipped=0 if report is None else report.skipped - before,
        ),
        entities=MemoryStrings(entities),
        relations=MemoryStrings(relations),
        rows=rows,
        facts=group(heads, stated, tails, count=len(entities)),
        incoming=group(tails, stated, heads, count=len(entities)),
        heads=in_order(heads),
    )
    _check_names(given)
    if not (is_rdf or given or given_relations or names.is_naming(relations)):
        return content
    return _named(
        content,
        languages=preferred,
        given=given,
        given_relations=given_relations,
        report=report,
    )


def iter_triples(content: Content) -> Iterator[Triple]:
    """Yield the triples in the order of the source."""
    for start in range(0, content.rows.shape[1], _CHUNK):
        heads, relations, tails = content.rows[:, start : start + _CHUNK].tolist()
        take = content.entities.take
        yield from map(Triple, take(heads), content.relations.take(relations), take(tails))


def fingerprint(content: Content) -> str:
    """Return the SHA-256 (hexadecimal) of a graph's triples in order, and of its names.

    What is hashed is the UTF-8 of one netstring a part, `LENGTH:TEXT` with the length in
    characters, head, relation, tail, triple after triple; then, if entities have names, a `|`, for
    each entity the number of its names, a `;` and their netstrings, and a `|` and the names of
    relations.
    """
    digest = hashlib.sha256()
    triples = iter_triples(content)
    while chunk := list(islice(triples, _CHUNK)):
        text = "".join([f"{len(part)}:{part}" for triple in chunk for part in triple])
        digest.update(text.encode("utf-8"))
    if content.names is not None:
        digest.update(b"|")
        called = map(content.names.get, range(len(content.entities)))
        while known := list(islice(called, _CHUNK)):
            lists = [f"{len(own)};" + "".join([f"{len(n)}:{n}" for n in own]) for own in known]
            digest.update("".join(lists).encode("utf-8"))
        relations = "".join([f"{len(name)}:{name}" for name in content.relation_names])
        digest.update(f"|{relations}".encode())
    return digest.hexdigest()


def _named(
    content: Content,
    *,
    languages: tuple[str, ...],
    given: GivenNames,
    given_relations: GivenNames,
    report: ReadReport | None,
) -> Content:
    graph = Graph(content.entities, content.relations, content.rows)
    interner = MemoryInterner()
    found = names.find_names(graph, interner, languages=languages, given=given)
    if report is not None:
        report.notes += map(no_text_in, found.absent(languages))
    strings, ids = interner.finish()
    count = len(content.entities)
    of_entity = names.group_names(found, ids, count=count)
    standing = bearers.standing_of(graph, of_entity, found.guessed)
    known = Names(
        strings,
        of_entity=of_entity,
        entities=bearers.by_name(of_entity, names=len(strings), standing=standing),
        standing=standing,
        languages=languages,
    )
    readable = relation_names(graph, known, given=given_relations)
    return replace(content, names=known, relation_names=readable)


def _check_names(given: GivenNames) -> None:
    for entity, called in given:
        if isinstance(called, str) or not all(map(is_text, called)):
            raise GraphError(f"the names of {entity!r} are {called!r}; give a list of texts")


def first_of_equals(rows: NDArray[np.integer]) -> NDArray[np.intp]:
    """Return the indices of the columns of `rows` (K, N) that equal no earlier one, ascending."""
    order = np.lexsort(rows)  # stable: among equals, the first of the source comes first
    ranked = rows[:, order]
    is_new = np.ones(len(order), dtype=np.bool_)
    is_new[1:] = (ranked[:, 1:] != ranked[:, :-1]).any(axis=0)
    return np.sort(order[is_new])


def parts(triple: tuple[str, str, str]) -> tuple[str, str, str]:
    """Return `triple` if it is three strings that hold something, else raise GraphError."""
    is_three = isinstance(triple, tuple | list) and len(triple) == 3
    if is_three and all(is_text(part) and part and not part.isspace() for part in triple):
        return triple
    raise GraphError(
        f"{triple!r} is no triple; give (head, relation, tail), three texts, none of them blank"
    )
