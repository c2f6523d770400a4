"""A graph as plain lists and dictionaries, written from the docstrings alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from graphs import TripleStore
from graphs.terms import is_iri, literal, parse_literal, readable

RDFS_LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
PREF_LABEL = "http://www.w3.org/2004/02/skos/core#prefLabel"
ALT_LABEL = "http://www.w3.org/2004/02/skos/core#altLabel"
DIRECT_CLAIM = "http://wikiba.se/ontology#directClaim"
LABELS = (
    PREF_LABEL,
    RDFS_LABEL,
    "http://schema.org/name",
    "https://schema.org/name",
    "http://xmlns.com/foaf/0.1/name",
)
ALIASES = (
    ALT_LABEL,
    "http://schema.org/alternateName",
    "https://schema.org/alternateName",
)

# Parts of graphs as they are in the world, many of which name the same thing.
PLAIN = ["北京", "北京市", "苹果 手机", "😀👍", "a", "b", "ab", "A b", "é", "1:", "e\u0301", "ＡＢ"]
IRIS = [
    "http://ex.org/birthPlace",
    "http://ex.org/AB",
    "http://other.org/AB",
    "http://ex.org/%E5%8C%97%E4%BA%AC",
    "http://ex.org/#",
    "urn:graphs:x",
    "urn:x:ab",
]
BLANKS = ["_:b0", "_:b1.x"]
LITERALS = [
    literal("北京"),
    literal("ab", language="en"),
    literal("ab", language="en-gb"),
    literal("北京", language="zh"),
    literal("Peking", language="de"),
    literal("  a \t b\n"),
    literal("nul\0nul", language="en"),
    literal(""),
    literal(" "),
    literal("42", datatype="http://www.w3.org/2001/XMLSchema#integer"),
]
NODES = [*PLAIN, *IRIS, *BLANKS, *LITERALS]
RELATIONS = ["首都", "r", "a", "ab", "http://ex.org/birthPlace", "http://ex.org/AB"]
NAMING = [RDFS_LABEL, PREF_LABEL, ALT_LABEL, "http://schema.org/name", DIRECT_CLAIM]


def clean(text: str) -> str:
    return " ".join(text.split())


def language_rank(tag: str, languages: Sequence[str]) -> int | None:
    """Say how much a language is preferred, 0 most; None for one that is not wanted."""
    if not languages:
        return 0
    if tag == "":
        return len(languages)
    for rank, language in enumerate(languages):
        if tag == language or tag.startswith(language + "-"):
            return rank
    return None


class BruteGraph:
    """Answer like a store, by going through a list."""

    def __init__(
        self,
        triples: Iterable[tuple[str, str, str]],
        *,
        languages: Sequence[str] = (),
        names: Mapping[str, Sequence[str]] | None = None,
        rdf: bool = False,
    ) -> None:
        self.triples = list(dict.fromkeys(map(tuple, triples)))
        self.entities = list(dict.fromkeys(e for h, _, t in self.triples for e in (h, t)))
        self.heads = list(dict.fromkeys(h for h, _, _ in self.triples))
        self.relations = list(dict.fromkeys(r for _, r, _ in self.triples))
        self.named = rdf or bool(names) or any(r in (*LABELS, *ALIASES) for r in self.relations)
        self.languages = tuple(languages) if self.named else ()
        self._guessed: set[str] = set()
        self._known = {e: self._find_names(e, dict(names or {})) for e in self.entities}

    def facts(self, entity: str) -> list[tuple[str, str]]:
        return [(r, t) for h, r, t in self.triples if h == entity]

    def rarest_facts(self, entity: str) -> list[tuple[str, str]]:
        relations = Counter(r for _, r, _ in self.triples)
        tails = Counter(t for _, _, t in self.triples)
        return sorted(self.facts(entity), key=lambda fact: (relations[fact[0]], tails[fact[1]]))

    def subjects(self, tail: str) -> list[tuple[str, str, str]]:
        return [triple for triple in self.triples if triple[2] == tail]

    def heads_where(self, relations: Sequence[str] | None, *, sayable: bool) -> list[str]:
        def fits(relation: str, tail: str) -> bool:
            wanted = relations is None or relation in relations
            return wanted and not (sayable and self.readable((relation, tail)) is None)

        return [head for head in self.heads if any(fits(r, t) for r, t in self.facts(head))]

    def names_of(self, entity: str) -> list[str]:
        return self._known.get(entity, [entity]) if self.named else [entity]

    def name_of(self, entity: str) -> str:
        return next(iter(self.names_of(entity)), "")

    def relation_name(self, relation: str) -> str:
        if not self.named or relation not in self.relations:
            return relation
        entity = relation
        for head, stated, tail in self.triples:
            if stated == DIRECT_CLAIM and tail == relation:
                entity = head
        name = self.name_of(entity) if entity in self.entities else ""
        if name and (" " in name or not relation.endswith(name)):
            return name
        return readable(relation)

    def candidates(self, name: str) -> list[str]:
        found = [e for e in self.entities if self.named and name in self.names_of(e)]
        found = [e for e in found if parse_literal(e) is None]
        found.sort(key=lambda e: (self._likely(e, self.name_of(e) != name), -self._said(e)))
        return found + [name] * (name in self.entities and name not in found)

    def readable(self, fact: tuple[str, str]) -> tuple[str, str] | None:
        if not self.named:
            return fact
        relation, tail = fact
        if relation in (*LABELS, *ALIASES) or not self.name_of(tail):
            return None
        return self.relation_name(relation), self.name_of(tail)

    def _likely(self, entity: str, is_alias: bool) -> int:
        return 2 if entity in self._guessed else int(is_alias)

    def _said(self, entity: str) -> int:
        return sum(self.readable(fact) is not None for fact in self.facts(entity))

    def bearers(self) -> list[tuple[str, str]]:
        """List (name, entity) of the entities with facts, the likeliest meant first."""
        found = [
            (self._likely(entity, place > 0), -self._said(entity), number, name)
            for number, entity in enumerate(self.entities)
            if entity in self.heads
            for place, name in enumerate(self.names_of(entity))
        ]
        return [(name, self.entities[number]) for _, _, number, name in sorted(found)]

    def _find_names(self, entity: str, given: dict[str, Sequence[str]]) -> list[str]:
        stated = [(0, 0, 0, text) for text in given.get(entity, ())]
        unwanted = []
        for head, relation, tail in self.triples:
            if head == entity and relation in (*LABELS, *ALIASES):
                parts = parse_literal(tail)
                rank = language_rank("" if parts is None else parts.language, self.languages)
                kind = 1 if relation in LABELS else 2
                place = (*LABELS, *ALIASES).index(relation)
                if rank is None:
                    unwanted.append((kind, 0, place, readable(tail)))
                else:
                    stated.append((kind, rank, place, readable(tail)))
        for chosen in (stated, unwanted):
            chosen.sort(key=lambda each: each[:3])
            if names := list(dict.fromkeys(filter(None, (clean(n) for *_, n in chosen)))):
                return names
        parts = parse_literal(entity)
        if parts is not None and language_rank(parts.language, self.languages) is None:
            return []
        name = clean(readable(entity))
        if parts is None and is_iri(entity):
            self._guessed.add(entity)
            if name.isascii() and not any(a.isalpha() and b.isalpha() for a, b in pairwise(name)):
                return []
        return [name] if name else []


def check(store: TripleStore, brute: BruteGraph, *, limits: Sequence[int] = (0, 1, 2, 9)) -> int:
    """Compare all that a store answers with brute force; return how many answers that were."""
    count = 0

    def same(found: Any, expected: Any) -> None:
        nonlocal count
        count += 1
        assert found == expected

    same(list(store), brute.triples)
    same(len(store), len(brute.triples))
    same(list(store.entities), brute.entities)
    same(list(store.heads), brute.heads)
    same(list(store.relations), brute.relations)
    same((store.named, store.languages), (brute.named, brute.languages))
    same(store.naming, {r for r in brute.relations if brute.named and r in (*LABELS, *ALIASES)})
    numbered = [store.entities, store.relations, store.entities]
    texts = [
        [table[n] for n in row] for table, row in zip(numbered, store.rows.tolist(), strict=True)
    ]
    same(list(zip(*texts, strict=True)), brute.triples)
    for name in dict.fromkeys([*brute.entities, *brute.relations, "unknown", "", "\ud800"]):
        _check_entity(store, brute, name, same=same, limits=limits)
    for relation in (*brute.relations, "unknown"):
        same(store.relation_name(relation), brute.relation_name(relation))
        same(store.relation_count(relation), sum(r == relation for _, r, _ in brute.triples))
    for relations in (None, [], brute.relations[:1], [*brute.relations[1:3], "unknown"]):
        for sayable in (False, True):
            found = list(store.heads_where(relations=relations, sayable=sayable))
            same(found, brute.heads_where(relations, sayable=sayable))
    for triple in brute.triples:
        same(triple in store, True)
        same((*triple[:2], triple[0]) in store, (*triple[:2], triple[0]) in brute.triples)
    return count


def _check_entity(
    store: TripleStore,
    brute: BruteGraph,
    name: str,
    *,
    same: Callable[[Any, Any], None],
    limits: Sequence[int],
) -> None:
    facts, rarest, subjects = brute.facts(name), brute.rarest_facts(name), brute.subjects(name)
    same(store.facts(name), facts)
    same(store.rarest_facts(name), rarest)
    same(store.subjects(name), subjects)
    for limit in limits:
        same(store.facts(name, limit=limit), facts[:limit])
        same(store.rarest_facts(name, limit=limit), rarest[:limit])
        same(store.subjects(name, limit=limit), subjects[:limit])
    same(store.degree(name), len(facts))
    same(store.degree(name, in_words=True), brute._said(name))
    same(store.tail_count(name), len(subjects))
    same(store.number(name), brute.entities.index(name) if name in brute.entities else -1)
    same(name in store.entities, name in brute.entities)
    same(store.names_of(name), tuple(brute.names_of(name)))
    same(store.name_of(name), brute.name_of(name))
    for called in dict.fromkeys([name, *brute.names_of(name)]):
        same(store.candidates(called), tuple(brute.candidates(called)))
    for fact in store.facts(name):
        same(store.readable(fact), brute.readable(fact))
