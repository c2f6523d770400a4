"""How many floating-point operations an encoder needs for inputs of given lengths.

Matrix products alone, a multiplication and an addition being two operations: projections and
feed-forward of every layer, scores and weighted sums of attention, pooler and head. Embeddings,
norms, softmax and activations are left out, as is common.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kbert.nn.config import EncoderConfig
    from kgbert.dataset import KnowledgeData
    from kgbert.sequences import Sequences


def flops(lengths: Any, config: EncoderConfig, *, first_only: bool, labels: int = 2) -> Any:
    """Return the operations for inputs of `lengths`, an integer or an array, as floats.

    With `first_only` the last layer computes keys and values of all tokens, and of the first token
    all the rest.
    """
    size = np.asarray(lengths, dtype=np.float64)
    width, feed_forward = config.width, config.feed_forward
    projection = 2 * width * width
    rest = 2 * projection + 2 * 2 * width * feed_forward  # query, output, feed-forward
    attention = 2 * 2 * size * width
    whole = size * (2 * projection + rest + attention)
    last = 2 * projection * size + rest + attention if first_only else whole
    head = projection + 2 * width * labels
    return (config.layers - 1) * whole + last + head


def whole_ranking(
    data: KnowledgeData,
    sequences: Sequences,
    config: EncoderConfig,
    *,
    queries: NDArray[np.integer],
    columns: NDArray[np.integer],
) -> dict[str, float]:
    """Count inputs and operations for all entities as candidates of queries (Q, 3).

    `columns` (Q,) says which part of each is asked for. Known answers, which a filtered ranking
    leaves out, are not taken off, nor are equal texts. Candidates of one length are counted
    together, so this takes moments for any data set.
    """
    lengths, counts = np.unique(sequences.lengths_of[0], return_counts=True)
    stand_ins = np.array(
        [np.flatnonzero(sequences.lengths_of[0] == length)[0] for length in lengths]
    )
    inputs, tokens, operations = 0.0, 0.0, 0.0
    for column in (0, 2):
        own = queries[columns == column]
        for start in range(0, len(own), 1024):
            some = np.repeat(own[start : start + 1024], len(stand_ins), axis=0)
            some[:, column] = np.tile(stand_ins, len(some) // len(stand_ins))
            found = sequences.lengths(some)
            times = np.tile(counts, len(some) // len(stand_ins))
            inputs += float(times.sum())
            tokens += float((found * times).sum())
            operations += float((flops(found, config, first_only=True) * times).sum())
    return {"inputs": inputs, "mean_length": tokens / inputs, "flops": operations}
