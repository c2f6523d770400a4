"""Find out what entities are called: labels, aliases, and what their ids say.

In RDF an entity is an IRI, and what people call it stands in triples with `rdfs:label` and its
like. The names of an entity are, the preferred one first:

1. names given apart from the triples; then labels, the texts of `skos:prefLabel`, `rdfs:label`,
   `schema:name`, `foaf:name`; then aliases, those of `skos:altLabel` and `schema:alternateName`;
2. with a preference of languages, only those in one of them (`en` takes `en-gb`, too) or in none;
   if there is no such name, all of them. Labels come by the order of the preference, none last,
   and then by that of the relations, and so do aliases;
3. without any name, what the id says: the text of a literal (none if its language is not wanted),
   the local name of an IRI as words (none if it has no two letters in a row, as `Q42`), plain text
   as it stands, nothing for a blank node.

White space in names is one space. In a graph that is not RDF entities are texts that name
themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs.groups import Groups
from graphs.interning import Interner
from graphs.languages import UNWANTED, language_rank
from graphs.strings import Strings
from graphs.terms import is_iri, parse_literal, readable

_RDFS, _SKOS = "http://www.w3.org/2000/01/rdf-schema#", "http://www.w3.org/2004/02/skos/core#"
_SCHEMA = ("http://schema.org/", "https://schema.org/")
PREFERRED = (
    f"{_SKOS}prefLabel",
    f"{_RDFS}label",
    *(f"{schema}name" for schema in _SCHEMA),
    "http://xmlns.com/foaf/0.1/name",
)
ALIASES = (f"{_SKOS}altLabel", *(f"{schema}alternateName" for schema in _SCHEMA))
NAMING = (*PREFERRED, *ALIASES)

_has_letters = re.compile("[A-Za-z]{2}").search

# What a name comes from, in the order of preference.
_GIVEN, _LABEL, _ALIAS = range(3)

_CHUNK = 1 << 16


class Graph(NamedTuple):
    """What names are read from: strings by number, and rows (3, N) int32 of triples."""

    entities: Strings
    relations: Strings
    rows: NDArray[np.int32]


class Found(NamedTuple):
    """Names as found: entity `owners` (M,) and `serials` (M,) of an interner, preferred first.

    `guessed` (G,) are the entities whose only name is what their IRI ends in. `ranks` are those of
    the languages that occurred, see `language_rank`.
    """

    owners: NDArray[np.int32]
    serials: NDArray[np.int32]
    guessed: NDArray[np.int32]
    ranks: frozenset[int]

    def absent(self, languages: Sequence[str]) -> list[str]:
        """Return those of the preferred `languages` that no text of the graph is in."""
        return [tag for rank, tag in enumerate(languages) if rank not in self.ranks]


def is_naming(relations: Iterable[str]) -> frozenset[str]:
    """Return those of `relations` that only say what something is called."""
    return frozenset(NAMING).intersection(relations)


def find_names(
    graph: Graph,
    interner: Interner,
    *,
    languages: Sequence[str],
    given: Iterable[tuple[str, Sequence[str]]] = (),
) -> Found:
    """Find the names of all entities; their texts go to `interner`.

    `given` are names from elsewhere, (entity, names); those of unknown entities are left out.
    Memory: some bytes a name, and `interner`'s.
    """
    explicit = _explicit(graph, interner, languages=languages, given=given)
    named = np.zeros(len(graph.entities), dtype=np.bool_)
    named[explicit.owners] = True
    implied = _implied(graph.entities, np.flatnonzero(~named), interner, languages=languages)
    return Found(
        np.concatenate([explicit.owners, implied.owners]),
        np.concatenate([explicit.serials, implied.serials]),
        implied.guessed,
        explicit.ranks | implied.ranks,
    )


def group_names(found: Found, ids: NDArray[np.int32], *, count: int) -> Groups:
    """Return the names of each of `count` entities, once each; `ids` maps serials to names."""
    pairs = found.owners.astype(np.int64) << 32 | ids[found.serials]
    _, first = np.unique(pairs, return_index=True)
    first.sort()
    return Groups.of(found.owners[first], ids[found.serials[first]], count=count)


def clean(name: str) -> str:
    """Return `name` with one space for any white space, and none around it."""
    return " ".join(name.split())


class _Stated(NamedTuple):
    """A name that is stated: who has it, its text, and the ranks by which names are ordered."""

    owner: int
    name: str
    kind: int
    language: int
    relation: int


def _explicit(
    graph: Graph,
    interner: Interner,
    *,
    languages: Sequence[str],
    given: Iterable[tuple[str, Sequence[str]]],
) -> Found:
    """Return the names that are stated, chosen by language and put in order."""
    stated = chain(_given(given, graph.entities), _labels(graph, languages=languages))
    columns, serials = [np.empty((4, 0), dtype=np.int32)], [np.empty(0, dtype=np.int32)]
    while chunk := list(islice(stated, _CHUNK)):
        owners, names, kinds, tongues, relations = zip(*chunk, strict=True)
        columns.append(np.array([owners, kinds, tongues, relations], dtype=np.int32))
        serials.append(interner.add(names))
    owner, kind, language, relation = np.concatenate(columns, axis=1)
    best = np.full(len(graph.entities), UNWANTED, dtype=np.int32)
    np.minimum.at(best, owner, language)
    order = np.lexsort((relation, language, kind, owner))  # stable: then the source's order
    order = order[(language < UNWANTED)[order] | (best[owner] == UNWANTED)[order]]
    ranks = frozenset(np.unique(language[kind != _GIVEN]).tolist())
    guessed = np.empty(0, dtype=np.int32)
    return Found(owner[order], np.concatenate(serials)[order], guessed, ranks)


def _given(given: Iterable[tuple[str, Sequence[str]]], entities: Strings) -> Iterator[_Stated]:
    for entity, names in given:
        owner = entities.number(entity)
        if owner >= 0:
            for name in filter(None, map(clean, names)):
                yield _Stated(owner, name, _GIVEN, 0, 0)


def _labels(graph: Graph, *, languages: Sequence[str]) -> Iterator[_Stated]:
    """Yield the names that triples state, relation by relation, in the order of the source."""
    heads, relations, tails = graph.rows
    for rank, relation in enumerate(NAMING):
        number = graph.relations.number(relation)
        rows = np.flatnonzero(relations == number) if number >= 0 else range(0)
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            texts = graph.entities.take(tails[chunk].tolist())
            for owner, term in zip(heads[chunk].tolist(), texts, strict=True):
                parsed = parse_literal(term)
                name = clean(readable(term))
                tongue = language_rank("" if parsed is None else parsed.language, languages)
                if name:
                    yield _Stated(
                        owner, name, _LABEL if rank < len(PREFERRED) else _ALIAS, tongue, rank
                    )


def _implied(
    entities: Strings,
    unnamed: NDArray[np.intp],
    interner: Interner,
    *,
    languages: Sequence[str],
) -> Found:
    """Return the names that the ids of `unnamed` entities themselves say."""
    owners, serials, guessed = [[np.empty(0, dtype=np.int32)] for _ in range(3)]
    ranks: set[int] = set()
    for start in range(0, len(unnamed), _CHUNK):
        chunk = unnamed[start : start + _CHUNK].tolist()
        terms = entities.take(chunk)
        names = [_says(term, languages=languages, ranks=ranks) for term in terms]
        kept = [number for number, name in zip(chunk, names, strict=True) if name]
        iris = [number for number, term in zip(chunk, terms, strict=True) if is_iri(term)]
        owners.append(np.array(kept, dtype=np.int32))
        guessed.append(np.array(iris, dtype=np.int32))
        serials.append(interner.add([name for name in names if name]))
    all_owners, all_serials, all_guessed = map(np.concatenate, (owners, serials, guessed))
    return Found(all_owners, all_serials, all_guessed, frozenset(ranks))


def _says(term: str, *, languages: Sequence[str], ranks: set[int]) -> str:
    """Return what an id says; note the rank of a literal's language in `ranks`."""
    parsed = parse_literal(term) if term.startswith('"') else None
    if parsed is None:
        name = clean(readable(term))
        # Q42, m.02mjmr and 118540238 are numbers of a catalogue, and no words.
        return "" if name.isascii() and is_iri(term) and not _has_letters(name) else name
    rank = language_rank(parsed.language, languages)
    ranks.add(rank)
    return clean(readable(term)) if rank < UNWANTED else ""
