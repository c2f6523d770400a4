"""From scores of starts and ends to answers: the best spans of a window, then of all windows.

A span's score is the sum of its start's and its end's (Devlin et al. 2019, section 4.2). The
search is exact: all spans up to a length are compared, not only those of the best starts and ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Span(NamedTuple):
    """A half-open span, of a window's words or of a context's characters, and its score."""

    start: int
    end: int
    score: float


class Found(NamedTuple):
    """What a window says: the score of no answer, and its best spans of words, best first."""

    null: float
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Ranked:
    """What all windows of a question say: the score of no answer, and spans of characters."""

    null: float
    spans: tuple[Span, ...]

    @property
    def lead(self) -> float:
        """By how much "no answer" is ahead of the best span."""
        return self.null - self.spans[0].score

    def choose(self, threshold: float | None) -> Span | None:
        """Take the best span; none if the lead of "no answer" exceeds `threshold`.

        A threshold of None stands for questions of which each has an answer.
        """
        silent = threshold is not None and self.lead > threshold
        return None if silent else self.spans[0]


def best_spans(
    starts: NDArray[np.float64], ends: NDArray[np.float64], *, longest: int, count: int
) -> tuple[Span, ...]:
    """Return the `count` best spans of at most `longest` words, best first.

    Of equal scores the earlier start comes first, then the shorter span. *Shapes:* (W,).
    """
    width = min(longest, len(starts))
    reach = np.concatenate([ends, np.full(width - 1, -np.inf, dtype=ends.dtype)])
    # Row i holds the ends i, i + 1, … of the spans that start at i.
    scores = (starts[:, None] + np.lib.stride_tricks.sliding_window_view(reach, width)).ravel()
    least = np.partition(scores, -count)[-count] if count < len(scores) else -np.inf
    kept = np.flatnonzero((scores >= least) & (scores > -np.inf))
    kept = kept[np.argsort(-scores[kept], kind="stable")][:count]
    return tuple(
        Span(int(at // width), int(at // width + at % width + 1), float(scores[at])) for at in kept
    )


def rank(
    windows: Iterable[tuple[Found, NDArray[np.int32], NDArray[np.int32]]], *, count: int
) -> Ranked:
    """Join what the windows of a question found; with each come its words' character spans.

    A span that several windows hold counts with its best score. "No answer" is as good as the
    window that has most to say against it (google-research/bert's `run_squad.py`). Of equal scores
    the earlier span comes first.
    """
    null = float("inf")
    best: dict[tuple[int, int], float] = {}
    for found, starts, ends in windows:
        null = min(null, found.null)
        for span in found.spans:
            place = (int(starts[span.start]), int(ends[span.end - 1]))
            best[place] = max(span.score, best.get(place, span.score))
    order = sorted(best, key=lambda place: (-best[place], place))[:count]
    return Ranked(null, tuple(Span(*place, best[place]) for place in order))
