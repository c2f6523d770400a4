"""Find out what entities and relations are called: labels, aliases, and what their ids say.

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

from graphs.errors import GraphError
from graphs.interning import Interner
from graphs.strings import Strings
from graphs.terms import LANGUAGE, is_iri, parse_literal, readable

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
_DIRECT_CLAIM = "http://wikiba.se/ontology#directClaim"

# How much less likely an entity is meant by its alias; more than any number of facts.
ALIAS = 1 << 40

_has_letters = re.compile("[A-Za-z]{2}").search

# What a name comes from, in the order of preference.
_GIVEN, _LABEL, _ALIAS = range(3)

_CHUNK = 1 << 16
_UNWANTED = 1 << 20  # the rank of a language that is not in the preference
_is_language = re.compile(LANGUAGE).fullmatch


class Groups(NamedTuple):
    """Lists of numbers in a row: list i is `values[offsets[i]:offsets[i + 1]]`."""

    offsets: NDArray[np.int64]
    values: NDArray[np.int32]

    @classmethod
    def of(cls, owners: NDArray[np.int32], values: NDArray[np.int32], *, count: int) -> Groups:
        """Group `values` (N,) by their `owners` (N,), 0 to `count` - 1, keeping their order."""
        offsets = np.zeros(count + 1, dtype=np.int64)
        np.cumsum(np.bincount(owners, minlength=count), out=offsets[1:])
        return cls(offsets, values[np.argsort(owners, kind="stable")])

    def get(self, number: int) -> list[int]:
        """Return the list `number`."""
        found: list[int] = self.values[self.offsets[number] : self.offsets[number + 1]].tolist()
        return found


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


class Names:
    """Say what entities are called, and who is called so."""

    def __init__(
        self,
        strings: Strings,
        *,
        of_entity: Groups,
        entities: Groups,
        standing: NDArray[np.int64],
        languages: tuple[str, ...],
    ) -> None:
        """Take the distinct names, those of each entity, and the entities of each name.

        `standing` (E,) is how likely an entity is meant by its name, see `standing_of`.
        """
        self.strings = strings
        self.standing = standing
        self.of_entity = of_entity
        self.entities = entities
        self.languages = languages

    def get(self, entity: int) -> list[str]:
        """Return the names of the entity of this number, the preferred one first."""
        return self.strings.take(self.of_entity.get(entity))

    def first(self, entity: int) -> str:
        """Return the preferred name, or `""`."""
        offsets = self.of_entity.offsets
        start, stop = offsets.item(entity), offsets.item(entity + 1)
        return self.strings.take([self.of_entity.values.item(start)])[0] if start < stop else ""

    def candidates(self, name: str) -> list[int]:
        """Return the entities of this name: see `by_name` for their order."""
        number = self.strings.number(name)
        return [] if number < 0 else self.entities.get(number)

    def said(self, entity: int) -> int:
        """Return how many facts of an entity there are words for, see `standing_of`."""
        standing = self.standing.item(entity)
        return -standing if standing <= 0 else 2 * ALIAS - standing

    def has_name(self) -> NDArray[np.bool_]:
        """Say of each entity (E,) whether it has a name."""
        return np.diff(self.of_entity.offsets) > 0


def preference(languages: Sequence[str]) -> tuple[str, ...]:
    """Return the tags of `languages` in lower case, as terms have them.

    Raises `GraphError` for a text in place of a list, and for what is no language tag.
    """
    if isinstance(languages, str):
        raise GraphError(f"languages is the text {languages!r}; give a list of language tags")
    for language in languages:
        if not _is_language(language):
            raise GraphError(f"{language!r} is no language tag; write it as in en or zh-hant")
    return tuple(language.lower() for language in languages)


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


def standing_of(graph: Graph, of_entity: Groups, guessed: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return for each entity (E,) a number that is the lower, the likelier it is meant by a name.

    That is the number of its facts that there are words for, negative: those that do more than name
    it, and whose tail has a name. Entities whose name is a guess come after all others, also after
    those that have the name as an alias.
    """
    heads, relations, tails = graph.rows
    has_name = np.diff(of_entity.offsets) > 0
    says = np.ones(len(graph.relations), dtype=np.bool_)
    says[[graph.relations.number(relation) for relation in is_naming(graph.relations)]] = False
    standing = np.zeros(len(graph.entities), dtype=np.int64)
    for start in range(0, len(heads), _CHUNK):
        part = slice(start, start + _CHUNK)
        said = says[relations[part]] & has_name[tails[part]]
        np.subtract.at(standing, heads[part][said], 1)
    standing[guessed] += 2 * ALIAS
    return standing


def by_name(of_entity: Groups, *, names: int, standing: NDArray[np.int64]) -> Groups:
    """Return the entities of each of `names` names, the likeliest meant first.

    First those whose preferred name it is, then those who have it as an alias, then those of whom
    it is a guess; among these by `standing` (E,), then in the order of the source.
    """
    owners = np.repeat(
        np.arange(len(of_entity.offsets) - 1, dtype=np.int32), np.diff(of_entity.offsets)
    )
    places = np.arange(len(owners), dtype=np.int64) - of_entity.offsets[owners]
    order = np.lexsort((owners, standing[owners] + ALIAS * (places > 0), of_entity.values))
    return Groups.of(of_entity.values[order], owners[order], count=names)


def relation_names(
    graph: Graph, names: Names, *, given: Iterable[tuple[str, Sequence[str]]] = ()
) -> list[str]:
    """Return a readable name for each relation: given, that of its entity, or what its IRI says.

    Wikidata names the property `P31`, which `wikibase:directClaim` connects with the relation.
    """
    known = {relation: clean(called[0]) for relation, called in given if called}
    direct = _direct_claims(graph)
    readables = []
    for relation in graph.relations:
        if known.get(relation):
            readables.append(known[relation])
            continue
        number = graph.entities.number(relation)
        name = names.first(direct.get(number, number)) if number >= 0 else ""
        # A label such as `birthPlace` is the local name over again.
        if not name or (" " not in name and relation.endswith(name)):
            name = readable(relation)
        readables.append(name)
    return readables


def no_text_in(language: str) -> str:
    """Return the line that tells of a preferred language which does not occur."""
    return f"no text of the graph is in the language {language!r}; info counts those that occur"


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
    best = np.full(len(graph.entities), _UNWANTED, dtype=np.int32)
    np.minimum.at(best, owner, language)
    order = np.lexsort((relation, language, kind, owner))  # stable: then the source's order
    order = order[(language < _UNWANTED)[order] | (best[owner] == _UNWANTED)[order]]
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
    return clean(readable(term)) if rank < _UNWANTED else ""


def language_rank(tag: str, languages: Sequence[str]) -> int:
    """Return the place of a language `tag` in the preference; `en` takes `en-gb`, too.

    A text without a language comes after the preferred ones; without a preference all are 0.
    """
    if not languages:
        return 0
    if not tag:
        return len(languages)
    for rank, language in enumerate(languages):
        if tag == language or tag.startswith(f"{language}-"):
            return rank
    return _UNWANTED


def _direct_claims(graph: Graph) -> dict[int, int]:
    """Return for relations of Wikidata, as entities, the property that stands behind each."""
    number = graph.relations.number(_DIRECT_CLAIM)
    if number < 0:
        return {}
    heads, relations, tails = graph.rows
    rows = relations == number
    return dict(zip(tails[rows].tolist(), heads[rows].tolist(), strict=True))
