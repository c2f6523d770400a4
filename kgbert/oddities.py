"""Count what is odd in the triples of a data set: repeated lines, overlaps, contrary labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs.filters import FilterIndex


class Labelled(NamedTuple):
    """Triples int32 (n, 3), and their labels int8 (n,), 1 or 0, where there are any."""

    triples: NDArray[np.int32]
    labels: NDArray[np.int8] | None

    @property
    def positives(self) -> NDArray[np.int32]:
        """Return the triples (m, 3) that are true."""
        return self.triples if self.labels is None else self.triples[self.labels == 1]

    @property
    def negatives(self) -> NDArray[np.int32]:
        """Return the triples (m, 3) that are labelled false."""
        return self.triples[:0] if self.labels is None else self.triples[self.labels == 0]


def oddities(
    parts: Mapping[str, Labelled], *, trained_on: str, entities: int, relations: int
) -> list[str]:
    """Say in one line each what is odd in `parts`, one of which is `trained_on`."""

    def index(triples: NDArray[np.int32]) -> FilterIndex:
        return FilterIndex(triples.T, entities=entities, relations=relations)

    known = index(parts[trained_on].positives)
    notes = []
    for name, part in parts.items():
        repeated = len(part.triples) - len(index(part.triples))
        false = index(part.negatives)
        counts = [
            (repeated, "lines have a triple of an earlier line"),
            (_held(index(part.positives), false), "triples are labelled both true and false"),
        ]
        if name != trained_on:
            counts += [
                (_held(known, index(part.positives)), f"true triples are in {trained_on} as well"),
                (_held(known, false), f"triples labelled false are true in {trained_on}"),
            ]
        notes += [
            f"{name}: {count:,} of {len(part.triples):,} {what}" for count, what in counts if count
        ]
    return notes


def _held(index: FilterIndex, other: FilterIndex) -> int:
    return int(index.contains(other.rows).sum())
