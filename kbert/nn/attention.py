"""Multi-head self-attention over a bool mask (Vaswani et al. 2017, section 3.2).

The mask says who may be attended to; it is never an additive bias outside this file's kernel,
and is shared by all layers. Shapes: B batch, L length, D width, H heads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from kbert.nn.linear import Linear
from kbert.nn.short_attention import attend_shortly, may_attend_shortly

if TYPE_CHECKING:
    from torch import Tensor


class SelfAttention(nn.Module):
    """Attend from every token to the tokens that it sees."""

    def __init__(self, width: int, *, heads: int, dropout: float) -> None:
        """Make the four projections D to D, all with bias."""
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.query = Linear(width, width)
        self.key = Linear(width, width)
        self.value = Linear(width, width)
        self.output = Linear(width, width)

    def forward(self, hidden: Tensor, *, mask: Tensor | None, only_first: bool = False) -> Tensor:
        """Return (B, L, D) from `hidden` (B, L, D) and `mask` bool (B, 1, L, L).

        Without a mask every token of a row sees all of the row. With `only_first` the result is
        (B, 1, D), that of the first tokens; the others are looked at, but do not look themselves.
        """
        asking = hidden
        if only_first:
            asking, mask = hidden[:, :1], None if mask is None else mask[:, :, :1]
        query, key, value = (
            self._split(projected)
            for projected in (self.query(asking), self.key(hidden), self.value(hidden))
        )
        if mask is None and not self._drops() and may_attend_shortly(key):
            attended = attend_shortly(query, key, value)
        else:
            attended = scaled_dot_product_attention(
                query, key, value, attn_mask=mask, dropout_p=self.dropout if self._drops() else 0.0
            )
            attended = attended.transpose(1, 2).flatten(start_dim=2)
        projected: Tensor = self.output(attended)
        return projected

    def query_key(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return what asks and what is asked, each (B, H, L, D / H), of `hidden` (B, L, D)."""
        return self._split(self.query(hidden)), self._split(self.key(hidden))

    def _drops(self) -> bool:
        return self.training and self.dropout > 0

    def _split(self, projected: Tensor) -> Tensor:
        """Turn (B, L, D) into (B, H, L, D / H)."""
        return projected.view(*projected.shape[:2], self.heads, -1).transpose(1, 2)
