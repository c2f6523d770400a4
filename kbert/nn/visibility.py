"""Who may attend to whom: one rule over a few integers a token.

Token *q* sees token *k* iff they are of one document, *k*'s key rank is at most *q*'s query rank,
and both are trunk or one's node is the other's or an ancestor of it. Nodes are numbered depth
first, each holding the half-open interval `[enter, leave)` of its subtree. At depth one this is
K-BERT's visible matrix (Liu et al. 2020, section 3.4); without branches it is BERT; ranks equal to
positions make it causal; documents keep packed examples apart.

The rule is written once, over numpy and torch alike. It never makes the L x L matrix part of an
example: that is rendered a batch at a time. Importing this file does not import torch.
Shapes: B batch, L length.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray
    from torch import Tensor


def _rule(
    *, document: Any, enter: Any, leave: Any, trunk: Any, query_rank: Any, key_rank: Any
) -> Any:
    """Apply the rule to arrays (..., L) of numpy or torch; bool (..., L queries, L keys)."""

    def query(vector: Any) -> Any:
        return vector[..., :, None]

    def key(vector: Any) -> Any:
        return vector[..., None, :]

    below = (query(enter) <= key(enter)) & (key(enter) < query(leave))
    related = below | below.swapaxes(-1, -2) | (query(trunk) & key(trunk))
    in_order = key(key_rank) <= query(query_rank)
    return (query(document) == key(document)) & in_order & related


def visible(
    *,
    document: NDArray[Any],
    enter: NDArray[Any],
    leave: NDArray[Any],
    trunk: NDArray[Any],
    query_rank: NDArray[Any],
    key_rank: NDArray[Any],
) -> NDArray[np.bool_]:
    """Return the visible matrix (L, L) of one row: entry [q, k] says whether q sees k.

    Each argument is a vector (L,); `trunk` is bool, the others are integers.
    """
    matrix: NDArray[np.bool_] = _rule(
        document=document,
        enter=enter,
        leave=leave,
        trunk=trunk.astype(np.bool_),
        query_rank=query_rank,
        key_rank=key_rank,
    )
    return matrix


@dataclass(frozen=True, kw_only=True, eq=False)
class Visibility:
    """Hold the visibility of a batch: six tensors (B, L), of integers but for `trunk` (bool).

    `document` numbers the examples of a row. Padding has a number that no example of the row
    has, so that it sees padding alone and every row of the mask has something to see.
    """

    document: Tensor
    enter: Tensor
    leave: Tensor
    trunk: Tensor
    query_rank: Tensor
    key_rank: Tensor

    @classmethod
    def plain(cls, lengths: Sequence[int], *, length: int) -> Visibility:
        """Return BERT's visibility: row i is `lengths[i]` tokens, all trunk, then padding.

        Raises:
            ValueError: a row is longer than `length`.
        """
        import torch

        sizes = torch.as_tensor(lengths, dtype=torch.int32)
        if sizes.numel() and int(sizes.max()) > length:
            raise ValueError(f"a row has {int(sizes.max())} tokens; length is {length}")
        padding = torch.arange(length, dtype=torch.int32) >= sizes[:, None]
        zero = torch.zeros_like(padding, dtype=torch.int32)
        return cls(
            document=-padding.to(torch.int32),
            enter=zero,
            leave=zero + 1,
            trunk=torch.ones_like(padding),
            query_rank=zero,
            key_rank=zero,
        )

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Visibility:
        """Return a copy on `device`."""
        moved = {
            field.name: getattr(self, field.name).to(device, non_blocking=non_blocking)
            for field in fields(self)
        }
        return Visibility(**moved)

    def rows(self, start: int, stop: int) -> Visibility:
        """Return some of the rows."""
        return Visibility(**{f.name: getattr(self, f.name)[start:stop] for f in fields(self)})

    def mask(self) -> Tensor:
        """Return the rule as bool (B, 1, L queries, L keys): True where attention is allowed.

        This is the form of `scaled_dot_product_attention`. The eager attention of transformers
        adds masks to the scores, so there a bool mask would hide nothing.
        """
        mask: Tensor = _rule(
            document=self.document,
            enter=self.enter,
            leave=self.leave,
            trunk=self.trunk,
            query_rank=self.query_rank,
            key_rank=self.key_rank,
        )
        return mask.unsqueeze(1)
