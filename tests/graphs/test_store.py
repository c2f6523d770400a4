from __future__ import annotations

import hashlib
import pickle
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import Fact, GraphError, ParseError, Triple, TripleStore
from graphs.readers import ReadReport

TRIPLES = [
    ("北京", "首都", "中国"),
    ("苹果", "类别", "水果"),
    ("北京", "类别", "城市"),
    ("苹果", "类别", "水果"),
    ("中国", "首都", "北京"),
    ("北京", "首都", "中国"),
]
part = st.sampled_from(["a", "b", "1", "1:", "a1", "é"])
triples = st.lists(st.tuples(part, part, part), max_size=40)


def test_equal_triples_are_kept_once_and_counted() -> None:
    store = TripleStore.from_triples(TRIPLES)
    assert list(store) == [TRIPLES[i] for i in (0, 1, 2, 4)]
    assert (len(store), store.duplicates) == (4, 2)
    assert all(isinstance(triple, Triple) for triple in store)


def test_lists_are_in_order_of_first_appearance() -> None:
    store = TripleStore.from_triples(TRIPLES)
    assert list(store.entities) == ["北京", "中国", "苹果", "水果", "城市"]
    assert list(store.heads) == ["北京", "苹果", "中国"]
    assert list(store.relations) == ["首都", "类别"]


def test_facts_are_in_source_order_and_empty_for_the_unknown() -> None:
    store = TripleStore.from_triples(TRIPLES)
    assert store.facts("北京") == [Fact("首都", "中国"), Fact("类别", "城市")]
    assert isinstance(store.facts("北京")[0], Fact)
    assert store.facts("水果") == store.facts("火星") == store.facts("") == []


@given(triples)
def test_the_store_agrees_with_plain_lists(given_triples: list) -> None:
    store = TripleStore.from_triples(given_triples)
    unique = list(dict.fromkeys(given_triples))
    assert list(store) == unique
    assert len(store) + store.duplicates == len(given_triples)
    assert list(store.entities) == list(dict.fromkeys(e for h, _, t in unique for e in (h, t)))
    assert list(store.heads) == list(dict.fromkeys(h for h, _, _ in unique))
    assert list(store.relations) == list(dict.fromkeys(r for _, r, _ in unique))
    relations, tails = Counter(r for _, r, _ in unique), Counter(t for _, _, t in unique)
    for value in ["a", "b", "1", "1:", "a1", "é", "unknown"]:
        assert store.facts(value) == [(r, t) for h, r, t in unique if h == value]
        for limit in range(4):
            assert store.facts(value, limit=limit) == store.facts(value)[:limit]
            assert store.rarest_facts(value, limit=limit) == store.rarest_facts(value)[:limit]
        assert store.relation_count(value) == relations[value]
        assert store.tail_count(value) == tails[value]
        for triple in [(value, "a", "1"), ("a", value, "1"), ("a", "1", value)]:
            assert (triple in store) == (triple in unique)


@given(triples, triples)
def test_fingerprints_are_equal_only_for_equal_triples(first: list, second: list) -> None:
    stores = TripleStore.from_triples(first), TripleStore.from_triples(second, name="other")
    same_content = list(stores[0]) == list(stores[1])
    assert (stores[0].fingerprint == stores[1].fingerprint) == same_content


def test_fingerprint_is_the_hash_that_is_documented() -> None:
    framed = "2:北京2:首都2:中国"
    store = TripleStore.from_triples([("北京", "首都", "中国")] * 2)
    assert store.fingerprint == hashlib.sha256(framed.encode()).hexdigest()
    assert TripleStore.from_triples([]).fingerprint == hashlib.sha256(b"").hexdigest()


def test_order_and_boundaries_change_the_fingerprint() -> None:
    variants = [
        [("a", "b", "c"), ("d", "e", "f")],
        [("d", "e", "f"), ("a", "b", "c")],
        [("ab", "c", "d")],
        [("a", "bc", "d")],
        [("a", "1:b", "c")],
        [("a1:b", "c", "1:")],
    ]
    assert len({TripleStore.from_triples(v).fingerprint for v in variants}) == len(variants)


def test_iteration_crosses_chunks() -> None:
    rows = [(f"h{i % 70_001}", f"r{i % 3}", f"t{i}") for i in range(70_000)]
    store = TripleStore.from_triples(rows)
    assert list(store) == rows
    assert store.facts("h69999") == [("r0", "t69999")]


