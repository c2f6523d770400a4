"""Sequences of whole sentences in a row, without a second segment: RoBERTa's full sentences."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from kbert.errors import SettingsError
from kbert.pretraining.pairs import Pairs
from kbert.pretraining.relations import NO_RELATION

_BLOCK: Final = 1 << 20  # sentences that are worked on together; bounds the memory


def full_sentences(
    *,
    sentences: NDArray[np.int64],
    documents: NDArray[np.int64],
    max_length: int,
    cross_documents: bool = False,
) -> Pairs:
    """Fill each sequence with whole sentences (Liu et al. 2019, section 4.2).

    There is no second segment and nothing is drawn or dropped: every token stands in one sequence.
    A sentence that is too long for a sequence is cut into several. With `cross_documents` a
    sequence goes on into the next document, without a mark between the two; without it, `packing`
    puts short sequences into one row and keeps them apart.

    Args:
        sentences: (S + 1,) token offsets, strictly ascending: no sentence is empty.
        documents: (D + 1,) sentence offsets.
        max_length: tokens of a sequence, with `[CLS]` and `[SEP]`.
        cross_documents: see above.

    Raises:
        SettingsError: `max_length` leaves no room.
    """
    budget = max_length - 2
    if budget < 1:
        raise SettingsError(f"sequences of {max_length} tokens have no room: give at least 3")
    offsets = np.asarray(sentences)
    limits = np.asarray(documents)[-1:] if cross_documents else np.asarray(documents)
    edges = offsets[_walk(offsets, limits, budget=budget)]
    pieces = -(-np.diff(edges) // budget)  # more than one where a sentence is too long
    nth = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    begin = np.repeat(edges[:-1], pieces) + nth * budget
    end = np.minimum(begin + budget, np.repeat(edges[1:], pieces))
    alone = np.full(len(begin), NO_RELATION, dtype=np.int64)
    none = np.zeros((len(begin), 2), dtype=np.int64)
    return Pairs(np.stack([begin, end], axis=1), none, alone, 0)


def _walk(
    offsets: NDArray[np.int64], limits: NDArray[np.int64], *, budget: int
) -> NDArray[np.int64]:
    """Return the sentences where sequences begin, and the last one's end.

    A sequence holds as many sentences as fit, at least one, and none from a limit on.
    """
    count, place, found = len(offsets) - 1, 0, []
    for begin in range(0, count, _BLOCK):
        numbers = np.arange(begin, min(begin + _BLOCK, count))
        fitting = np.searchsorted(offsets, offsets[numbers] + budget, side="right") - 1
        limit = limits[np.searchsorted(limits, numbers, side="right")]
        jumps = np.maximum(np.minimum(fitting, limit), numbers + 1).tolist()
        firsts = []
        while place < begin + len(jumps):
            firsts.append(place)
            place = jumps[place - begin]
        found.append(np.array(firsts, dtype=np.int64))
    return np.concatenate([*found, np.array([count])])
