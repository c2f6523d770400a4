"""Attention probabilities: what each token of a batch looks at, by layer and head.

Computed anew from the hidden states, so that nothing of it is in the way where models train and
predict: `scaled_dot_product_attention` never has these probabilities in memory.
Shapes: B batch, L length, H heads, N layers.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from kbert.nn.attention import SelfAttention
    from kbert.nn.encoder import Encoder
    from kbert.nn.visibility import Visibility


@torch.no_grad()
def attention_of(
    encoder: Encoder,
    token_ids: Tensor,
    *,
    positions: Tensor,
    segments: Tensor,
    visibility: Visibility | None,
) -> Tensor:
    """Return softmax(Q·K / √d) of every layer and head, (N, B, H, L queries, L keys).

    The arguments are the encoder's. A row is what a token attends to, without dropout; where it
    does not see is exactly 0, and a row's sum is 1. Takes N·B·H·L² numbers.

    Raises `ValueError` for an encoder in training, whose hidden states are drawn.
    """
    if encoder.training:
        raise ValueError("attention is that of an encoder in use; call eval() first")
    output = encoder(
        token_ids, positions=positions, segments=segments, visibility=visibility, all_layers=True
    )
    mask = None if visibility is None else visibility.mask()
    found = []
    for layer, hidden in zip(encoder.layers, output.layers, strict=False):
        attention = cast("SelfAttention", layer.attention)
        query, key = attention.query_key(hidden)
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        found.append(scores.float().softmax(dim=-1))
    return torch.stack(found)
