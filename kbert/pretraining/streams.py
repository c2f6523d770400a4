"""Random words that can be asked for one by one, for a whole batch at once.

Word t of a stream is a function of the stream's key and of t alone: SplitMix64 (Steele, Lea and
Flood 2014), read as a counter-based generator. So a batch draws what its examples would draw each
by itself, and nothing depends on the batch, its padding or its order. `types.generator` serves
where one example, or one epoch, draws by itself; that has to be made each time, this has not.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)
_SEEDS: Final = 1 << 64


def keys(
    *, seed: int, epoch: int, indices: NDArray[np.integer], purpose: int
) -> NDArray[np.uint64]:
    """Return the key of each example's stream (B,) in an epoch.

    `purpose` keeps draws of different kinds apart. Raises `ValueError` for a seed or epoch that is
    negative or has more than 64 bits.
    """
    if not (0 <= seed < _SEEDS and 0 <= epoch < _SEEDS):
        raise ValueError(f"seed {seed} or epoch {epoch} is out of range")
    key = np.zeros(1, dtype=np.uint64)
    for part in (purpose, seed, epoch):
        key = words(key, np.array([part], dtype=np.uint64))
    return words(key, np.asarray(indices).astype(np.uint64))


def words(key: NDArray[np.uint64], counter: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Return word `counter`, from 0, of the stream of each key; the two are broadcast."""
    word = counter.astype(np.uint64)
    word += np.uint64(1)
    word = word * _STEP + key
    word ^= word >> np.uint64(30)
    word *= _FIRST
    word ^= word >> np.uint64(27)
    word *= _SECOND
    word ^= word >> np.uint64(31)
    return word


def uniforms(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Turn words into numbers of [0, 1), multiples of 2**-53."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def below(words: NDArray[np.uint64], bounds: NDArray[np.integer] | int) -> NDArray[np.int64]:
    """Turn words into integers from 0 to `bounds` - 1; bounds lie between 1 and 2**32.

    A number's chance is off by at most 2**-32.
    """
    high = words >> np.uint64(32)
    limits = np.asarray(bounds).astype(np.uint64)
    return ((high * limits) >> np.uint64(32)).astype(np.int64)
