"""Random numbers that are a function of what they are for, many at a time.

A stream would make a draw depend on those before it. Here each is a hash of its own address (seed,
epoch, index, slot), so that batches, workers and resumed runs change nothing. The hash is the
output function of SplitMix64 (Steele, Lea and Flood 2014, Fast Splittable Pseudorandom Number
Generators), applied once for each part of the address.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_GOLDEN: Final = 0x9E3779B97F4A7C15
_MASK: Final = (1 << 64) - 1


def hashed(*address: int | NDArray[np.integer]) -> NDArray[np.uint64]:
    """Hash an address whose parts are integers, or arrays that broadcast together.

    A negative integer counts modulo 2**64.
    """
    state = np.zeros(1, dtype=np.uint64)
    for part in address:
        number = part & _MASK if isinstance(part, int) else part.astype(np.uint64)
        state = _mixed(state + np.uint64(_GOLDEN) + number * np.ones(1, dtype=np.uint64))
    return state


def below(bits: NDArray[np.uint64], size: NDArray[np.integer] | int) -> NDArray[np.int64]:
    """Return a number from 0 to below `size` (at most 2**53) for each hash, all equally likely."""
    return (uniform(bits) * size).astype(np.int64)


def uniform(bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return a number from 0 to below 1 for each hash, of 53 random bits."""
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
