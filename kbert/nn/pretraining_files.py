"""The heads of pre-training among the tensors of a file: which there are, and whether they fit.

Works on tensors by their even names (see `layout`), before they are matched with a model.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch

from kbert.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

_HEADS = {
    "cls.predictions.": "tokens",
    "cls.seq_relationship.": "relation",
    "cls.boundary.": "boundary",
}
_RELATION = "cls.seq_relationship.bias"
_OFFSETS = "cls.boundary.offset.weight"
_BIAS = "cls.predictions.bias"
# The decoder's own names for weights that the model has once.
_TIED = {
    "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": _BIAS,
}

_log = logging.getLogger(__name__)


def head_sizes(stored: Mapping[str, Tensor], *, path: Path) -> tuple[int, int]:
    """Return the number of relation labels and of boundary positions; 0 where there is no head.

    Raises `CheckpointError` for a relation head that does not tell two relations apart.
    """
    relation, boundary = stored.get(_RELATION), stored.get(_OFFSETS)
    if relation is not None and (relation.ndim != 1 or relation.shape[0] < 2):
        raise CheckpointError(f"{path}: {_RELATION} has shape {tuple(relation.shape)}, not (2,)")
    return (
        0 if relation is None else relation.shape[0],
        0 if boundary is None or boundary.ndim != 2 else boundary.shape[0],
    )


def without_tied_copies(stored: dict[str, Tensor], *, path: Path) -> dict[str, Tensor]:
    """Take out the decoder's copies of weights that it shares.

    Some writers keep them. Raises `CheckpointError` if a copy is not one: such a decoder was
    trained apart from the embeddings, and this model would lose it.
    """
    kept = dict(stored)
    for copy, original in _TIED.items():
        if copy not in kept:
            continue
        tensor = kept.pop(copy)
        if not torch.equal(kept.setdefault(original, tensor), tensor):
            raise CheckpointError(
                f"{path}: {copy} differs from {original}; only a decoder that is tied to the "
                "embeddings is supported"
            )
    return kept


def exchange_heads(
    stored: dict[str, Tensor], own: Mapping[str, Tensor], *, path: Path
) -> dict[str, Tensor]:
    """Give a model's heads in place of those that `stored` has not, or has in another size.

    `own` are the model's tensors by their names in a file. A head that the model has not is taken
    out. Raises `ValueError` if a head that is needed has no weights yet (meta device).
    """
    result = dict(stored)
    for prefix, head in _HEADS.items():
        ours = {name: tensor for name, tensor in own.items() if name.startswith(prefix)}
        theirs = {name: tensor for name, tensor in stored.items() if name.startswith(prefix)}
        if {n: t.shape for n, t in ours.items()} == {n: t.shape for n, t in theirs.items()}:
            continue
        result = {name: tensor for name, tensor in result.items() if name not in theirs} | ours
        if any(tensor.is_meta for tensor in ours.values()):
            raise ValueError(f"the model's {head} head has no weights; make it off the meta device")
        if ours:
            _log.warning("%s: has no %s head of this size; a fresh one is trained", path, head)
    return result
