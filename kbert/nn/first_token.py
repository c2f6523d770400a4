"""Attention of the first token alone, without keys and values, on a CPU where nothing is learnt.

A score q . (K h + b) is (K^T q) . h + q . b, and the second term is the same for all tokens h, so
that the softmax drops it. The weighted mean of V h + b is V (weighted mean of h) + b. So one
product a row and side takes the place of one a token and side. All of it has 32 bits in every
precision, and equals `SelfAttention` but for rounding. Measured by `benchmarks.ranking_speed`.
Shapes: B batch, H heads, L length, D width, d width of a head.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from kbert.nn.inference import only_computes

if TYPE_CHECKING:
    from torch import nn

_LEAST: Final = 100
"""Below so many numbers of a head's weights PyTorch's choice of a kernel depends on the rows."""


def may_fold(hidden: Tensor, weight: Tensor, *, heads: int) -> bool:
    """Say whether `hidden` (B, L, D) and weights (D, D) are on a CPU, and want no gradient."""
    return only_computes(hidden, weight) and weight.numel() // heads >= _LEAST


def attend_first(
    query: Tensor, hidden: Tensor, *, key: nn.Linear, value: nn.Linear, heads: int
) -> Tensor:
    """Return what first tokens attend to, (B, 1, D), in the precision of `hidden`.

    `query` (B, 1, D) holds their queries, `hidden` (B, L, D) the tokens that each row sees.
    """
    batch, _, width = hidden.shape
    own = width // heads
    tokens = hidden.float()
    queries = query.float().view(batch, heads, own).transpose(0, 1)  # (H, B, d)
    asked = torch.bmm(queries, key.weight.float().view(heads, own, width)).transpose(0, 1)
    scores = torch.bmm(asked, tokens.transpose(1, 2)) / math.sqrt(own)  # (B, H, L)
    means = torch.bmm(torch.softmax(scores, -1), tokens).transpose(0, 1)  # (H, B, D)
    weights = value.weight.float().view(heads, own, width).transpose(1, 2)
    attended = torch.bmm(means, weights).transpose(0, 1).reshape(batch, 1, width)
    return (attended + value.bias.float()).to(hidden.dtype)
