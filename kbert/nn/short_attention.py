"""Attention over a few tokens that all see each other, on a CPU, where nothing is learnt.

PyTorch's kernel takes about as long for 12 tokens as for 25, and most of it goes to the softmax:
rows that are shorter than a vector register (16 numbers of 32 bits) go through it one number at a
time. Here such rows are filled up with keys of score minus infinity, which weigh nothing, and
heads are multiplied in batches. Scores and weights have 32 bits in every precision. Measured by
`benchmarks.ranking_speed`. Shapes: B batch, H heads, L length, W filled length, d width of a head.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from kbert.nn.inference import only_computes

LONGEST: Final = 32
"""Where PyTorch's kernel is as fast."""
_LANES: Final = 16


def may_attend_shortly(given: Tensor) -> bool:
    """Say whether keys `given` (B, H, L, d) are few, on a CPU, and want no gradient."""
    return given.shape[2] <= LONGEST and only_computes(given)


def attend_shortly(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return softmax(query key^T / sqrt(d)) value, (B, Q, H * d), of one precision.

    `query` is (B, H, Q, d), `key` and `value` are (B, H, L, d); strides are free.
    """
    batch, heads, asking, width = query.shape
    length = key.shape[2]
    filled = max(length, _LANES)
    several = batch * heads
    kept = torch.float32
    keys = torch.zeros(batch, heads, filled, width, dtype=kept)
    keys[:, :, :length] = key
    queries = query.to(kept).reshape(several, asking, width)
    scores = torch.baddbmm(
        _unseen(length, filled).expand(several, asking, filled),
        queries,
        keys.view(several, filled, width).transpose(1, 2),
        alpha=1 / math.sqrt(width),
    )
    weights = torch.softmax(scores, -1)[..., :length]
    values = value.to(kept).reshape(several, length, width)
    attended = torch.bmm(weights, values).view(batch, heads, asking, width)
    joined = torch.empty(batch, asking, heads, width, dtype=query.dtype)
    joined.copy_(attended.transpose(1, 2))
    return joined.flatten(start_dim=2)


def _unseen(length: int, filled: int) -> Tensor:
    """Return what is added to scores (1, 1, W): nothing, and minus infinity from `length` on."""
    added = torch.zeros(1, 1, filled)
    added[..., length:] = -math.inf
    return added
