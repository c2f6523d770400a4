"""What a trained network says of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from kbert.errors import RunError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from kbert.batch import Batch


@torch.inference_mode()
def logits_of(network: nn.Module, batch: Batch) -> Tensor:
    """Return the logits of a batch on the network's device, in 32 bits; (B, C), or (B, L, C).

    Raises `RunError` for weights that diverged.
    """
    logits: Tensor = network(
        batch.token_ids,
        positions=batch.positions,
        segments=batch.segments,
        visibility=batch.visibility,
    ).float()
    if not bool(logits.isfinite().all()):
        raise RunError("the model's answers are no numbers (NaN): its training diverged")
    return logits
