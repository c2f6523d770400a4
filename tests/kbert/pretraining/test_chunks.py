"""Chunks of documents, against a walk in the manner of Google's code, and the laws of the draws."""

from __future__ import annotations

import math
from itertools import groupby
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbert.pretraining.chunks import Chunker, Chunks
from kbert.pretraining.relations import NO_RELATION, RELATIONS

CORPORA = st.lists(st.lists(st.integers(1, 9), max_size=12), min_size=2, max_size=7).filter(
    lambda corpus: sum(map(bool, corpus)) > 1
)
BUDGET = 17


def offsets(corpus: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    sizes = [size for document in corpus for size in document]
    documents = np.cumsum([0, *map(len, corpus)])
    return np.cumsum([0, *sizes]), documents


def chunks_of(corpus: list[list[int]], relation: str, **settings: Any) -> Chunks:
    sentences, documents = offsets(corpus)
    chosen = {"budget": BUDGET, "short_probability": 0.3, "google_quirks": False} | settings
    draw = np.random.default_rng(chosen.pop("seed", 0))
    return Chunker(
        sentences=sentences, documents=documents, relation=RELATIONS[relation], draw=draw, **chosen
    ).chunks(0, len(corpus))


def check_partner(
    chunk: dict[str, int], corpus: list[list[int]], tokens_a: int, *, quirks: bool
) -> None:
    """The partner from elsewhere: sentences of one document until there are enough."""
    documents = offsets(corpus)[1]
    begin, end = chunk["random_first"], chunk["random_last"]
    other = int(np.searchsorted(documents, begin, side="right")) - 1
    assert other != chunk["document"] or quirks
    taken, place = 0, begin - documents[other]
    while True:
        taken += corpus[other][place]
        place += 1
        if taken >= chunk["target"] - tokens_a or place == len(corpus[other]):
            break
    assert place + documents[other] == end


def replay(
    found: list[dict[str, int]], corpus: list[list[int]], relation: str, quirks: bool
) -> None:
    """Walk one document sentence by sentence; where something is drawn, take what was drawn."""
    ways = RELATIONS[relation].ways
    number = found[0]["document"]
    document, offset = corpus[number], int(offsets(corpus)[1][number])
    i, current = 0, list[int]()
    while i < len(document):
        current.append(document[i])
        long = sum(current) >= found[0]["target"] and (quirks or len(current) > 1)
        if long or i == len(document) - 1:
            chunk = found.pop(0)
            assert (chunk["first"], chunk["last"]) == (
                offset + i + 1 - len(current),
                offset + i + 1,
            )
            half = chunk["middle"] - chunk["first"]
            assert 1 <= half <= max(1, len(current) - 1)
            if len(current) > 1:
                assert 0 <= chunk["label"] < len(ways)
                drawn = ways[chunk["label"]] == "random"
            else:
                drawn = relation != "sop" or quirks
                assert chunk["label"] == (len(ways) - 1 if drawn else NO_RELATION)
            assert drawn == (chunk["random_last"] > chunk["random_first"])
            if drawn:
                check_partner(chunk, corpus, sum(current[:half]), quirks=quirks)
                i -= len(current) - half  # put back
            current = []
        i += 1
    assert not found and not current


@given(CORPORA, st.sampled_from(sorted(RELATIONS)), st.booleans(), st.integers(0, 99))
def test_chunks_are_those_of_the_walk(
    corpus: list[list[int]], relation: str, quirks: bool, seed: int
) -> None:
    chunks = chunks_of(corpus, relation, google_quirks=quirks, seed=seed)
    rows = [
        dict(zip(Chunks._fields, map(int, row), strict=True)) for row in zip(*chunks, strict=True)
    ]
    seen = []
    for number, group in groupby(rows, key=lambda row: row["document"]):
        found = list(group)
        targets = {chunk["target"] for chunk in found}
        assert all(2 <= target <= BUDGET for target in targets)
        assert not quirks or len(targets) == 1
        replay(found, corpus, relation, quirks)
        seen.append(number)
    assert seen == [number for number, document in enumerate(corpus) if document]


@given(CORPORA, st.sampled_from(sorted(RELATIONS)), st.booleans())
def test_each_sentence_is_itself_once(corpus: list[list[int]], relation: str, quirks: bool) -> None:
    chunks = chunks_of(corpus, relation, google_quirks=quirks)
    ways = RELATIONS[relation].ways
    used: list[int] = []
    for first, middle, last, label in zip(*chunks[1:5], strict=True):
        back = "random" in ways and label == ways.index("random")
        used += range(first, middle if back else last)
    assert used == list(range(sum(map(len, corpus))))


@pytest.mark.parametrize("quirks", [False, True])
@pytest.mark.parametrize("relation", sorted(RELATIONS))
def test_labels_have_the_share_that_is_derived(relation: str, quirks: bool) -> None:
    draw = np.random.default_rng(1)
    corpus = [draw.integers(1, 15, size).tolist() for size in draw.integers(1, 40, 1500)]
    chunks = chunks_of(corpus, relation, google_quirks=quirks, short_probability=0.1)
    ways, alone = RELATIONS[relation].ways, chunks.last - chunks.first == 1
    assert 0.01 < alone.mean() < 0.5
    n = np.count_nonzero(~alone)
    for label in range(len(ways)):
        share, p = (chunks.label[~alone] == label).mean(), 1 / len(ways)
        assert abs(share - p) < 5 * math.sqrt(p * (1 - p) / n)
    if "random" in ways:  # 0.5 + 0.5 P(one-sentence chunk) for two labels
        derived = 1 / len(ways) + (1 - 1 / len(ways)) * alone.mean()
        share = (chunks.label == len(ways) - 1).mean()
        assert abs(share - derived) < 5 * math.sqrt(0.25 / len(alone))
    lasts = np.isin(chunks.last, np.cumsum([len(document) for document in corpus]))
    assert lasts[alone].all() != quirks  # the default leaves only a last sentence alone
    short = chunks.target < BUDGET  # the draw of 2 to the budget may give the budget
    drawn = np.unique(chunks.document, return_index=True)[1] if quirks else np.arange(len(short))
    p = 0.1 * (1 - 1 / (BUDGET - 1))
    assert abs(short[drawn].mean() - p) < 5 * math.sqrt(p * (1 - p) / len(drawn))
    four = chunks.last - chunks.first == 4
    for half in (1, 2, 3):
        share = (chunks.middle - chunks.first)[four] == half
        assert abs(share.mean() - 1 / 3) < 5 * math.sqrt(2 / 9 / four.sum())


def test_where_a_random_partner_begins() -> None:
    """Every sentence of other documents alike; for Google every document, then its sentences."""
    corpus = [[9] * 2, [9] * 6, [9]] * 2
    documents = offsets(corpus)[1]
    sizes = np.diff(documents)
    for quirks in (False, True):
        counts, total = np.zeros(documents[-1]), 0
        for seed in range(60):
            chunker = Chunker(
                sentences=offsets(corpus)[0],
                documents=documents,
                relation=RELATIONS["nsp"],
                budget=BUDGET,
                short_probability=0.0,
                google_quirks=quirks,
                draw=np.random.default_rng(seed),
            )
            other, start = chunker._elsewhere(np.full(200, 1))
            assert (documents[other] <= start).all() and (start < documents[other + 1]).all()
            counts += np.bincount(start, minlength=documents[-1])
            total += 200
        own = np.repeat(np.arange(6), sizes) == 1
        chances = np.where(own, 0, 1 / (documents[-1] - 6))
        if quirks:
            chances = np.where(own, 0, np.repeat(1 / 5 / sizes, sizes))
        bounds = 5 * np.sqrt(chances * (1 - chances) / total) + 1e-6
        assert (np.abs(counts / total - chances) < bounds).all()


def test_google_takes_the_own_document_if_there_is_no_other() -> None:
    chunks = chunks_of([[3] * 30], "nsp", google_quirks=True)
    drawn = chunks.random_last > chunks.random_first
    assert drawn.any() and (chunks.label[drawn] == 1).all()
