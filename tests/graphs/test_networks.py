from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import GraphError, Triple, TripleStore, reversals
from graphs.networks import Direction, from_networkx, neighbourhood, to_networkx
from graphs.statistics import (
    Bin,
    centrality,
    components,
    degree_histogram,
    degrees,
    relation_statistics,
)

REPOSITORY = Path(__file__).resolve().parents[2]
MANY_TRIPLES = 40
entity = st.sampled_from("abcdefgh")
relation = st.sampled_from("rstu")
stores = st.lists(st.tuples(entity, relation, entity), max_size=MANY_TRIPLES).map(
    TripleStore.from_triples
)
dense_stores = st.lists(
    st.tuples(st.sampled_from("abc"), relation, st.sampled_from("abc")), min_size=12, max_size=36
).map(TripleStore.from_triples)
directions = st.sampled_from(["both", "out", "in"])


def edges(graph: networkx.MultiDiGraph) -> list[tuple[str, str, str]]:
    return [(head, relation, tail) for head, tail, relation in graph.edges(keys=True)]


@given(stores)
def test_every_triple_is_an_edge_and_every_entity_a_node(store: TripleStore) -> None:
    graph = to_networkx(store)
    assert list(graph) == list(store.entities)
    assert sorted(edges(graph)) == sorted(store)
    for _, _, key, data in graph.edges(keys=True, data=True):
        assert data == {"relation": key}
    assert graph.name == "memory" and not any(data for _, data in graph.nodes(data=True))
    again = list(from_networkx(graph))
    by_node = {name: number for number, name in enumerate(store.entities)}
    grouped = sorted(store, key=lambda triple: by_node[triple.head])
    assert again == [
        triple
        for head in store.entities
        for tail in dict.fromkeys(fact.tail for fact in store.facts(head))
        for triple in grouped
        if (triple.head, triple.tail) == (head, tail)
    ]
    assert all(isinstance(triple, Triple) for triple in again)


def test_a_large_graph_is_refused_with_its_size_and_what_to_do() -> None:
    store = TripleStore.from_triples(("a", "r", str(i)) for i in range(2_000))
    with pytest.raises(GraphError) as caught:
        to_networkx(store, limit=1_999)
    assert str(caught.value) == (
        "graph 'memory' has 2000 triples, and limit is 1999; networkx would take about 2 MB: "
        "take a neighbourhood, or give limit=None"
    )
    for limit in (2_000, None):
        assert to_networkx(store, limit=limit).number_of_edges() == 2_000


def test_a_relation_is_an_attribute_or_the_key() -> None:
    single = networkx.DiGraph()
    single.add_edge("b", "a", relation="r", weight=3)
    single.add_edge("a", "b", label="s", relation="t")
    assert list(from_networkx(single)) == [("b", "r", "a"), ("a", "t", "b")]
    single["b"]["a"]["label"] = "u"
    assert list(from_networkx(single, relation="label")) == [("b", "u", "a"), ("a", "s", "b")]
    double = networkx.MultiDiGraph([("a", "b", "r"), ("a", "b", "s", {"relation": "t"})])
    assert list(from_networkx(double)) == [("a", "r", "b"), ("a", "t", "b")]


def with_edge(*edge: Any, of: type = networkx.MultiDiGraph, **data: Any) -> networkx.DiGraph:
    graph = of()
    graph.add_edge(*edge, **data)
    return graph


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (networkx.Graph([("a", "b")]), "undirected graph does not say .* graph.to_directed()"),
        (networkx.MultiGraph([("a", "b", "r")]), "undirected graph"),
        ([("a", "r", "b")], "list is no networkx graph; give a DiGraph"),
    ],
)
def test_what_is_no_directed_graph_is_refused_at_once(graph: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        from_networkx(graph)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (with_edge("a", "b"), "'a' -> 'b': the relation is 0, .* 'relation' or key a text"),
        (with_edge("a", "b", of=networkx.DiGraph), "the relation is None, .* 'relation' a text"),
        (with_edge("a", "b", relation=7), "the relation is 7"),
        (with_edge("a", "b", relation=" "), "the relation is ' '"),
        (with_edge(1, "b", "r"), "1 -> 'b': the head is 1, .*; name nodes by text"),
        (with_edge("a", ("b",), "r"), "the tail is .'b',.,"),
        (with_edge("a", "\0", "r"), "the tail is '.x00'"),
        (with_edge("a", "\ud800", "r"), "the tail is '.ud800'"),
    ],
)
def test_what_is_no_text_is_refused_with_its_edge(graph: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message) as caught:
        list(from_networkx(graph))
    assert "\n" not in str(caught.value)


