"""How many pieces of head, relation and tail an input keeps: a function of their lengths alone.

Both rules work on numpy arrays and on torch tensors of any device; `xp` is the library itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def truncate(lengths: Any, *, room: int, xp: Any = np) -> Any:
    """Cut lengths (..., K), K being 2 or 3, to sum up to at most `room`; what fits is kept whole.

    Pieces are given up one at a time by the longest part, and by the last of several longest ones.
    So each part keeps a piece if it has one and there is room for K, more room never means less of
    a part, and for two parts the rule is BERT's (see `kbert.inject.share`). In closed form, every
    part keeps what is below a common level, and the first of the longer ones what is left.

    Raises `ValueError` for a negative room.
    """
    _check(room)
    smallest, largest = xp.amin(lengths, -1), xp.amax(lengths, -1)
    others = lengths.sum(-1) - largest
    level = (room - others).clip(room // lengths.shape[-1], None)
    if lengths.shape[-1] == 3:
        level = xp.maximum(level, (room - smallest) // 2)
    longer = lengths > level[..., None]
    kept = xp.where(longer, level[..., None], lengths)
    left = room - kept.sum(-1)
    return kept + (longer & (longer.cumsum(-1) <= left[..., None]))


def truncate_original(lengths: Any, *, room: int, xp: Any = np) -> Any:
    """Cut lengths (..., 3) as KG-BERT's `_truncate_seq_triple` does (yao8839836/kg-bert).

    There a piece is given up by the part that is longer than both others, and by the tail where
    there is none, even if the tail is the shortest. Where its tail runs out of pieces and the
    original ends in an IndexError, lengths are those of `truncate`. This is the closed form.

    Raises `ValueError` for a negative room.
    """
    _check(room)
    head, relation, tail = lengths[..., 0], lengths[..., 1], lengths[..., 2]
    low, high = xp.minimum(head, relation), xp.maximum(head, relation)
    # The tail is one of the two longest: they give up pieces in turn, down to the third length.
    pair = room - low
    turns_high = xp.where(tail <= pair // 2, pair - tail, (pair + 1) // 2)
    turns_high = xp.where(high <= (pair + 1) // 2, high, turns_high)
    # The tail is the shortest: the longest part gives up pieces, down to the second.
    alone_high = xp.minimum(high, pair - tail)
    new_high = xp.where(tail < low, alone_high, turns_high)
    new_high = xp.maximum(new_high, low)  # all further pieces are the tail's
    new_tail = xp.minimum(tail, room - low - new_high)
    is_head = head >= relation
    new_head = xp.where(is_head, new_high, low)
    cut = xp.stack([new_head, low + new_high - new_head, new_tail], -1)
    fits = (lengths.sum(-1) <= room)[..., None]
    crashed = (new_tail < 0)[..., None]
    cut = xp.where(crashed, truncate(lengths, room=room, xp=xp), cut)
    return xp.where(fits, lengths, cut)


def _check(room: int) -> None:
    if room < 0:
        raise ValueError(f"room is {room}; it must not be negative")
