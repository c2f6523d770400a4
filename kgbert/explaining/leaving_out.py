"""What the text of each part does to the score: the log-odds with it, less those without it.

A triple is first cut as always; then the pieces that were kept of one part are taken away, and
nothing else moves up. "Without" has three meanings, and none of them is the true one:

- left out: the part is empty, as in `[CLS] [SEP] relation [SEP] tail [SEP]`. That is the plainest
  meaning, but no input of the training looked like this.
- masked: each of its pieces is `[MASK]`. The length stays, and an encoder that was pre-trained
  knows the mask; one from scratch does not.
- typical: another entity, or relation, stands there: the mean over the candidates of the ranking.
  Such inputs are those that the training knows; but the mean depends on the candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kgbert.explaining.layout import PARTS, Layout
from kgbert.pieces import Pieces

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from kgbert.text_engine import TextEngine


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a part adds to the log-odds of being true; `typical` is None without candidates."""

    part: str
    left_out: float
    masked: float
    typical: float | None


def contributions(
    engine: TextEngine,
    layout: Layout,
    *,
    relation: int,
    difference: float,
    means: Mapping[str, float],
) -> tuple[Contribution, ...]:
    """Return the contribution of each part that is read, in their order.

    `difference` is that of the triple itself, `relation` its relation's number, and `means` holds
    by part the mean difference of other candidates.
    """
    own: list[Sequence[int]] = [part.ids for part in layout.parts]
    read = [PARTS.index(part.name) for part in layout.read()]
    changed = []
    for column in read:
        for instead in ([], [engine.tokenizer.mask_id] * len(own[column])):
            changed.append([*own[:column], instead, *own[column + 1 :]])
    scores = _scores(engine, changed, relation=relation).reshape(-1, 2)
    return tuple(
        Contribution(
            PARTS[column],
            left_out=difference - without,
            masked=difference - masked,
            typical=difference - means[PARTS[column]] if PARTS[column] in means else None,
        )
        for column, (without, masked) in zip(read, scores.tolist(), strict=True)
    )


def _scores(
    engine: TextEngine, inputs: Sequence[Sequence[Sequence[int]]], *, relation: int
) -> NDArray[np.float64]:
    """Return the log-odds of inputs that are given by the pieces of head, relation and tail."""
    count = len(inputs)
    heads, links, tails = zip(*inputs, strict=True)
    places = np.arange(count)
    prepared = engine.over(
        entities=Pieces.from_ids([*heads, *tails]),
        relations=Pieces.from_ids(links if engine.form == "triple" else []),
        rows=np.stack([places, places, places + count], axis=1),
    )
    relations = np.full(count, relation)
    return engine.scores_of(prepared, relations=relations, kind="difference")
