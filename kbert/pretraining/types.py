"""The values that pass between the parts of pre-training, and how randomness is keyed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Range = tuple[int, int]

_WORD: Final = 1 << 64
_SMALL: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Pair:
    """Two segments of a corpus, as half-open ranges of its `token_ids`, and how they relate.

    `b` is None where there is one segment alone. What `label` says is the relation's to define.
    """

    a: Range
    b: Range | None
    label: int


class Masked(NamedTuple):
    """One corrupted sequence, of L tokens with K positions to predict.

    `token_ids` (L,) int32 is what the encoder reads; `positions` (K,) int32 ascend; `labels` (K,)
    int32 are the original ids there; `spans` (K, 2) int32 is the half-open span that each position
    was masked with, or None where spans mean nothing.
    """

    token_ids: NDArray[np.int32]
    positions: NDArray[np.int32]
    labels: NDArray[np.int32]
    spans: NDArray[np.int32] | None


class Seen(NamedTuple):
    """What sentence trees say of tokens, all (N, L): see `kbert.nn.visibility`."""

    positions: NDArray[np.int32]
    enter: NDArray[np.int32]
    leave: NDArray[np.int32]
    trunk: NDArray[np.bool_]


class Sequences(NamedTuple):
    """Sequences side by side, before they are corrupted: N of at most L tokens, `sizes` (N,).

    `token_ids` and `segments` (N, L) are int32, as are `groups`, the units of masking. `seen` is
    None where all sequences are plain text.
    """

    token_ids: NDArray[np.int32]
    groups: NDArray[np.int32]
    segments: NDArray[np.int32]
    sizes: NDArray[np.int64]
    seen: Seen | None = None


def generator(*, seed: int, epoch: int, index: int) -> np.random.Generator:
    """Return the source of randomness of example `index` in `epoch`, the same in every process.

    A counter-based generator (Philox 4x64) is keyed by `seed` and by `epoch` and `index` together,
    so that no two examples share a stream, and example i needs no example before it. `seed` is
    below 2**64, `epoch` and `index` below 2**32. Raises `ValueError` for numbers out of range.
    """
    if not (0 <= seed < _WORD and 0 <= epoch < _SMALL and 0 <= index < _SMALL):
        raise ValueError(f"seed {seed}, epoch {epoch} or index {index} is out of range")
    key = np.array([seed, epoch << 32 | index], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))
