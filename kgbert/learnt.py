"""Which training triples a run learns: all of them, or the share that its settings ask for.

Training draws the share, and an evaluation draws it again: whether an entity was seen, and whether
the reverse of a triple was, is a question about what was learnt, not about what could have been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphs.filters import FilterIndex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kgbert.dataset import KnowledgeData
    from kgbert.settings import KnowledgeTrainSettings


def learnt_share(triples: NDArray[np.int32], settings: KnowledgeTrainSettings) -> NDArray[np.int32]:
    """Return the share of `triples` (n, 3) that is learnt; for one --split-seed always the same."""
    if settings.train_share == 1.0 or not len(triples):
        return triples
    count = max(1, round(settings.train_share * len(triples)))
    order = np.random.default_rng(settings.split_seed).permutation(len(triples))
    return triples[np.sort(order[:count])]


def learnt_index(data: KnowledgeData, settings: KnowledgeTrainSettings) -> FilterIndex:
    """Index the true training triples of `data` that a run with these settings learns."""
    return FilterIndex(
        learnt_share(data.positives("train"), settings).T,
        entities=len(data.entities),
        relations=len(data.relations),
    )
