"""See a graph as a network of networkx, or a network as a graph; the one door to that library.

An entity is a node, a triple an edge, and the edge's key is its relation, so that two entities may
be joined by several relations, and by each of them once. networkx keeps every edge in several
dictionaries, some hundred times what a `TripleStore` needs, so a whole graph has a limit, and of a
large one a neighbourhood is taken. Figures over whole graphs are in `graphs.statistics`, which does
without.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from graphs.errors import GraphError, suggestion
from graphs.store import TripleStore
from graphs.triple import Triple, is_text

if TYPE_CHECKING:
    import networkx

Direction = Literal["both", "out", "in"]

MAX_TRIPLES = 1_000_000
_BYTES_PER_TRIPLE = 1_000
_SMALL = 10_000  # entities among which a misspelt one is looked for


def to_networkx(store: TripleStore, *, limit: int | None = MAX_TRIPLES) -> networkx.MultiDiGraph:
    """Return the whole graph: a node per entity, and per triple an edge with its relation as key.

    Nodes and edges stand in the order of the store. An edge has the attribute `relation` too, which
    the file formats of networkx keep; a node has the attribute `name` where the store has names
    (empty for an entity without one). Raises `GraphError` for more than `limit` triples, since
    networkx takes about 1 kB for each; None takes any number.
    """
    if limit is not None and len(store) > limit:
        raise GraphError(
            f"graph {store.name!r} has {len(store)} triples, and limit is {limit}; networkx would "
            f"take about {len(store) * _BYTES_PER_TRIPLE / 1e6:,.0f} MB: take a neighbourhood, or "
            "give limit=None"
        )
    return _network(store, nodes=store.entities, triples=store)


def from_networkx(graph: networkx.DiGraph, *, relation: str = "relation") -> Iterator[Triple]:
    """Yield a triple per edge, nodes in the order they were added, and so the edges of each.

    The relation is the edge's attribute `relation`; in a multigraph, where an edge has none, its
    key. A node without edges is in no triple.

    Raises `GraphError` at once for what is no directed graph, and while iterating for an edge whose
    nodes or relation are not texts with something other than white space in them.
    """
    import networkx

    if not isinstance(graph, networkx.Graph):
        raise GraphError(f"{type(graph).__name__} is no networkx graph; give a DiGraph")
    if not graph.is_directed():
        raise GraphError(
            "an undirected graph does not say which node is the head; give graph.to_directed() "
            "if every edge holds in both directions, else a DiGraph"
        )
    return _triples(graph, relation=relation)


def neighbourhood(
    store: TripleStore,
    entity: str,
    *,
    hops: int = 1,
    max_triples: int = 1_000,
    direction: Direction = "both",
) -> networkx.MultiDiGraph:
    """Return what is within `hops` triples of `entity`, nearest first, as `to_networkx` would.

    The walk is breadth first: of each entity less than `hops` away it takes what the graph says of
    it (`out`), then what is said with it in the tail's place (`in`), each in source order. It ends
    when `max_triples` are taken, and never reads more than one too many of an entity, so a hub
    costs no more than any other. The attribute `complete` of the result (`.graph["complete"]`) says
    whether all of the neighbourhood is in it; `entity` and `hops` stand beside it.

    Raises `GraphError` for an unknown entity, a negative number and another direction.
    """
    _check(store, entity, hops=hops, max_triples=max_triples, direction=direction)
    triples, complete = _walk(
        store, entity, hops=hops, max_triples=max_triples, direction=direction
    )
    ends = (end for triple in triples for end in (triple.head, triple.tail))
    graph = _network(store, nodes=dict.fromkeys([entity, *ends]), triples=triples)
    graph.graph.update(entity=entity, hops=hops, complete=complete)
    return graph


def labelled_tree(
    nodes: Iterable[tuple[int, Mapping[str, Any]]], edges: Iterable[tuple[int, int]]
) -> networkx.DiGraph:
    """Return numbered nodes with their attributes, and edges from parents to children."""
    import networkx

    tree = networkx.DiGraph()
    tree.add_nodes_from(nodes)
    tree.add_edges_from(edges)
    return tree


def _network(
    store: TripleStore, *, nodes: Iterable[str], triples: Iterable[Triple]
) -> networkx.MultiDiGraph:
    import networkx

    graph = networkx.MultiDiGraph(name=store.name)
    if store.named:
        graph.add_nodes_from((node, {"name": store.name_of(node)}) for node in nodes)
    else:
        graph.add_nodes_from(nodes)
    graph.add_edges_from(
        (head, tail, relation, {"relation": relation}) for head, relation, tail in triples
    )
    return graph


def _triples(graph: networkx.DiGraph, *, relation: str) -> Iterator[Triple]:
    multiple = graph.is_multigraph()
    edges = graph.edges(keys=True, data=True) if multiple else graph.edges(data=True)
    for head, tail, *key, data in edges:
        label = data.get(relation, *key)
        for part, value in (("head", head), ("relation", label), ("tail", tail)):
            if not is_text(value) or not value or value.isspace():
                where = f"edge {head!r} -> {tail!r}: the {part} is {value!r}"
                source = f"attribute {relation!r}" + (" or key" if multiple else "")
                advice = f"give its {source} a text" if part == "relation" else "name nodes by text"
                raise GraphError(f"{where}, no text with something in it; {advice}")
        yield Triple(head, label, tail)


def _check(store: TripleStore, entity: str, *, hops: int, max_triples: int, direction: str) -> None:
    for option, value in (("hops", hops), ("max_triples", max_triples)):
        if value < 0:
            raise GraphError(f"{option} is {value}; it must not be negative")
    if direction not in ("both", "out", "in"):
        raise GraphError(f"direction is {direction!r}; it must be 'both', 'out' or 'in'")
    if store.number(entity) < 0:
        called = store.candidates(entity)
        known = store.entities if len(store.entities) <= _SMALL else ()
        advice = f"; {called[0]!r} is called so" if called else suggestion(entity, known)
        raise GraphError(f"graph {store.name!r} has no entity {entity!r}{advice}")


def _walk(
    store: TripleStore, entity: str, *, hops: int, max_triples: int, direction: Direction
) -> tuple[list[Triple], bool]:
    """Return the triples of the neighbourhood in the order met, and whether those are all."""
    taken: dict[Triple, None] = {}
    reached = {entity}
    frontier = [entity]
    for _ in range(hops):
        found: list[str] = []
        for node in frontier:
            # Those taken and one more: where that many are read, one of them is new and too many.
            for triple in _incident(store, node, limit=max_triples + 1, direction=direction):
                if triple in taken:
                    continue
                if len(taken) == max_triples:
                    return list(taken), False
                taken[triple] = None
                other = triple.tail if triple.head == node else triple.head
                if other not in reached:
                    reached.add(other)
                    found.append(other)
        frontier = found
    return list(taken), True


def _incident(
    store: TripleStore, node: str, *, limit: int, direction: Direction
) -> Iterator[Triple]:
    if direction != "in":
        for relation, tail in store.facts(node, limit=limit):
            yield Triple(node, relation, tail)
    if direction != "out":
        yield from store.subjects(node, limit=limit)