def oracle(store: TripleStore, start: str, *, hops: int, direction: Direction) -> set[Triple]:
    """Every triple that leaves (or enters) what networkx finds in fewer than `hops` steps."""
    if not hops:
        return set()
    graph: Any = to_networkx(store)
    walked = {"both": graph.to_undirected(), "out": graph, "in": graph.reverse()}[direction]
    near = networkx.single_source_shortest_path_length(walked, start, cutoff=hops - 1)
    return {
        triple
        for triple in store
        if (triple.head in near and direction != "in")
        or (triple.tail in near and direction != "out")
    }


@given(stores, st.integers(0, 4), directions, st.integers(0, 45), st.data())
def test_a_neighbourhood_is_what_a_walk_reaches(
    store: TripleStore, hops: int, direction: Direction, budget: int, data: st.DataObject
) -> None:
    if not len(store):
        return
    start = data.draw(st.sampled_from(store.entities))
    expected = oracle(store, start, hops=hops, direction=direction)
    whole = neighbourhood(store, start, hops=hops, direction=direction)
    assert set(edges(whole)) == expected
    assert set(whole) == {start} | {end for h, _, t in expected for end in (h, t)}
    assert whole.graph == {"name": "memory", "entity": start, "hops": hops, "complete": True}
    part = neighbourhood(store, start, hops=hops, max_triples=budget, direction=direction)
    assert set(edges(part)) <= expected
    assert len(part.edges) == min(budget, len(expected))
    assert part.graph["complete"] == (budget >= len(expected))


@given(stores, st.data())
def test_a_larger_budget_only_adds_and_nearer_triples_come_first(
    store: TripleStore, data: st.DataObject
) -> None:
    if not len(store):
        return
    start = data.draw(st.sampled_from(store.entities))
    before: set[tuple[str, str, str]] = set()
    order: list[tuple[str, str, str]] = []
    for budget in range(1, len(store) + 1):
        now = set(edges(neighbourhood(store, start, hops=9, max_triples=budget)))
        assert before <= now and len(now - before) <= 1
        order += now - before
        before = now
    layers = [oracle(store, start, hops=hops, direction="both") for hops in range(1, 9)]
    depths = [next(i for i, layer in enumerate(layers) if triple in layer) for triple in order]
    assert depths == sorted(depths)


def test_the_order_of_a_neighbourhood_is_that_of_the_store() -> None:
    store = TripleStore.from_triples(
        [
            *(("b", "r", "f"), ("c", "r", "a"), ("a", "r", "d"), ("d", "r", "e")),
            *(("a", "r", "a"), ("a", "r", "b"), ("g", "r", "d"), ("d", "s", "c")),
        ]
    )
    assert list(neighbourhood(store, "a", hops=2)) == ["a", "d", "b", "c", "e", "g", "f"]


def test_a_hub_is_read_only_as_far_as_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    out = (("hub", "r", f"t{i}") for i in range(5_000))
    into = (("s" + str(i), "r", "hub") for i in range(5_000))
    store = TripleStore.from_triples([("a", "r", "hub"), *out, *into])
    read = 0

    def counted(method: Any) -> Any:
        def count(*args: Any, limit: int) -> Any:
            nonlocal read
            found = method(*args, limit=limit)
            read += len(found)
            return found

        return count

    monkeypatch.setattr(TripleStore, "facts", counted(TripleStore.facts))
    monkeypatch.setattr(TripleStore, "subjects", counted(TripleStore.subjects))
    graph = neighbourhood(store, "a", hops=5, max_triples=10)
    assert list(graph) == ["a", "hub", *(f"t{i}" for i in range(9))]
    assert not graph.graph["complete"] and read <= 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"entity": "Bejing"}, "graph 'memory' has no entity 'Bejing'; did you mean 'Beijing'"),
        ({"hops": -1}, "hops is -1; it must not be negative"),
        ({"max_triples": -1}, "max_triples is -1"),
        ({"direction": "up"}, "direction is 'up'; it must be 'both', 'out' or 'in'"),
    ],
)
def test_mistakes_in_asking_are_said(options: dict[str, Any], message: str) -> None:
    store = TripleStore.from_triples([("Beijing", "capital of", "China")])
    with pytest.raises(GraphError, match=message):
        neighbourhood(store, **{"entity": "Beijing"} | options)


def test_nodes_of_a_graph_with_names_have_them() -> None:
    names = {"Q1": ["Ada", "Countess"], "Q2": ["London"]}
    store = TripleStore.from_triples([("Q1", "born", "Q2"), ("Q1", "in", "_:b")], names=names)
    for graph in (to_networkx(store), neighbourhood(store, "Q1")):
        found = dict(graph.nodes(data="name"))
        assert found == {entity: store.name_of(entity) for entity in store.entities}
        assert (found["Q1"], found["_:b"]) == ("Ada", "")
    with pytest.raises(GraphError, match="no entity 'Countess'; 'Q1' is called so"):
        neighbourhood(store, "Countess")


