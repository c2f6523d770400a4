"""The search for spans, against all spans there are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbert.answers.search import Found, Ranked, Span, best_spans, rank

LOGITS = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=9)


@given(LOGITS, st.integers(1, 12), st.integers(1, 60))
def test_no_span_is_better(logits: list[tuple[int, int]], longest: int, count: int) -> None:
    starts, ends = np.array(logits, dtype=np.float64).T
    every = [
        Span(start, stop, starts[start] + ends[stop - 1])
        for start in range(len(logits))
        for stop in range(start + 1, len(logits) + 1)
        if stop - start <= longest
    ]
    every.sort(key=lambda span: (-span.score, span.start, span.end))
    assert list(best_spans(starts, ends, longest=longest, count=count)) == every[:count]


def arrays(*pairs: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    starts, ends = np.array(pairs, dtype=np.int32).T
    return starts, ends


def test_windows_are_joined_by_characters() -> None:
    first = Found(4.0, (Span(0, 2, 3.0), Span(1, 2, 1.0)))
    second = Found(-1.0, (Span(0, 1, 2.0), Span(1, 3, 2.0)))
    ranked = rank(
        [(first, *arrays((0, 2), (3, 5))), (second, *arrays((3, 5), (6, 7), (8, 9)))], count=3
    )
    # 3:5 is in both windows, once with 1 and once with 2.
    assert ranked == Ranked(-1.0, (Span(0, 5, 3.0), Span(3, 5, 2.0), Span(6, 9, 2.0)))
    assert ranked.lead == -4.0


@pytest.mark.parametrize(
    ("threshold", "silent"), [(None, False), (0.0, True), (1.0, True), (2.0, False), (3.0, False)]
)
def test_silence_needs_a_lead_above_the_threshold(threshold: float | None, silent: bool) -> None:
    ranked = Ranked(5.0, (Span(0, 1, 3.0),))
    assert (ranked.choose(threshold) is None) == silent
