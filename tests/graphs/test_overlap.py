"""A graph that knows the labels is found out; one that does not is not accused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import GraphError, MentionIndex, ParseError, TripleStore
from graphs.gold import Gold, read_gold
from graphs.overlap import Overlap, measure_overlap

STORE = TripleStore.from_triples(
    [
        ("头痛", "类别", "症状"),
        ("发热", "类别", "症状"),
        ("咳嗽", "类别", "症状"),
        ("手术", "类别", "治疗"),
        ("化疗", "类别", "治疗"),
    ]
)


def tagged(*pairs: tuple[str, str]) -> Gold:
    """Put mentions in a row, `。` between; a pair without a type is no gold span."""
    text, spans = "", {}
    for name, kind in pairs:
        if kind:
            spans[len(text), len(text) + len(name)] = kind
        text += name + "。"
    return Gold(text, None, spans)


def test_spans_are_compared_character_for_character() -> None:
    gold = [tagged(("头痛", "S"), ("发热", ""), ("胃痛", "S")), Gold("手术室", None, {(0, 3): "X"})]
    found = measure_overlap(STORE, gold)
    assert (found.texts, found.spans, found.mentions, found.exact) == (2, 3, 3, 1)
    assert (found.precision, found.recall) == (1 / 3, 1 / 3)
    assert found.labels == ("S", "X") and found.tagging


def test_a_fact_that_tells_the_label_is_found_without_its_words() -> None:
    """The tails are Chinese and the labels English, but of each tail all have one label."""
    gold = [tagged(("头痛", "S"), ("发热", "S"), ("咳嗽", "S"), ("手术", "T"), ("化疗", "T"))]
    found = measure_overlap(STORE, gold)
    assert (found.labelled, found.naming, found.majority, found.guessed) == (5, 0, 3, 5)


def test_an_entity_is_never_guessed_from_itself() -> None:
    """Each has a fact of its own: to remember them tells nothing of other entities."""
    store = TripleStore.from_triples((name, "is", f"t{name}") for name in ("aa", "bb", "cc", "dd"))
    gold = [Gold("aa aa bb", "0", {}), Gold("cc", "1", {}), Gold("dd dd", "1", {})]
    found = measure_overlap(store, gold)
    assert (found.labelled, found.majority, found.guessed) == (6, 3, 3)


def test_a_tail_that_is_the_label_counts_as_naming_it() -> None:
    store = TripleStore.from_triples([("aa", "is", "Good"), ("bb", "is", "bad"), ("aa", "r", "z")])
    gold = [Gold("aa bb", "good", {}), Gold("bb", "bad", {}), Gold("none", "bad", {})]
    found = measure_overlap(store, gold)
    assert (found.labelled, found.naming, found.tagging) == (3, 2, False)
    assert found.labels == ("bad", "good")
    assert measure_overlap(store, gold, max_facts=0).naming == 0


def test_of_nothing_the_shares_are_zero() -> None:
    found = measure_overlap(STORE, [])
    assert isinstance(found, Overlap) and (found.precision, found.recall) == (0, 0)
    assert found.to_dict()["labels"] == []


names = ["aa", "bb", "cc", "dd", "ee"]


@given(
    tails=st.lists(st.sampled_from("xyz"), min_size=5, max_size=5),
    texts=st.lists(st.tuples(st.sampled_from(names), st.sampled_from("012")), max_size=12),
)
def test_guesses_are_those_of_brute_force(tails: list[str], texts: list[tuple[str, str]]) -> None:
    store = TripleStore.from_triples(zip(names, "rrrrr", tails, strict=True))
    found = measure_overlap(store, [Gold(name, label, {}) for name, label in texts])
    tail = dict(zip(names, tails, strict=True))
    order = [label for label, _ in Counter(label for _, label in texts).most_common()]
    right = 0
    for name, own in texts:
        votes = [y for other, y in texts if other != name and tail[other] == tail[name]]
        counts = Counter(votes)
        best = max(counts.values(), default=0)
        right += own == next(label for label in order if counts[label] == best)
    assert found.guessed == right


@given(st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y", "E-X", "S-Y"]), max_size=8))
def test_spans_of_tags_cover_what_is_not_o(tmp_path_factory, tags: list[str]) -> None:
    if not tags:
        return
    file = tmp_path_factory.mktemp("gold") / "gold.tsv"
    words = " ".join("甲乙丙丁戊己庚辛"[: len(tags)])
    file.write_text(f"text_a\tlabel\n{words}\t{' '.join(tags)}\n", encoding="utf-8")
    (gold,) = read_gold(file)
    covered = [kind for (start, end), kind in sorted(gold.spans.items()) for _ in range(start, end)]
    assert covered == [tag[2:] for tag in tags if tag != "O"]
    begun = sum(tag[0] in "BS" for tag in tags)
    assert len(gold.spans) >= begun
    assert gold.label is None and gold.text == words.replace(" ", "")


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("B-X I-X O", {(0, 2): "X"}),
        ("B-X B-X I-X", {(0, 1): "X", (1, 3): "X"}),
        ("I-X I-Y O", {(0, 1): "X", (1, 2): "Y"}),
        ("B-X I-X E-X", {(0, 3): "X"}),
        ("S-X S-X I-X", {(0, 1): "X", (1, 2): "X", (2, 3): "X"}),
        ("O O O", {}),
    ],
)
def test_tags_make_spans(tmp_path: Path, tags: str, spans: dict) -> None:
    file = tmp_path / "gold.tsv"
    file.write_text(f"text_a\tlabel\n甲 乙 丙\t{tags}\n", encoding="utf-8")
    assert [gold.spans for gold in read_gold(file)] == [spans]


def test_labels_of_texts(tmp_path: Path) -> None:
    file = tmp_path / "gold.jsonl"
    file.write_text('{"text": "a b", "y": 1}\n{"text": "c", "y": "no"}\n')
    assert list(read_gold(file, label="y")) == [Gold("a b", "1", {}), Gold("c", "no", {})]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.tsv", "text_a\tlabel\na b\tO O\na b\tO\n", "a.tsv:3: 2 words, but 1 tags"),
        ("a.tsv", "text_a\tlabel\na b\tO O\na b\tO X\n", "a.tsv:3: 'X' is no tag"),
        ("a.jsonl", '{"text": "a", "label": null}\n', "a.jsonl:1: the label is None"),
        ("a.jsonl", '{"text": 1, "label": 2}\n', "a.jsonl:1: the text is int"),
        ("a.tsv", "text_a\tlabel\na\t\n", "a.tsv:2: the label is ''"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ParseError) as caught:
        list(read_gold(tmp_path / name))
    assert said in str(caught.value)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.tsv"
    file.write_text("text_a\tlabel\na\tb\n")
    with pytest.raises(GraphError, match="no column 'y' with labels; there are 'text_a', 'label'"):
        list(read_gold(file, label="y"))


@pytest.mark.data
def test_the_medical_graph_tells_what_medical_names_are(data_dir: Path) -> None:
    """Its classes are nearly the labels of the medical data, though written otherwise."""
    store = TripleStore.open(data_dir / "kg" / "Medical.spo")
    gold = read_gold(data_dir / "zh" / "medical_ner" / "dev.tsv")
    found = measure_overlap(store, gold, index=MentionIndex(store))
    assert found.tagging and found.labelled > 100
    assert found.guessed > 0.8 * found.labelled > found.majority
