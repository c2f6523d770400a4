"""Hold many lists of numbers in two arrays, which can be mapped."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Groups(NamedTuple):
    """Lists of numbers in a row: list i is `values[offsets[i]:offsets[i + 1]]`."""

    offsets: NDArray[np.int64]
    values: NDArray[np.int32]

    @classmethod
    def of(cls, owners: NDArray[np.int32], values: NDArray[np.int32], *, count: int) -> Groups:
        """Group `values` (N,) by their `owners` (N,), 0 to `count` - 1, keeping their order."""
        offsets = np.zeros(count + 1, dtype=np.int64)
        np.cumsum(np.bincount(owners, minlength=count), out=offsets[1:])
        return cls(offsets, values[np.argsort(owners, kind="stable")])

    def get(self, number: int) -> list[int]:
        """Return the list `number`."""
        found: list[int] = self.values[self.offsets[number] : self.offsets[number + 1]].tolist()
        return found
