"""The figures of coverage and overlap equal what brute force counts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import GraphError, MentionIndex, TripleStore, selection
from graphs.coverage import Coverage, measure_coverage

letters = st.text("ab中国人 ", min_size=1, max_size=3).filter(lambda text: text.strip() == text)
stores = st.lists(st.tuples(letters, letters, letters), max_size=10).map(TripleStore.from_triples)


def naive(store: TripleStore, texts: list[str], max_facts: int) -> dict[str, object]:
    index = MentionIndex(store)
    found = [(text, mention) for text in texts for mention in index.find(text)]
    counts = Counter(len(index.find(text)) for text in texts)
    facts = [fact for _, mention in found for fact in store.facts(mention.entity)[:max_facts]]
    return {
        "texts": len(texts),
        "empty": sum(text.isspace() or not text for text in texts),
        "characters": sum(map(len, texts)),
        "covered": sum(bool(index.find(text)) for text in texts),
        "mentions": len(found),
        "mentioned": len({mention.entity for _, mention in found}),
        "silent": 0 if max_facts else len(found),
        "ambiguous": 0,
        "mention_characters": sum(mention.end - mention.start for _, mention in found),
        "facts": len(facts),
        "fact_characters": sum(len(fact.relation) + len(fact.tail) for fact in facts),
        "mentionable": sum(len(head) > 1 for head in store.heads),  # the index takes no others
        "per_text": tuple(sorted(counts.items())),
    }


@given(store=stores, texts=st.lists(st.text("ab中国人 。", max_size=12), max_size=6),
       max_facts=st.integers(0, 3))  # fmt: skip
def test_counts_are_those_of_brute_force(
    store: TripleStore, texts: list[str], max_facts: int
) -> None:
    coverage = measure_coverage(store, iter(texts), max_facts=max_facts)
    expected = naive(store, texts, max_facts)
    assert {name: getattr(coverage, name) for name in expected} == expected
    assert sum(each.mentions for each in coverage.top) <= coverage.mentions
    assert json.loads(json.dumps(coverage.to_dict()))["mentions"] == coverage.mentions


@pytest.fixture(scope="module")
def paris(tmp_path_factory: pytest.TempPathFactory) -> TripleStore:
    """Two entities are called Paris; the second has more facts."""
    label = "<http://www.w3.org/2000/01/rdf-schema#label>"
    file = tmp_path_factory.mktemp("graphs") / "kg.nt"
    lines = [
        f'<http://x/texas> {label} "Paris"',
        "<http://x/texas> <http://x/state> <http://x/Texas>",
        f'<http://x/france> {label} "Paris"',
        "<http://x/france> <http://x/capitalOf> <http://x/France>",
        "<http://x/france> <http://x/river> <http://x/Seine>",
        f'<http://x/silent> {label} "Nowhere"',
    ]
    file.write_text("".join(f"{line} .\n" for line in lines))
    return TripleStore.open(file)


def test_of_a_graph_with_names_the_names_are_counted(paris: TripleStore) -> None:
    coverage = measure_coverage(paris, ["I saw Paris.", "Nowhere is Paris", "Texas"], max_facts=1)
    assert (coverage.mentions, coverage.ambiguous, coverage.covered) == (3, 2, 2)
    assert coverage.facts == 2 and coverage.silent == 1
    assert coverage.fact_characters == 2 * len("capital ofFrance")
    assert coverage.ambiguity == 2 / 3 and coverage.mention_rate == 2 / 3
    top = coverage.top[0]
    assert (top.entity, top.name, top.mentions, top.candidates) == (
        "http://x/france", "Paris", 2, 2
    )  # fmt: skip


def test_shares_of_nothing_are_zero() -> None:
    coverage = measure_coverage(TripleStore.from_triples([]), [])
    shares = (coverage.mention_rate, coverage.mentions_per_text, coverage.ambiguity)
    assert (*shares, coverage.injected_share, coverage.never_mentioned) == (0, 0, 0, 0, 0)


def test_the_injected_share_is_of_text_and_facts() -> None:
    store = TripleStore.from_triples([("北京", "是", "城市"), ("上海", "是", "城市")])
    coverage = measure_coverage(store, ["我在北京"])
    assert coverage.injected_share == 3 / (4 + 3)
    assert coverage.never_mentioned == 1
    assert coverage.mentions_per_text == 1


def test_a_negative_budget_is_refused() -> None:
    with pytest.raises(GraphError, match="max_facts is -1"):
        measure_coverage(TripleStore.from_triples([]), [], max_facts=-1)


def test_a_result_is_frozen() -> None:
    coverage = measure_coverage(TripleStore.from_triples([]), [])
    assert isinstance(coverage, Coverage)
    with pytest.raises(AttributeError):
        coverage.texts = 1  # type: ignore[misc]


@pytest.mark.data
def test_the_medical_graph_covers_medical_texts(data_dir: Path) -> None:
    from graphs.texts import read_texts

    store = TripleStore.open(data_dir / "kg" / "Medical.spo")
    file = data_dir / "zh" / "medical_ner" / "dev.tsv"
    medical = measure_coverage(store, read_texts(file, words=True))
    hotels = measure_coverage(store, read_texts(data_dir / "zh" / "chnsenticorp" / "dev.tsv"))
    assert medical.mention_rate > 0.4 > 0.1 > hotels.mention_rate


def test_only_what_the_index_looks_for_is_mentionable() -> None:
    label = "http://www.w3.org/2000/01/rdf-schema#label"
    rows = [
        ("http://x.org/a", label, '"one"'),
        ("http://x.org/a", "http://x.org/r", "http://x.org/b"),
        ("http://x.org/b", label, '"two"'),  # nothing to say
        ("_:c", "http://x.org/r", "http://x.org/b"),  # no name
        ("http://x.org/d", label, '"one"'),
        ("http://x.org/d", "http://x.org/r", "http://x.org/b"),
    ]
    store = TripleStore.from_triples(rows)
    index = MentionIndex(store, only=selection.make("first", store).heads())
    coverage = measure_coverage(store, ["one and two"], index=index)
    assert (coverage.mentionable, coverage.mentioned, coverage.never_mentioned) == (2, 1, 1)
    assert measure_coverage(store, [], index=MentionIndex(store)).mentionable == 3
    assert (
        measure_coverage(store, [], index=MentionIndex(store, stop_names=["one"])).mentionable == 1
    )