def test_names_of_a_large_graph_are_not_compared() -> None:
    store = TripleStore.from_triples(("Beijing", "r", str(i)) for i in range(10_000))
    with pytest.raises(GraphError) as caught:
        neighbourhood(store, "Bejing")
    assert str(caught.value) == "graph 'memory' has no entity 'Bejing'"


@given(stores)
def test_degrees_equal_those_of_networkx(store: TripleStore) -> None:
    graph = to_networkx(store)
    found = degrees(store)
    assert found.incoming.tolist() == [count for _, count in graph.in_degree()]
    assert found.outgoing.tolist() == [count for _, count in graph.out_degree()]
    assert found.total.tolist() == [count for _, count in graph.degree()]
    assert {array.dtype for array in found} == {np.dtype(np.int64)}
    counts = Counter(found.total.tolist())
    bins = degree_histogram(found.total)
    assert [one.entities for one in bins] == [
        sum(counts[degree] for degree in range(one.low, one.high + 1)) for one in bins
    ]
    assert sum(one.entities for one in bins) == len(store.entities)


def test_the_bins_of_a_histogram_double() -> None:
    bins = degree_histogram(np.array([0, 0, 1, 2, 3, 4, 7, 8, 31, 32]))
    assert bins == [
        Bin(0, 0, 2), Bin(1, 1, 1), Bin(2, 3, 2), Bin(4, 7, 2), Bin(8, 15, 1), Bin(16, 31, 1),
        Bin(32, 63, 1),
    ]  # fmt: skip
    assert degree_histogram(np.zeros(0, np.int64)) == []
    powers = np.array([(1 << 40) - 1, 1 << 40])
    assert degree_histogram(powers)[-2:] == [
        Bin(1 << 39, (1 << 40) - 1, 1),
        Bin(1 << 40, (1 << 41) - 1, 1),
    ]


@given(st.lists(st.tuples(st.integers(0, 30), st.just("r"), st.integers(0, 30)), max_size=25))
def test_components_equal_those_of_networkx(triples: list[tuple[int, str, int]]) -> None:
    store = TripleStore.from_triples((str(h), r, str(t)) for h, r, t in triples)
    found = components(store)
    assert found.labels.dtype == np.int32 and found.sizes.dtype == np.int64
    parts = [set[str]() for _ in found.sizes]
    for name, label in zip(store.entities, found.labels.tolist(), strict=True):
        parts[label].add(name)
    place = {name: number for number, name in enumerate(store.entities)}
    expected: list[set[str]] = list(networkx.weakly_connected_components(to_networkx(store)))
    expected.sort(key=lambda part: (-len(part), min(map(place.__getitem__, part))))
    assert parts == expected
    assert found.sizes.tolist() == [len(part) for part in expected]


def test_two_entities_with_very_many_relations_are_one_component() -> None:
    store = TripleStore.from_triples(("a", f"r{i}", "b") for i in range(256))
    assert components(store).sizes.tolist() == [2]


@given(stores)
def test_centrality_equals_that_of_networkx(store: TripleStore) -> None:
    graph = to_networkx(store)
    expected = list(networkx.degree_centrality(graph).values())
    np.testing.assert_allclose(centrality(store, kind="degree"), expected, rtol=1e-12)
    ranks = centrality(store, kind="pagerank")
    expected = list(networkx.pagerank(graph, tol=1e-12, max_iter=1_000).values())
    np.testing.assert_allclose(ranks, expected, atol=1e-9)
    assert ranks.dtype == np.float64 and ranks.tolist() == _again(store)


def _again(store: TripleStore) -> list[float]:
    return centrality(TripleStore.from_triples(store), kind="pagerank").tolist()


def test_pagerank_in_closed_form() -> None:
    star = TripleStore.from_triples((f"leaf {i}", "r", "hub") for i in range(4))
    ranks = dict(zip(star.entities, centrality(star, kind="pagerank"), strict=True))
    leaf = (1 - 0.85 + 0.85 * ranks["hub"]) / 5
    assert ranks["leaf 3"] == pytest.approx(leaf, abs=1e-9)
    assert ranks["hub"] == pytest.approx(leaf + 0.85 * 4 * leaf, abs=1e-9)
    ring = TripleStore.from_triples((str(i), "r", str((i + 1) % 7)) for i in range(7))
    assert centrality(ring, kind="pagerank") == pytest.approx([1 / 7] * 7)


