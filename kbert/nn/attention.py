"""Multi-head self-attention over a bool mask (Vaswani et al. 2017, section 3.2).

The mask says who may be attended to; it is never an additive bias outside this file's kernel,
and is shared by all layers. Shapes: B batch, L length, D width, H heads.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from kbert.nn.first_token import attend_first, may_fold
from kbert.nn.linear import Linear
from kbert.nn.short_attention import attend_shortly, may_attend_shortly


class Projected(NamedTuple):
    """Queries, keys and values of hidden states, each (B, L, D)."""

    query: Tensor
    key: Tensor
    value: Tensor


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

    def project(self, hidden: Tensor) -> Projected:
        """Return queries, keys and values of `hidden` (B, L, D)."""
        return Projected(self.query(hidden), self.key(hidden), self.value(hidden))

    def forward(
        self,
        hidden: Tensor,
        *,
        mask: Tensor | None,
        only_first: bool = False,
        projected: Projected | None = None,
    ) -> Tensor:
        """Return (B, L, D) from `hidden` (B, L, D) and `mask` bool (B, 1, L, L).

        Without a mask every token of a row sees all of the row. With `only_first` the result is
        (B, 1, D), that of the first tokens; the others are looked at, but do not look themselves.
        `projected` is what `project` gives, where that is known already.
        """
        attended: Tensor
        if only_first and mask is None and projected is None and self._may_fold(hidden):
            attended = attend_first(
                self.query(hidden[:, :1]),
                hidden,
                key=self.key,
                value=self.value,
                heads=self.heads,
            )
        else:
            attended = self._attended(
                projected or self._needed(hidden, only_first=only_first),
                mask=mask,
                only_first=only_first,
            )
        given: Tensor = self.output(attended)
        return given

    def _needed(self, hidden: Tensor, *, only_first: bool) -> Projected:
        """Project, without the queries that nobody asks."""
        if not only_first:
            return self.project(hidden)
        return Projected(self.query(hidden[:, :1]), self.key(hidden), self.value(hidden))

    def _attended(self, projected: Projected, *, mask: Tensor | None, only_first: bool) -> Tensor:
        """Return the weighted values (B, L, D), or with `only_first` (B, 1, D)."""
        query, key, value = map(self._split, projected)
        if only_first:
            query, mask = query[:, :, :1], None if mask is None else mask[:, :, :1]
        if mask is None and not self._drops() and may_attend_shortly(key):
            return attend_shortly(query, key, value)
        attended = scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=self.dropout if self._drops() else 0.0
        )
        return attended.transpose(1, 2).flatten(start_dim=2)

    def _may_fold(self, hidden: Tensor) -> bool:
        return not self._drops() and may_fold(hidden, self.key.weight, heads=self.heads)

    def query_key(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return what asks and what is asked, each (B, H, L, D / H), of `hidden` (B, L, D)."""
        return self._split(self.query(hidden)), self._split(self.key(hidden))

    def _drops(self) -> bool:
        return self.training and self.dropout > 0

    def _split(self, projected: Tensor) -> Tensor:
        """Turn (B, L, D) into (B, H, L, D / H)."""
        return projected.view(*projected.shape[:2], self.heads, -1).transpose(1, 2)
