"""Which documents are trained on, and which are kept back to be measured on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kbert.pretraining.pairs import Pairs
from kbert.pretraining.relations import RELATIONS

Numbers = NDArray[np.int64]
_DRAW: Final = 0x4E1D  # the split is a function of the corpus and the share alone


@dataclass(frozen=True, eq=False)
class Part:
    """Some documents of a corpus, numbered and laid end to end as if there were no others.

    `sentences` (S + 1,) and `documents` (D + 1,) are offsets as in `shards.Corpus`, and `shifts`
    (S,) says how far each sentence's tokens are from their place in the corpus.
    """

    sentences: Numbers
    documents: Numbers
    shifts: Numbers

    @classmethod
    def of(cls, *, sentences: Numbers, documents: Numbers, chosen: NDArray[np.bool_]) -> Part:
        """Take the documents that `chosen` (D,) says."""
        counts = np.diff(documents)[chosen]
        own = np.repeat(chosen, np.diff(documents))
        lengths = np.diff(sentences)[own]
        begins = _offsets(lengths)
        return cls(begins, _offsets(counts), sentences[:-1][own] - begins[:-1])

    def __len__(self) -> int:
        """Count the documents."""
        return len(self.documents) - 1

    def in_corpus(self, pairs: Pairs) -> Pairs:
        """Return pairs of this part as ranges of the corpus's tokens."""
        return Pairs(self._moved(pairs.a), self._moved(pairs.b), pairs.label, pairs.dropped)

    def _moved(self, ranges: Numbers) -> Numbers:
        """Move ranges (N, 2), each within a document, so that one shift holds for all of it."""
        full = ranges[:, 1] > ranges[:, 0]
        sentence = np.searchsorted(self.sentences, ranges[:, 0], side="right") - 1
        shift = np.where(full, self.shifts[np.minimum(sentence, len(self.shifts) - 1)], 0)
        moved: Numbers = ranges + shift[:, None]
        return moved


def split(
    *, sentences: Numbers, documents: Numbers, share: float, relation: str
) -> tuple[Part, Part | None]:
    """Return the documents to train on and those held out, None if too few are there for both.

    The same documents are held out whatever the seed of a run. A relation that draws from other
    documents needs two in each part.
    """
    count = len(documents) - 1
    ways = RELATIONS[relation].ways if relation in RELATIONS else ()
    least = 2 if "random" in ways else 1
    kept = max(least, round(share * count)) if share > 0 else 0
    chosen = np.zeros(count, dtype=np.bool_)
    if kept and count - kept >= least:
        chosen[np.random.default_rng(_DRAW).permutation(count)[:kept]] = True
    parts = [
        Part.of(sentences=sentences, documents=documents, chosen=which)
        for which in (~chosen, chosen)
    ]
    return parts[0], parts[1] if chosen.any() else None


def _offsets(lengths: Numbers) -> Numbers:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)])
