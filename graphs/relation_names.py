"""Find out what relations are called: in words, where the graph or their IRI has some."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphs.bearers import Names
from graphs.names import Graph, clean
from graphs.terms import readable

_DIRECT_CLAIM = "http://wikiba.se/ontology#directClaim"


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


def _direct_claims(graph: Graph) -> dict[int, int]:
    """Return for relations of Wikidata, as entities, the property that stands behind each."""
    number = graph.relations.number(_DIRECT_CLAIM)
    if number < 0:
        return {}
    heads, relations, tails = graph.rows
    rows = relations == number
    return dict(zip(tails[rows].tolist(), heads[rows].tolist(), strict=True))
