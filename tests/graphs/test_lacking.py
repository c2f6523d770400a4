"""A graph that lacks a triple answers as one that never had it, with names and without."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphs
from graphs import GraphError, MentionIndex, TripleStore
from graphs.lacking import without

LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
NODES = [f"http://e/{letter}" for letter in "abcd"]
WORDS = ["甲乙", "丙丁", "戊己", "Apple", "apple"]
plain = st.tuples(*(st.sampled_from(words) for words in (WORDS, "rst", WORDS)))
named = st.tuples(
    *(st.sampled_from(words) for words in (NODES, ["http://e/r", "http://e/s"], NODES))
)
labels = st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from(WORDS)), max_size=5)


def check(store: TripleStore, other: TripleStore) -> None:
    """Everything that injection asks for."""
    assert list(store) == list(other)
    assert list(store.heads) == list(other.heads)
    assert list(store.entities) == list(other.entities)
    for entity in {*store.entities, *other.entities, "nobody"}:
        assert store.facts(entity) == other.facts(entity)
        assert store.rarest_facts(entity) == other.rarest_facts(entity)
        assert store.central_facts(entity) == other.central_facts(entity)
        assert store.degree(entity, in_words=True) == other.degree(entity, in_words=True)
        assert store.subjects(entity) == other.subjects(entity)
    for entity in other.entities:
        assert store.names_of(entity) == other.names_of(entity)
    for options in ({}, {"case_fold": True}):
        mine = MentionIndex(store, **options)  # type: ignore[arg-type]
        theirs = MentionIndex(other, **options)  # type: ignore[arg-type]
        text = "Apple 甲乙丙丁戊己 apple APPLE"
        assert mine.find(text) == theirs.find(text)
        for word in WORDS:
            assert mine.candidates(word) == theirs.candidates(word)


@settings(max_examples=30)
@given(triples=st.lists(plain, min_size=1, max_size=12, unique=True), data=st.data())
def test_a_graph_of_texts(triples: list[tuple[str, str, str]], data: st.DataObject) -> None:
    taken = data.draw(st.sampled_from(triples))
    left = [triple for triple in triples if triple != taken]
    check(without(TripleStore.from_triples(triples), taken), TripleStore.from_triples(left))


@settings(max_examples=30)
@given(triples=st.lists(named, min_size=1, max_size=12, unique=True), names=labels, data=st.data())
def test_a_graph_with_names(
    triples: list[tuple[str, str, str]], names: list[tuple[str, str]], data: st.DataObject
) -> None:
    taken = data.draw(st.sampled_from(triples))
    called = dict.fromkeys((node, LABEL, f'"{name}"') for node, name in names)
    left = [triple for triple in triples if triple != taken]
    whole = TripleStore.from_triples([*called, *triples])
    check(without(whole, taken), TripleStore.from_triples([*called, *left]))


def test_a_compiled_graph_and_the_rest_untouched(tmp_path: Path) -> None:
    file = tmp_path / "g.spo"
    file.write_text("甲\tr\t乙\n甲\ts\t丙\n乙\tr\t丙\n", encoding="utf-8")
    store = graphs.compile([file], tmp_path / "compiled")
    less = without(store, ("甲", "s", "丙"))
    assert list(less) == [("甲", "r", "乙"), ("乙", "r", "丙")]
    assert len(store) == 3 and less.name == store.name
    assert less.fingerprint != store.fingerprint


@pytest.mark.parametrize(
    ("triple", "message"), [(("甲", "r", "丙"), "no triple"), (("甲", LABEL, '"x"'), "names stay")]
)
def test_what_cannot_be_taken_out(triple: tuple[str, str, str], message: str) -> None:
    store = TripleStore.from_triples([("甲", "r", "乙"), ("甲", LABEL, '"x"')])
    with pytest.raises(GraphError, match=message):
        without(store, triple)
