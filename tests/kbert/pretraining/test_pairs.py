"""Pairs as token ranges: cut as Google's loop cuts, never too long, the same for the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbert.errors import DataError, SettingsError
from kbert.pretraining import pairs as module
from kbert.pretraining.pairs import Pairs, _cut, draw_pairs
from kbert.pretraining.relations import NO_RELATION, RELATIONS
from kbert.pretraining.types import Pair

CORPORA = st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=9), min_size=2, max_size=6)


def offsets(corpus: list[list[int]]) -> dict[str, np.ndarray]:
    sizes = [size for document in corpus for size in document]
    sentences, documents = np.cumsum([0, *sizes]), np.cumsum([0, *map(len, corpus)])
    return {"sentences": sentences, "documents": documents}


def drawn(corpus: list[list[int]], **settings: Any) -> Pairs:
    chosen = {"relation": "nsp", "max_length": 20, "seed": 0, "epoch": 0} | settings
    return draw_pairs(**offsets(corpus), **chosen)


def data_of(pairs: Pairs) -> tuple[bytes, ...]:
    return pairs.a.tobytes(), pairs.b.tobytes(), pairs.label.tobytes()


@given(CORPORA, st.sampled_from(sorted(RELATIONS)), st.booleans(), st.integers(5, 40))
def test_pairs_are_related_as_their_label_says(
    corpus: list[list[int]], relation: str, quirks: bool, length: int
) -> None:
    pairs = drawn(corpus, relation=relation, max_length=length, google_quirks=quirks)
    edges = offsets(corpus)
    document_ends = edges["sentences"][edges["documents"]]

    def document(span: tuple[int, int]) -> int:
        number = int(np.searchsorted(document_ends, span[0], side="right"))
        assert span[1] <= document_ends[number]  # a segment is of one document
        return number

    assert pairs.lengths.max() <= length and pairs.lengths.min() > 2
    for pair, size in zip(pairs, pairs.lengths, strict=True):
        assert pair.a[1] > pair.a[0]
        if pair.b is None:
            assert pair.label == NO_RELATION and relation == "sop"
            assert size == pair.a[1] - pair.a[0] + 2
            continue
        assert size == sum(end - begin for begin, end in (pair.a, pair.b)) + 3
        way = RELATIONS[relation].ways[pair.label]
        together = document(pair.a) == document(pair.b)
        if not quirks:
            assert together == (way != "random")
        if together and way != "random":
            first, second = (pair.a, pair.b) if way == "next" else (pair.b, pair.a)
            assert first[1] <= second[0]


def test_alberts_lone_sentences_come_first_and_count_as_swapped() -> None:
    corpus = [[3], [4], [5], [6]]
    pairs = drawn(corpus, relation="sop", google_quirks=True)
    assert pairs.label.tolist() == [1] * 4
    assert pairs.a.tolist() == [[0, 3], [3, 7], [7, 12], [12, 18]]
    assert all(pair.b is not None and pair.b != pair.a for pair in pairs)


def test_segments_that_touch_in_the_text_touch_in_the_pair() -> None:
    corpus = [[11, 12, 13, 14] * 30] * 3
    pairs = drawn(corpus, max_length=40)
    nexts = [pair for pair in pairs if pair.label == 0]
    assert len(nexts) > 20 and pairs.dropped > 0
    assert all(pair.b is not None and pair.a[1] == pair.b[0] for pair in nexts)
    google = drawn(corpus, max_length=40, google_quirks=True)
    gaps = [pair.b is not None and pair.a[1] == pair.b[0] for pair in google if pair.label == 0]
    assert not all(gaps)


@given(st.integers(1, 60), st.integers(0, 60), st.integers(5, 70), st.none() | st.integers(0, 99))
def test_what_is_too_long_is_cut_token_by_token(
    size_a: int, size_b: int, length: int, seed: int | None
) -> None:
    a, b = list(range(100, 100 + size_a)), list(range(200, 200 + size_b))
    budget = length - 3 if b else length - 2
    lost = [0, 0]
    while len(a) - lost[0] + len(b) - lost[1] > budget:
        lost[0 if len(a) - lost[0] > len(b) - lost[1] else 1] += 1
    found = _cut(
        np.array([[100, 100 + size_a]]),
        np.array([[200, 200 + size_b]]),
        label=np.zeros(1, dtype=np.int64),
        max_length=length,
        draw=None if seed is None else np.random.default_rng(seed),
    )
    assert found.dropped == sum(lost)
    assert found.cut_share == pytest.approx(sum(lost) / max(1, size_a + size_b))
    kept_a, kept_b = range(*found.a[0]), range(*found.b[0])
    assert (len(kept_a), len(kept_b)) == (size_a - lost[0], size_b - lost[1])
    assert set(kept_a) <= set(a) and set(kept_b) <= set(b)
    if seed is None:
        assert list(kept_a) == a[lost[0] :] and list(kept_b) == b[: len(kept_b)]


def test_google_cuts_either_end_by_the_toss_of_a_coin() -> None:
    count = 3000
    a = np.tile([[1000, 1050]], (count, 1))
    found = _cut(a, a + 1000, label=np.zeros(count), max_length=63, draw=np.random.default_rng(0))
    for part, begin in ((found.a, 1000), (found.b, 2000)):
        front = part[:, 0] - begin  # of twenty tokens
        assert abs(front.mean() - 10) < 5 * (5 / count) ** 0.5
        assert abs(front.var() - 5) < 5 * 5 * (2 / count) ** 0.5


def test_pairs_are_a_function_of_seed_and_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    corpus = [draw.integers(1, 9, size).tolist() for size in draw.integers(1, 30, 60)]
    made = [data_of(drawn(corpus, seed=s, epoch=e)) for s, e in ((1, 0), (1, 0), (1, 1), (2, 0))]
    assert made[0] == made[1] and len(set(made)) == 3
    monkeypatch.setattr(module, "_BLOCK", 7)  # many blocks: other draws, the same rules
    pairs = drawn(corpus, relation="sop")
    starts = np.minimum(pairs.a[:, 0], np.where(pairs.b[:, 1] > 0, pairs.b[:, 0], pairs.a[:, 0]))
    assert (np.diff(starts) > 0).all()  # still in the order of the corpus
    assert pairs.dropped + (pairs.lengths - 2 - (pairs.b[:, 1] > 0)).sum() == sum(map(sum, corpus))
    monkeypatch.setattr(module, "_BLOCK", 10)  # blocks of documents that are all alike
    alike = drawn([[2] * 9] * 50, max_length=12, relation="sop")
    labels = [alike.label[(alike.a[:, 0] // 180) == block].tolist() for block in range(5)]
    assert len(set(map(str, labels))) == 5


def test_pairs_are_a_sequence() -> None:
    pairs = drawn([[4, 4], [4]], relation="sop")
    assert pairs[0].label in (0, 1) and {pairs[0].a, pairs[0].b} == {(0, 4), (4, 8)}
    assert pairs[-1] == pairs[1] == Pair((8, 12), None, NO_RELATION)
    assert pairs[:] == list(pairs) and len(pairs) == 2
    assert pairs.lengths.tolist() == [11, 6]
    assert list(pairs.take([1, 1, 0])) == [pairs[1], pairs[1], pairs[0]]
    with pytest.raises(IndexError):
        pairs[2]
    assert len(draw_pairs(
        sentences=np.zeros(1, np.int64), documents=np.zeros(1, np.int64), relation="sop",
        max_length=9, seed=0, epoch=0,
    )) == 0  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"relation": "nps"}, "'nps': say nsp, sop, nsp3"),
        ({"max_length": 4}, "4 tokens"),
        ({"short_probability": 1.5}, "short_probability is 1.5"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        drawn([[3], [3]], **settings)


def test_a_corpus_of_one_document_has_no_other_to_draw_from() -> None:
    for relation in ("nsp", "nsp3"):
        with pytest.raises(DataError, match="blank lines"):
            drawn([[3, 3, 3], []], relation=relation)
    assert len(drawn([[3, 3, 3]], relation="sop")) == 1
    assert len(drawn([[3, 3, 3]], google_quirks=True)) > 0
    lonely = drawn([[3], [4], [5]])  # documents of one sentence: every pair is random
    assert lonely.label.tolist() == [1, 1, 1]
