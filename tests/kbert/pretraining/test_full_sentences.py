"""Full sentences: every token once, no sentence cut that fits, rows as full as they can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbert.errors import SettingsError
from kbert.pretraining import full_sentences as module
from kbert.pretraining.full_sentences import full_sentences
from kbert.pretraining.relations import NO_RELATION

CORPORA = st.lists(st.lists(st.integers(1, 25), max_size=9), max_size=6)


def by_hand(corpus: list[list[int]], budget: int) -> list[tuple[int, int]]:
    spans, place = list[tuple[int, int]](), 0
    for document in corpus:
        held = 0
        for size in [*document, None]:
            if size is None or held + size > budget:
                if held:
                    spans.append((place, place + held))
                place, held = place + held, 0
            if size is not None and size > budget:
                while size > 0:
                    spans.append((place, place + min(size, budget)))
                    place, size = place + min(size, budget), size - budget
            elif size is not None:
                held += size
    return spans


@given(CORPORA, st.integers(3, 30), st.booleans(), st.integers(1, 8))
def test_sequences_are_those_of_a_loop(
    corpus: list[list[int]], length: int, cross: bool, block: int
) -> None:
    sizes = [size for document in corpus for size in document]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        found = full_sentences(
            sentences=np.cumsum([0, *sizes]),
            documents=np.cumsum([0, *map(len, corpus)]),
            max_length=length,
            cross_documents=cross,
        )
    expected = by_hand([sizes] if cross else corpus, length - 2)
    assert list(map(tuple, found.a.tolist())) == expected
    assert all(pair.b is None and pair.label == NO_RELATION for pair in found)
    assert found.dropped == 0 and (found.lengths <= length).all()
    assert (found.lengths - 2).sum() == sum(sizes)


def test_a_length_without_room_is_refused() -> None:
    with pytest.raises(SettingsError, match="at least 3"):
        full_sentences(sentences=np.array([0, 4]), documents=np.array([0, 1]), max_length=2)
