from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbert.pretraining.full_sentences import full_sentences
from kbert.pretraining.held_out import split
from kbert.pretraining.pairs import draw_pairs


def offsets(lengths: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


corpora = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=5), min_size=1, max_size=12)


@given(corpora, st.floats(0, 0.5), st.sampled_from(["nsp", "sop", "none"]))
def test_every_document_is_in_one_part(
    lengths: list[list[int]], share: float, relation: str
) -> None:
    sentences = offsets([length for document in lengths for length in document])
    documents = offsets([len(document) for document in lengths])
    train, held_out = split(
        sentences=sentences, documents=documents, share=share, relation=relation
    )
    least = 2 if relation == "nsp" else 1
    kept = 0 if held_out is None else len(held_out)
    assert len(train) + kept == len(lengths)
    wanted = max(least, round(share * len(lengths))) if share else 0
    assert kept == (wanted if len(lengths) - wanted >= least else 0)
    seen: list[int] = []
    for part in (train, held_out):
        if part is not None and len(part):
            pairs = full_sentences(sentences=part.sentences, documents=part.documents, max_length=6)
            moved = part.in_corpus(pairs)
            assert (np.diff(moved.a) == np.diff(pairs.a)).all()
            for a, b in moved.a.tolist():
                seen += range(a, b)
                document = np.searchsorted(sentences[documents], [a, b - 1], side="right")
                assert document[0] == document[1]
    assert sorted(seen) == list(range(int(sentences[-1])))


def test_pairs_of_one_part_take_nothing_from_the_other() -> None:
    sentences, documents = offsets([3] * 40), offsets([4] * 10)
    train, held_out = split(sentences=sentences, documents=documents, share=0.3, relation="nsp")
    assert held_out is not None and len(held_out) == 3
    tokens = []
    for part in (train, held_out):
        pairs = part.in_corpus(
            draw_pairs(
                sentences=part.sentences, documents=part.documents, relation="nsp",
                max_length=16, seed=1, epoch=0,
            )
        )  # fmt: skip
        ranges = [*pairs.a.tolist(), *pairs.b.tolist()]
        tokens.append({token for begin, end in ranges for token in range(begin, end)})
    assert tokens[0].isdisjoint(tokens[1])
    assert len(tokens[0]) > 60 and len(tokens[1]) > 25


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_one_document_is_trained_on(share: float) -> None:
    train, held_out = split(
        sentences=offsets([2, 2]), documents=offsets([2]), share=share, relation="none"
    )
    assert len(train) == 1 and held_out is None
