"""Knowledge dropout: in training each injected fact is left out with some probability.

So a model does not come to need its facts. Trees are made once; what is left out is drawn anew for
each epoch and taken out of the tree's array. Which branches go is a function of seed, epoch,
example and branch alone: the same in every process and worker, whatever the batches. What stays
keeps its positions and its intervals, so it sees what it would see had the graph not had the
missing facts; but nothing moves up into the room that they leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kbert.tasks import Encoded

_ENTER, _TRUNK = 3, 5  # rows of `SentenceTree.array`
_PURPOSE = 0xFAC7  # keeps these draws apart from others with the same seed


class Thinned(Sequence["Encoded"]):
    """The examples of an epoch, of each a share of the facts left out when it is asked for."""

    def __init__(self, encoded: Sequence[Encoded], *, rate: float, seed: int, epoch: int) -> None:
        """Take the probability `rate` (0 to 1) of a branch to be left out; epochs count from 0."""
        self._encoded = encoded
        self._rate = rate
        self._key = (seed, epoch)

    def __len__(self) -> int:
        """Count the examples."""
        return len(self._encoded)

    @overload
    def __getitem__(self, index: int) -> Encoded: ...
    @overload
    def __getitem__(self, index: slice) -> list[Encoded]: ...
    def __getitem__(self, index: int | slice) -> Encoded | list[Encoded]:
        """Return example `index` with the facts that are left."""
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        example = self._encoded[number]
        count = len(_branches(example.array)) if self._rate else 0
        if not count:
            return example
        seed, epoch = self._key
        draw = np.random.default_rng((seed, epoch, number, _PURPOSE))
        return without_branches(example, draw.random(count) < self._rate)


def thinned(encoded: Sequence[Encoded], *, rate: float, seed: int, epoch: int) -> Sequence[Encoded]:
    """Return the examples as `epoch` trains on them; the very same ones if `rate` is 0."""
    return Thinned(encoded, rate=rate, seed=seed, epoch=epoch) if rate else encoded


def without_branches(example: Encoded, dropped: NDArray[np.bool_]) -> Encoded:
    """Return an example without the branches marked in `dropped`, one entry a branch, in order."""
    array = example.array
    kept = ~np.isin(array[_ENTER], _branches(array)[dropped])
    places = np.append(np.cumsum(kept, dtype=np.int32) - 1, np.int32(-1))  # -1 stays -1
    return example._replace(
        array=array[:, kept],
        words=places[example.words],
        facts=example.facts - int(np.count_nonzero(dropped)),
    )


def _branches(array: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the number of each branch's node, ascending, which is the order of the tokens."""
    return np.unique(array[_ENTER, array[_TRUNK] == 0])
