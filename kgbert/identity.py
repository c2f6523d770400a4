"""What figures are a function of, in a few words that can be compared: weights, inputs, data."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kgbert.dataset import KnowledgeData
    from kgbert.engine import ScoringEngine


def engine_identity(engine: ScoringEngine) -> dict[str, Any]:
    """Name what logits are a function of: SHA-256 sums of weights and of texts as pieces."""
    weights = hashlib.sha256()
    for name, tensor in sorted(engine.network.state_dict().items()):
        weights.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        weights.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    laid_out = engine.sequences
    inputs = hashlib.sha256(f"{laid_out.cls_id} {laid_out.sep_id}".encode())
    for array in (laid_out.token_ids, *laid_out.starts, *laid_out.lengths_of):
        inputs.update(array.tobytes())
    return {
        "weights": weights.hexdigest(),
        "inputs": inputs.hexdigest(),
        "form": laid_out.form,
        "truncation": laid_out.truncation,
        "max_length": laid_out.max_length,
    }


def data_identity(data: KnowledgeData) -> dict[str, Any]:
    """Name a data set by its fingerprint."""
    return {"data": data.fingerprint}