def test_an_unknown_centrality_is_refused() -> None:
    kind: Any = "fame"
    with pytest.raises(GraphError, match="no centrality 'fame'; known are 'degree' and 'pagerank'"):
        centrality(TripleStore.from_triples([]), kind=kind)


@given(stores | dense_stores)
def test_relation_statistics_equal_brute_force(store: TripleStore) -> None:
    found = relation_statistics(store)
    assert [one.relation for one in found] == list(store.relations)
    for one in found:
        own = [triple for triple in store if triple.relation == one.relation]
        heads, tails = {triple.head for triple in own}, {triple.tail for triple in own}
        assert (one.triples, one.heads, one.tails) == (len(own), len(heads), len(tails))
        plain = [triple for triple in own if triple.head != triple.tail]
        assert one.loops == len(own) - len(plain)
        per_head = np.mean([sum(triple.head == head for triple in own) for head in heads])
        per_tail = np.mean([sum(triple.tail == tail for triple in own) for tail in tails])
        assert one.tails_per_head == pytest.approx(per_head)
        assert one.heads_per_tail == pytest.approx(per_tail)
        assert one.cardinality == "-".join(
            "N" if per >= 1.5 else "1" for per in (per_tail, per_head)
        )
        answered = {
            other: sum((t, other, h) in store for h, _, t in plain) for other in store.relations
        }
        plainly = max(len(plain), 1)
        assert one.symmetric == answered.pop(one.relation) / plainly
        inverse = max(answered, key=answered.__getitem__, default=None)
        share = answered[inverse] / plainly if inverse else 0.0
        assert one.inverse_share == share
        assert one.inverse == (inverse if share else None)


@given(dense_stores)
def test_inverses_are_counted_alike_in_small_pieces(store: TripleStore) -> None:
    with pytest.MonkeyPatch.context() as patch:
        whole = relation_statistics(store)
        patch.setattr(reversals, "_CHUNK", 2)
        assert relation_statistics(store) == whole


def test_pairs_joined_by_very_many_relations_are_no_sign_of_inverses() -> None:
    def both_ways(count: int) -> TripleStore:
        there = [("a", f"r{i}", "b") for i in range(count)]
        return TripleStore.from_triples([*there, ("b", "back", "a")])

    shares = [one.inverse_share for one in relation_statistics(both_ways(32))]
    assert shares == [1.0] * 33
    shares = [one.inverse_share for one in relation_statistics(both_ways(33))]
    assert shares == [0.0] * 34


def test_one_relation_of_each_cardinality() -> None:
    store = TripleStore.from_triples(
        [
            *(("country", "city", f"city {i}") for i in range(3)),
            *((f"city {i}", "in", "country") for i in range(3)),
            *((f"film {i}", "actor", f"actor {j}") for i in range(2) for j in range(2)),
            ("country", "capital", "city 0"),
        ]
    )
    found = {one.relation: one for one in relation_statistics(store)}
    assert {name: one.cardinality for name, one in found.items()} == {
        "city": "1-N", "in": "N-1", "actor": "N-N", "capital": "1-1",
    }  # fmt: skip
    inverses = {name: (one.inverse, one.inverse_share) for name, one in found.items()}
    assert inverses == {
        "city": ("in", 1.0), "in": ("city", 1.0), "actor": (None, 0.0), "capital": ("in", 1.0),
    }  # fmt: skip


@pytest.mark.data
def test_wordnet_has_the_symmetric_relations_that_it_is_known_for(data_dir: Path) -> None:
    store = TripleStore.open(data_dir / "kgc" / "WN18RR" / "train.tsv")
    found = relation_statistics(store)
    known = set(store)
    counts = Counter(r for h, r, t in known if h != t and (t, r, h) in known)
    assert {one.relation: round(one.symmetric * (one.triples - one.loops)) for one in found} == {
        relation: counts[relation] for relation in store.relations
    }
    assert {one.relation for one in found if one.symmetric > 0.5} == {
        "_derivationally_related_form", "_also_see", "_verb_group", "_similar_to",
    }  # fmt: skip


def test_an_empty_graph_has_empty_figures() -> None:
    store = TripleStore.from_triples([])
    assert relation_statistics(store) == []
    assert [len(array) for array in (*degrees(store), *components(store))] == [0] * 5
    assert len(centrality(store, kind="degree")) == len(centrality(store, kind="pagerank")) == 0
    assert to_networkx(store).number_of_nodes() == 0


def test_the_package_does_not_import_heavy_libraries() -> None:
    code = (
        "import sys, graphs, graphs.networks, graphs.statistics\n"
        "sys.exit(bool({'networkx', 'scipy', 'sklearn'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
