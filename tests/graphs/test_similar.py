"""Facts by their likeness to a text: against TF-IDF worked out by hand, and within bounds."""

from __future__ import annotations

import math
import pickle
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import Fact, TripleStore, selection
from graphs.similar import COMPARED, Similar, features

WORDS = ("river", "rivers", "Stadt", "北京", "首都", "中国", "a", "of the", "río", "서울은", "42")
words = st.sampled_from(WORDS)
stores = st.lists(st.tuples(st.sampled_from("xy"), words, words), max_size=16).map(
    TripleStore.from_triples
)


def similar(store: TripleStore) -> selection.Policy:
    return Similar(selection.First(store), store)


def by_hand(store: TripleStore, text: str) -> dict[Fact, float]:
    """The cosine of each fact and the text: raw counts by ln((1 + n) / (1 + df)) + 1."""
    documents = [Counter(features(f"{t.relation} {t.tail}")) for t in store]
    found = Counter(feature for document in documents for feature in document)

    def vector(text: str) -> dict[str, float]:
        counts = Counter(features(text))
        total = 1 + len(documents)
        weights = {f: n * (math.log(total / (1 + found[f])) + 1) for f, n in counts.items()}
        length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        return {feature: weight / length for feature, weight in weights.items()}

    wanted = vector(text)
    return {
        Fact(t.relation, t.tail): sum(
            weight * wanted.get(feature, 0.0)
            for feature, weight in vector(f"{t.relation} {t.tail}").items()
        )
        for t in store
    }


@given(stores, st.lists(words, max_size=4).map(" ".join))
def test_the_order_is_that_of_the_cosine_and_then_of_the_source(
    store: TripleStore, text: str
) -> None:
    policy = similar(store)
    for entity in store.heads:
        facts = store.facts(entity)
        scores = by_hand(store, text)
        expected = sorted(facts, key=lambda fact: -round(scores[fact], 9))
        assert policy.facts(entity, text=text) == expected


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("他在中国的首都工作", "首都"),
        ("北京有多少人口？", "人口"),
        ("the River that flows through the town", "rivers"),
        ("THE MAYOR SPEAKS", "mayor"),
        ("沪", "简称"),
        ("nothing of the sort", "人口"),
        ("", "人口"),
        (" \n", "人口"),
    ],
)
def test_what_the_text_speaks_of_comes_first(text: str, first: str) -> None:
    store = TripleStore.from_triples(
        [
            ("北京", "人口", "2189万"),
            ("北京", "mayor", "殷勇"),
            ("北京", "rivers", "Yongding"),
            ("北京", "简称", "沪"),
            ("北京", "首都", "中国"),
        ]
    )
    assert similar(store).facts("北京", limit=1, text=text)[0].relation == first


def test_a_rare_word_says_more_than_a_common_one() -> None:
    triples = [(f"e{i}", "type", "thing") for i in range(50)]
    store = TripleStore.from_triples([*triples, ("x", "type", "thing"), ("x", "type", "zebra")])
    assert similar(store).facts("x", text="a zebra is a thing")[0].tail == "zebra"


def test_equals_keep_the_order_of_the_source_whatever_is_rounded() -> None:
    """Each fact has a rare word, a commoner and a common one; they are added in various orders."""
    numbers = range(40)
    triples = [("x", f"a{i}", f"b{i} c{i}") for i in numbers]
    triples += [("y", f"b{i}", f"c{i}") for i in numbers] + [("z", f"c{i}", "z") for i in numbers]
    store = TripleStore.from_triples(triples)
    text = " ".join(f"{letter}{i}" for i in reversed(numbers) for letter in "cab")
    assert similar(store).facts("x", text=text) == store.facts("x")


def test_features() -> None:
    def found(text: str) -> list[str]:
        return list(features(text))

    assert found("Rivers, a") == ["<rivers>", "<river", "<a>", "<a"]
    assert found("中国A队") == ["中", "国", "中国", "<a>", "<a", "队"]
    assert found("!?…  ") == found("") == []


def test_a_hub_costs_no_more_than_what_is_compared() -> None:
    store = TripleStore.from_triples(("枢", "r", f"t{i}") for i in range(5_000))
    asked: list[int | None] = []

    class Listening(selection.First):
        def facts(self, entity: str, *, limit: int | None = None, text: str = "") -> Sequence[Fact]:
            asked.append(limit)
            return super().facts(entity, limit=limit)

    policy = Similar(Listening(store), store)
    assert policy.facts("枢", text="t255", limit=1) == [("r", "t255")]
    for text in ("t256", "t1", ""):
        assert sorted(policy.facts("枢", text=text)) == sorted(store.facts("枢", limit=COMPARED))
    assert policy.facts("枢", limit=2) == store.facts("枢", limit=2)
    assert asked == [COMPARED, COMPARED, 2]


def test_of_a_large_graph_a_part_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphs.similar.SAMPLED", 10)
    triples = [("x", f"r{i}", f"t{i}") for i in range(1_000)]
    first, again = (TripleStore.from_triples(triples) for _ in range(2))
    for text in ("t7 r9", "t250"):
        facts = similar(first).facts("x", text=text)
        assert facts == similar(again).facts("x", text=text)
        assert facts[0] in [("r7", "t7"), ("r9", "t9"), ("r250", "t250")]


def test_of_a_named_graph_words_are_compared_not_ids() -> None:
    x = "http://x.org/"
    label = "http://www.w3.org/2000/01/rdf-schema#label"
    triples = [(f"{x}q1", f"{x}p{i}", f"{x}q{i}") for i in (2, 3)]
    labels = [(f"{x}q2", label, '"rain"@en'), (f"{x}q3", label, '"snow"@en')]
    store = TripleStore.from_triples([*triples, *labels])
    policy = selection.make("similar", store)
    for text, number in (("so much snow", 3), ("so much rain", 2), ("q2 p2", 2), ("q3 x", 2)):
        assert policy.facts(f"{x}q1", limit=1, text=text) == [(f"{x}p{number}", f"{x}q{number}")]


def test_what_was_asked_before_changes_nothing() -> None:
    store = TripleStore.from_triples(
        [(h, r, t) for h in "甲乙" for r in ("城市 city", "山") for t in ("东山", "city", "河")]
    )
    texts = ["the city", "山和河", "东", "the city", ""]
    fresh = [similar(store).facts(entity, text=text) for text in texts for entity in "甲乙"]
    used = similar(store)
    assert [used.facts(entity, text=text) for text in texts for entity in "甲乙"] == fresh
    copy = pickle.loads(pickle.dumps(used))
    assert [copy.facts(entity, text=text) for text in texts for entity in "甲乙"] == fresh
    assert len(set(map(tuple, fresh))) > 2
