"""Where a model's `[CLS]` and the mentions of one text look: attention by layer and head."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kbert.batch import Batch
from kbert.model import Model
from kbert.nn.attending import attention_of
from kbert.tree import Node, SentenceTree

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Gaze:
    """What one token or mention attends to.

    `asking` are its tokens `start:stop`; of several the mean is taken. *Shape:* shares (layers,
    heads, L), of which each row's sum is 1.
    """

    name: str
    asking: tuple[int, int]
    shares: NDArray[np.float32]


def gazes_of(model: Model, tree: SentenceTree) -> Iterator[Gaze]:
    """Return the attention of the first token, then of each mention of `tree`."""
    device = next(model.network.parameters()).device
    batch = Batch.from_trees([tree], pad_id=model.inject.tokenizer.pad_id).to(device)
    found = attention_of(
        model.network.encoder,  # type: ignore[arg-type]
        batch.token_ids,
        positions=batch.positions,
        segments=batch.segments,
        visibility=batch.visibility,
    )
    shares = found[:, 0].cpu().numpy()
    first = model.inject.tokenizer.piece(tree.token_ids[0])
    asking = [(first, 0, 1), *((_name(node, tree), node.start, node.stop) for node in tree.nodes)]
    for name, start, stop in asking:
        yield Gaze(name, (start, stop), shares[:, :, start:stop].mean(axis=2, dtype=np.float32))


def _name(node: Node, tree: SentenceTree) -> str:
    """Return how the text calls a mention."""
    text = tree.pair if tree.segments[node.start] and tree.pair is not None else tree.text
    return text[tree.starts[node.start] : tree.ends[node.stop - 1]]
