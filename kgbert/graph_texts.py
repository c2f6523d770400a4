"""What a graph of `graphs` says in words, and which of its triples a model can learn.

Where entities have names apart from their ids (RDF, above all), triples that only name or describe
are texts and no facts, and those with a literal as their tail have no entity there; both are left
out and counted.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from graphs.languages import language_rank
from graphs.store import TripleStore
from graphs.terms import parse_literal
from graphs.triple import Triple
from kbert.errors import DataError
from kgbert.texts import TextMode, Wording, joined

# In the order of preference; the first that an entity has in the best language is taken.
DESCRIBING: Final = (
    "http://www.w3.org/2004/02/skos/core#definition",
    "http://www.w3.org/2000/01/rdf-schema#comment",
    "http://schema.org/description",
    "https://schema.org/description",
    "http://purl.org/dc/terms/description",
    "http://purl.org/dc/elements/1.1/description",
    "http://dbpedia.org/ontology/abstract",
)


class Learnable(NamedTuple):
    """The triples between entities, in their order, and what was left out."""

    store: TripleStore
    notes: tuple[str, ...]


def learnable(store: TripleStore) -> Learnable:
    """Return the part of `store` that states facts between entities.

    Raises `DataError` where there is none.
    """
    if not store.named:
        return Learnable(store, ())
    texts, kept, literals = frozenset((*store.naming, *DESCRIBING)), list[Triple](), 0
    for triple in store:
        if triple.relation in texts:
            continue
        if parse_literal(triple.tail) is not None:
            literals += 1
        else:
            kept.append(triple)
    if not kept:
        raise DataError(
            "no triple between two entities; there is nothing to learn", file=store.name
        )
    said = len(store) - len(kept) - literals
    notes = (
        f"{store.name}: of {len(store):,} triples {said:,} are names and descriptions, and"
        f" {literals:,} have a literal for a tail: left out",
    )
    return Learnable(TripleStore.from_triples(kept, name=store.name), notes)


def entity_wording(
    store: TripleStore, entities: tuple[str, ...], *, mode: TextMode, required: bool = True
) -> Wording:
    """Say what `entities` are called in `store`, in the languages that it was opened with.

    Raises `DataError` where descriptions are asked for, and `required`, and no entity has one.
    """
    described = {} if mode == "name" else _descriptions(store)
    if mode != "name" and required and not described:
        raise DataError("no descriptions of entities; take texts 'name'", file=store.name)
    texts, without = {}, 0
    for entity in entities:
        description = described.get(entity, "")
        text = joined(store.name_of(entity), description, mode=mode)
        without += mode != "name" and bool(text) and not description
        if text:
            texts[entity] = text
    note = f"{store.name}: {without:,} entities have no description; their name is read"
    return Wording(store.name, texts, notes=(note,) if without else ())


def relation_wording(store: TripleStore, relations: tuple[str, ...]) -> Wording:
    """Say what `relations` are called in `store`."""
    names = {relation: store.relation_name(relation) for relation in relations}
    return Wording(store.name, {relation: name for relation, name in names.items() if name})


def _descriptions(store: TripleStore) -> dict[str, str]:
    """Find the description of each entity, in the best of the languages that are wanted."""
    found: dict[str, tuple[int, int, str]] = {}
    order = {relation: rank for rank, relation in enumerate(DESCRIBING)}
    unwanted = language_rank("", store.languages)
    for head, relation, tail in store:
        rank = order.get(relation)
        literal = None if rank is None else parse_literal(tail)
        if rank is None or literal is None:
            continue
        language = language_rank(literal.language, store.languages)
        text = " ".join(literal.text.split())
        best = found.get(head)
        if text and language <= unwanted and (best is None or (language, rank) < best[:2]):
            found[head] = language, rank, text
    return {entity: text for entity, (_, _, text) in found.items()}