@pytest.mark.parametrize(
    "bad",
    [
        ("a", "r", ""),
        (" ", "r", "b"),
        ("a", None, "b"),
        ("a", "r", 7),
        ("a", "r"),
        ("a", "r", "b", "c"),
        "abc",
        ("a", "r", "\ud800"),
        ("a\0", "r", "b"),
    ],
)
def test_a_bad_triple_is_named(bad: object) -> None:
    with pytest.raises(GraphError) as caught:
        TripleStore.from_triples([("a", "r", "b"), bad])  # type: ignore[list-item]
    assert repr(bad) in str(caught.value)


@pytest.mark.parametrize("other", [("a", "r"), "arb", None, ("a", "r", 1), (["a"], "r", "b")])
def test_what_is_no_triple_is_not_in_the_store(other: object) -> None:
    assert other not in TripleStore.from_triples([("a", "r", "b")])


@pytest.mark.parametrize("bad", [5, None, {"a": 1, "b": 2, "c": 3}, {"a", "b", "c"}, iter("abc")])
def test_what_is_no_sequence_of_three_is_refused(bad: object) -> None:
    with pytest.raises(GraphError, match=r"is no triple; give \(head, relation, tail\)"):
        TripleStore.from_triples([bad])  # type: ignore[list-item]


def test_a_hub_is_not_read_for_its_first_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0

    def counted(relation: str, tail: str) -> Fact:
        nonlocal made
        made += 1
        return Fact(relation, tail)

    store = TripleStore.from_triples([("枢", f"r{i % 7}", f"t{i}") for i in range(5_000)])
    monkeypatch.setattr("graphs.store.Fact", counted)
    assert store.facts("枢", limit=2) == [("r0", "t0"), ("r1", "t1")]
    assert [fact.tail for fact in store.rarest_facts("枢", limit=2)] == ["t2", "t3"]
    assert made == 4
    assert ("枢", "r6", "t4991") not in store and ("枢", "r0", "t4998") in store
    assert made == 4


@pytest.mark.parametrize("name", ["facts", "rarest_facts"])
def test_a_negative_limit_is_refused(name: str) -> None:
    store = TripleStore.from_triples(TRIPLES)
    for entity in ("北京", "火星"):
        with pytest.raises(GraphError, match="limit is -1"):
            getattr(store, name)(entity, limit=-1)


def test_an_empty_store() -> None:
    store = TripleStore.from_triples([])
    assert (len(store), list(store), list(store.heads), list(store.entities)) == (0, [], [], [])
    assert store.facts("a") == [] and store.relation_count("r") == store.tail_count("a") == 0


def test_open_keeps_the_path_as_name_and_counts_what_it_skips(tmp_path: Path) -> None:
    path = tmp_path / "kg.tsv"
    path.write_text("a\tr\tb\nbad\na\tr\tb\n", encoding="utf-8")
    with pytest.raises(ParseError):
        TripleStore.open(path)
    report = ReadReport(skipped=5)
    store = TripleStore.open(path, on_error="skip", report=report)
    assert (store.name, store.skipped, store.duplicates, report.skipped) == (str(path), 1, 1, 6)
    assert TripleStore.open(path, on_error="skip").skipped == 1
    assert TripleStore.from_triples([]).name == "memory"


def test_pickling_keeps_everything() -> None:
    store = TripleStore.from_triples(TRIPLES, name="six")
    before = store.fingerprint, list(store.heads)
    copy = pickle.loads(pickle.dumps(store))
    assert (copy.fingerprint, list(copy.heads)) == before
    assert (list(copy), copy.name, copy.duplicates) == (list(store), "six", 2)
    assert copy.facts("北京") == store.facts("北京")


def test_repr_names_the_sizes() -> None:
    text = repr(TripleStore.from_triples(TRIPLES, name="six"))
    assert text == "TripleStore('six': 4 triples, 5 entities, 2 relations)"


@pytest.mark.data
def test_published_graphs_have_the_sizes_that_are_documented(data_dir: Path) -> None:
    store = TripleStore.open(data_dir / "kg" / "HowNet.spo")
    assert (len(store), len(store.heads), list(store.relations)) == (52_576, 45_124, ["义原"])
    store = TripleStore.open(data_dir / "kg" / "Medical.spo")
    assert (len(store), len(store.heads), list(store.relations)) == (13_864, 13_553, ["类别"])
