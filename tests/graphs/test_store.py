from __future__ import annotations

import hashlib
import multiprocessing
import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphs
from graphs import Fact, GraphError, MentionIndex, ParseError, Triple, TripleStore
from graphs.readers import ReadReport
from graphs.strings import HeapStrings, MemoryStrings, Strings

Rows: TypeAlias = Sequence[tuple[str, str, str]]

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


@pytest.fixture(params=["memory", "compiled"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Rows], TripleStore]:
    """Make a store of each kind."""

    def make(rows: Rows) -> TripleStore:
        if request.param == "memory":
            return TripleStore.from_triples(rows)
        path = tmp_path / "kg.tsv"
        path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
        return graphs.compile([path], tmp_path / "compiled")

    return make


def test_a_hub_is_not_read_for_its_first_facts(
    made: Callable[[Rows], TripleStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [("枢", f"r{i % 7}", f"t{i}") for i in range(300_000)]
    store, read = made([*rows, ("枢", "r0", "枢"), ("t1", "r1", "枢")]), 0
    for table in (HeapStrings, MemoryStrings):

        def counted(self: Strings, numbers: Iterable[int], take: Any = table.take) -> list[str]:
            nonlocal read
            numbers = list(numbers)
            read += len(numbers)
            return take(self, numbers)

        monkeypatch.setattr(table, "take", counted)

    def counting(get: Callable[[int], str]) -> Callable[[int], str]:
        def counted_one(number: int) -> str:
            nonlocal read
            read += 1
            return get(number)

        return counted_one

    for name in ("_entity_of", "_relation_of"):
        monkeypatch.setattr(store, name, counting(getattr(store, name)))
    assert store.facts("枢", limit=2) == [("r0", "t0"), ("r1", "t1")]
    assert store.rarest_facts("枢", limit=2) == [("r2", "t2"), ("r3", "t3")]
    assert store.subjects("枢", limit=1) == [("枢", "r0", "枢")]
    assert read == 10
    assert ("枢", "r6", "t4991") not in store and ("枢", "r1", "t299999") not in store
    assert ("枢", "r0", "t299999") in store and ("枢", "r0", "枢") in store
    assert store.degree("枢") == 300_001 and store.tail_count("枢") == 2 and read == 10
    assert store.facts("枢")[:300_000] == [(r, t) for _, r, t in rows]
    assert read > 600_000


def test_cycles_and_loops(made: Callable[[Rows], TripleStore]) -> None:
    rows = [("a", "a", "a"), ("a", "r", "b"), ("b", "r", "a"), ("c", "c", "c"), ("a", "a", "b")]
    store = made(rows)
    assert list(store) == rows and list(store.entities) == ["a", "b", "c"]
    assert store.facts("a") == [("a", "a"), ("r", "b"), ("a", "b")]
    assert store.subjects("a") == [("a", "a", "a"), ("b", "r", "a")]
    assert store.facts("c") == [("c", "c")] and list(store.heads) == ["a", "b", "c"]


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


def ask(store: TripleStore, index: MentionIndex) -> tuple[Any, ...]:
    mentions = index.find("在北京吃 APPLE，看海南")
    return store.facts("北京"), store.fingerprint, store.name, mentions, len(index), index.excluded


@pytest.mark.parametrize(
    ("how", "options"),
    [
        ("fork", {}),
        ("spawn", {"min_length": 1, "case_fold": True}),
        ("fork", {"only": ["北京"], "stop_names": ["苹果"]}),
    ],
)
def test_a_mapped_store_and_its_index_pickle_as_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, options: dict[str, Any]
) -> None:
    rows = [
        ("北京", "首都", "中国"),
        ("apple", "r", "x"),
        *((f"e{i}", "r", f"t{i}") for i in range(2_000)),
    ]
    path = tmp_path / "kg.tsv"
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    graphs.compile([path], tmp_path / "compiled")
    monkeypatch.chdir(tmp_path)
    store = TripleStore.open("compiled", name="mine")
    index = MentionIndex(store, **options)
    assert len(pickle.dumps(store)) < 400
    is_mapped = options.get("min_length") != 1  # such an index was not compiled
    assert (len(pickle.dumps((store, index))) < 6_000) == is_mapped
    monkeypatch.chdir("/")
    expected = ask(store, index)
    assert ask(*pickle.loads(pickle.dumps((store, index)))) == expected
    context = multiprocessing.get_context(how)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(ask, store, index).result() == expected
    assert pickle.loads(pickle.dumps(store)).path == tmp_path / "compiled"


def test_repr_names_the_sizes() -> None:
    text = repr(TripleStore.from_triples(TRIPLES, name="six"))
    assert text == "TripleStore('six': 4 triples, 5 entities, 2 relations)"


@pytest.mark.data
def test_published_graphs_have_the_sizes_that_are_documented(data_dir: Path) -> None:
    store = TripleStore.open(data_dir / "kg" / "HowNet.spo")
    assert (len(store), len(store.heads), list(store.relations)) == (52_576, 45_124, ["义原"])
    store = TripleStore.open(data_dir / "kg" / "Medical.spo")
    assert (len(store), len(store.heads), list(store.relations)) == (13_864, 13_553, ["类别"])


def test_who_brought_a_triple_first(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one.tsv", "two.tsv", "three.tsv")]
    for file, text in zip(files, ("a\tr\tb\n", "a\tr\tb\na\tr\tc\n", "a\tq\tb\n"), strict=True):
        file.write_text(text, encoding="utf-8")
    store = graphs.compile(files, tmp_path / "c")
    brought = {triple: store.source_of(triple) for triple in [*store, ("a", "r", "a")]}
    assert [source and Path(source.path).name for source in brought.values()] == [
        "one.tsv", "two.tsv", "three.tsv", None,
    ]  # fmt: skip
    single = graphs.compile(files[:1], tmp_path / "d")
    assert single.source_of(("a", "r", "b")) == single.sources[0]
    assert TripleStore.open(files[0]).source_of(("a", "r", "b")) is None
