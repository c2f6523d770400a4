"""Sum up a graph for a person: how large, which relations, how connected, what looks wrong.

Figures come from `graphs.statistics` and `graphs.suspicions`. On five million triples all of it is
seconds of work on arrays and one or two passes over the names, with some hundred bytes an entity.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graphs.statistics import (
    Bin,
    RelationStatistics,
    components,
    degree_histogram,
    degrees,
    relation_statistics,
)
from graphs.store import TripleStore
from graphs.suspicions import Suspicion, find_suspicions
from graphs.terms import parse_literal

HUBS = 10


class Hub(NamedTuple):
    """Name an entity with many triples, and count those it is head and tail of."""

    entity: str
    name: str
    facts: int
    incoming: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Describe a graph; lists stand in the order named, and ties in that of the graph.

    heads, sayable: entities with facts; with facts that there are words for, which text is
    searched for.
    title: the name that a compiled graph was given when it was built.
    relations: one entry each, that with most triples first.
    naming: the relations that only say what something is called.
    facts, incoming: how many entities have so many triples as head, and as tail.
    hubs: the entities with most triples.
    components, largest: parts without a triple between them; entities of the largest.
    languages, datatypes: literals by language tag and datatype IRI (`""` for plain ones), most
    frequent first; both are empty for a graph without literals.
    sources: for each file that the graph was read from, what it gave.
    """

    graph: str
    title: str
    triples: int
    entities: int
    heads: int
    sayable: int
    duplicates: int
    skipped: int
    named: bool
    preferred_languages: tuple[str, ...]
    naming: tuple[str, ...]
    relations: tuple[RelationStatistics, ...]
    facts: tuple[Bin, ...]
    incoming: tuple[Bin, ...]
    hubs: tuple[Hub, ...]
    components: int
    largest: int
    languages: dict[str, int]
    datatypes: dict[str, int]
    suspicions: tuple[Suspicion, ...]
    sources: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON holds them."""
        content = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        content["relations"] = [dataclasses.asdict(relation) for relation in self.relations]
        for name in ("facts", "incoming", "hubs", "suspicions"):
            content[name] = [each._asdict() for each in content[name]]
        return content


def summarise(store: TripleStore) -> Summary:
    """Compute the summary of `store`."""
    found = degrees(store)
    sizes = components(store).sizes
    languages, datatypes = _literals(store)
    by_size = sorted(relation_statistics(store), key=lambda each: -each.triples)
    # Stable: of equal ones the earlier comes first.
    top = np.argsort(-found.total, kind="stable")[:HUBS].tolist()
    hubs = [
        Hub(entity, store.name_of(entity), int(found.outgoing[i]), int(found.incoming[i]))
        for i, entity in ((i, store.entities[i]) for i in top)
    ]
    return Summary(
        graph=store.name,
        title="" if store.folder is None else store.folder.manifest["name"],
        triples=len(store),
        entities=len(store.entities),
        heads=int(np.count_nonzero(found.outgoing)),
        sayable=len(store.heads_where(sayable=True)),
        duplicates=store.duplicates,
        skipped=store.skipped,
        named=store.named,
        preferred_languages=tuple(store.languages),
        naming=tuple(sorted(store.naming)),
        relations=tuple(by_size),
        facts=tuple(degree_histogram(found.outgoing)),
        incoming=tuple(degree_histogram(found.incoming)),
        hubs=tuple(hubs),
        components=len(sizes),
        largest=int(sizes[0]) if len(sizes) else 0,
        languages=dict(languages.most_common()),
        datatypes=dict(datatypes.most_common()),
        suspicions=tuple(find_suspicions(store)),
        sources=tuple(_plain(source._asdict()) for source in store.sources),
    )


def _literals(store: TripleStore) -> tuple[Counter[str], Counter[str]]:
    """Count the literals among the entities by language and by datatype."""
    languages: Counter[str] = Counter()
    datatypes: Counter[str] = Counter()
    for entity in store.entities:
        if entity.startswith('"') and (parts := parse_literal(entity)) is not None:
            if parts.language or not parts.datatype:
                languages[parts.language] += 1
            else:
                datatypes[parts.datatype] += 1
    return languages, datatypes


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    return {key: str(value) if isinstance(value, Path) else value for key, value in record.items()}
