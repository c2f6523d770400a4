"""What the encoder begins with, computed once for each different token of many inputs.

Before any token has seen another one, its part is a function of its piece, position and segment.
Candidates of one query have most of these in common, so that a few thousand tokens stand for a
hundred thousand, whose embeddings and first projections are gathered from a table instead of
multiplied. A row of a product is rounded in one way wherever it stands (`kgbert.engine`), so no bit
of a logit depends on whether there is a table, or on what else is in it. Shapes: n inputs of
length L, T different tokens, D width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from kbert.nn.attention import Projected
from kbert.nn.encoder import Embedded

if TYPE_CHECKING:
    from torch import Tensor

    from kbert.nn.encoder import Encoder

_MOST: Final = 1 << 14
"""Rows of a table, which bound its memory: 100 MB in 32 bits, 384 wide."""
_LEAST_USES: Final = 2
"""So often a row is used on average; finding out what is equal costs less than a tenth of that."""


@dataclass(frozen=True, eq=False)
class TokenTable:
    """Hold embeddings, queries, keys and values (T, 4 D), and where those of n inputs stand."""

    rows: Tensor
    places: Tensor  # (n, L)

    @classmethod
    def of(cls, encoder: Encoder, token_ids: Tensor, segments: Tensor) -> TokenTable | None:
        """Compute the table of inputs (n, L) on the CPU, or none where it would not pay."""
        length = token_ids.shape[1]
        kinds = encoder.config.segment_types
        keys = (token_ids * length + torch.arange(length)) * kinds + segments
        distinct, places = torch.unique(keys, return_inverse=True)
        if len(distinct) > min(_MOST, keys.numel() // _LEAST_USES):
            return None
        embedded = encoder.embed(
            distinct[None] // (kinds * length),
            positions=distinct[None] // kinds % length,
            segments=distinct[None] % kinds,
        )
        return cls(torch.cat([embedded.hidden, *embedded.projected], -1)[0], places)

    def embedded(self, start: int, stop: int, *, filled: int) -> Embedded:
        """Gather what belongs to the inputs `start` to `stop`, filled up by the first of them."""
        places = self.places[start:stop]
        missing = filled - len(places)
        if missing:
            places = torch.cat([places, places[:1].expand(missing, -1)])
        # Three times as fast as indexing, which copies number by number.
        gathered = torch.index_select(self.rows, 0, places.reshape(-1)).view(*places.shape, -1)
        hidden, *projected = gathered.chunk(4, -1)
        return Embedded(hidden, Projected(*projected))
