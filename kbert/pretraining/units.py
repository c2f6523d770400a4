"""What is masked as one: pieces, words or entities, as a group number for each token.

Neighbours with the same number are one unit. A unit never crosses a special token, so a word that
truncation left headless after `[SEP]` is a unit of its own; Google's code adds it to the last
word before the `[SEP]`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

SPECIAL: Final = -1  # the group of [CLS], [SEP] and the like
PADDING: Final = -2
COUNTED: Final = -3  # not to be masked, but counted among the tokens that the budget is a share of


def unit_groups(
    *, starts: NDArray[np.bool_] | None, special: NDArray[np.bool_], padding: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """Number the units of rows: int32 of the shape of `special`, (..., L).

    `starts` says of each token whether a unit begins there; None makes each piece a unit. The
    first token after a special one begins a unit, whatever `starts` says.
    """
    outside = special | padding
    # Counting special tokens too parts what stands before one from what stands after it.
    begins = np.ones_like(outside) if starts is None else starts | outside
    groups = np.cumsum(begins, axis=-1, dtype=np.int32)
    groups[special] = SPECIAL
    groups[padding] = PADDING
    return groups


def entity_starts(
    *,
    word_starts: NDArray[np.bool_],
    offsets: NDArray[np.integer],
    mentions: Iterable[tuple[int, int]],
) -> NDArray[np.bool_]:
    """Say of each token of a text (T,) whether a unit begins there, a mention being one unit.

    `offsets` (T, 2) are the tokens' half-open ranges of characters; `mentions` are half-open
    ranges of characters too and do not overlap. A word that a mention cuts belongs to it as a
    whole. Tokens outside mentions keep to `word_starts`.
    """
    starts = word_starts.copy()
    starts[:1] = True
    borders = np.append(np.flatnonzero(starts), len(starts))
    for begin, end in mentions:
        touched = np.flatnonzero((offsets[:, 0] < end) & (begin < offsets[:, 1]))
        if not len(touched):
            continue
        first = borders[np.searchsorted(borders, touched[0], side="right") - 1]
        last = borders[np.searchsorted(borders, touched[-1], side="right")]
        starts[first + 1 : last] = False
    return starts
