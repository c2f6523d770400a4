"""The encoder: post-layer-norm BERT (Devlin et al. 2019) under a given visibility.

Every layer is attention, then a feed-forward net with exact (erf) GELU, each followed by dropout,
the residual and a layer norm. The visibility is rendered to a mask once a forward pass. The
numbers equal those of transformers' `BertModel`; the configuration of the parts is not meant to
be changed, other architectures are other files. Shapes: B batch, L length, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from kbert.nn.attention import Projected, SelfAttention
from kbert.nn.embeddings import Embeddings
from kbert.nn.linear import Linear

if TYPE_CHECKING:
    from pathlib import Path

    from kbert.nn.config import EncoderConfig
    from kbert.nn.visibility import Visibility


class EncoderOutput(NamedTuple):
    """What an encoder computes of a batch."""

    hidden: Tensor
    """The last layer's hidden states (B, L, D); with `only_first` those of the first tokens."""
    pooled: Tensor
    """The pooled first token of every row (B, D)."""
    layers: tuple[Tensor, ...]
    """If asked for, the embeddings and each layer's hidden states, as `hidden`; else empty.

    Each is (B, L, D), but for the last one where `only_first` makes that (B, 1, D).
    """


class Embedded(NamedTuple):
    """What is known of a batch before any token has seen another one."""

    hidden: Tensor
    """The embeddings (B, L, D)."""
    projected: Projected
    """The first layer's queries, keys and values of them."""


class Layer(nn.Module):
    """One transformer layer."""

    def __init__(self, config: EncoderConfig) -> None:
        """Make the parts of one layer."""
        super().__init__()
        self.attention = SelfAttention(
            config.width, heads=config.heads, dropout=config.attention_dropout
        )
        self.attention_norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.expand = Linear(config.width, config.feed_forward, activated=True)
        self.contract = Linear(config.feed_forward, config.width)
        self.output_norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        hidden: Tensor,
        *,
        mask: Tensor | None,
        only_first: bool = False,
        projected: Projected | None = None,
    ) -> Tensor:
        """Return (B, L, D) from `hidden` (B, L, D) and `mask` bool (B, 1, L, L).

        With `only_first` only the first tokens' (B, 1, D) are computed, from all of `hidden`.
        `projected` is what `attention.project` gives, where that is known already.
        """
        attended = self.attention(hidden, mask=mask, only_first=only_first, projected=projected)
        hidden = hidden[:, :1] if only_first else hidden
        hidden = self.attention_norm(hidden + self.dropout(attended))
        expanded = self.expand(hidden)  # GELU is in it
        normed: Tensor = self.output_norm(hidden + self.dropout(self.contract(expanded)))
        return normed


class Pooler(nn.Module):
    """BERT's summary of a sequence: a dense layer and tanh over its first token's hidden state."""

    def __init__(self, width: int) -> None:
        """Make the dense layer D to D."""
        super().__init__()
        self.dense = nn.Linear(width, width)

    def forward(self, first: Tensor) -> Tensor:
        """Return (..., D) from the hidden states (..., D) of first tokens."""
        return torch.tanh(self.dense(first))


class Encoder(nn.Module):
    """Encode token ids under a visibility."""

    def __init__(self, config: EncoderConfig, *, generator: torch.Generator | None = None) -> None:
        """Draw fresh weights from `generator`, or from torch's global one if that is None."""
        super().__init__()
        self.config = config
        # torch's own initialisation is skipped: it costs as much again and moves the global seed.
        with torch.device("meta"):
            self.embeddings = Embeddings(config)
            self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
            self.pooler = Pooler(config.width)
        self.to_empty(device=torch.get_default_device())
        initialise(self, std=config.initializer_std, generator=generator)

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        *,
        add_pooler: bool = False,
        generator: torch.Generator | None = None,
    ) -> Encoder:
        """Load an encoder from a model folder or a hub id; see `checkpoint.load_encoder`."""
        from kbert.nn.checkpoint import load_encoder

        return load_encoder(source, add_pooler=add_pooler, generator=generator)

    def forward(
        self,
        token_ids: Tensor,
        *,
        positions: Tensor,
        segments: Tensor,
        visibility: Visibility | None,
        all_layers: bool = False,
        only_first: bool = False,
        embedded: Embedded | None = None,
    ) -> EncoderOutput:
        """Encode a batch.

        Args:
            token_ids: integers (B, L).
            positions: integers (B, L), rows of the position table; soft positions for K-BERT.
            segments: integers (B, L).
            visibility: who sees whom, tensors (B, L); None says that all tokens of a row see each
                other and none is padding, which needs no mask.
            all_layers: whether to return the hidden states of every layer.
            only_first: whether the last layer may leave out all but the first token of each row,
                which is all that the pooler reads. `pooled` is the same, but for rounding; of the
                last layer at most the keys and values are computed for every token.
            embedded: what `embed` gives for these tokens, where that is known already.

        Raises:
            ValueError: on the CPU, an id, position or segment is outside its table.
        """
        mask = None if visibility is None else visibility.mask()
        if embedded is None:
            hidden = self.embeddings(token_ids, positions=positions, segments=segments)
            known = None
        else:
            hidden, known = embedded
        kept = [hidden]
        for number, layer in enumerate(self.layers, start=1):
            last = number == len(self.layers)
            hidden = layer(hidden, mask=mask, only_first=only_first and last, projected=known)
            known = None
            if all_layers:
                kept.append(hidden)
        pooled = self.pooler(hidden[:, 0])
        return EncoderOutput(hidden, pooled, tuple(kept) if all_layers else ())

    def embed(self, token_ids: Tensor, *, positions: Tensor, segments: Tensor) -> Embedded:
        """Return what `forward` begins with, of integers (B, L) each.

        A token's part is a function of its id, position and segment alone.

        Raises:
            ValueError: on the CPU, an id, position or segment is outside its table.
        """
        hidden = self.embeddings(token_ids, positions=positions, segments=segments)
        first = self.layers[0]
        assert isinstance(first, Layer)
        return Embedded(hidden, first.attention.project(hidden))


def initialise(module: nn.Module, *, std: float, generator: torch.Generator | None) -> None:
    """Draw all weights of `module` as transformers' BERT does.

    Matrices are N(0, std), biases zero, layer norms one and zero, the padding row zero. The order
    of drawing is that of `module.modules()`.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=std, generator=generator)
            nn.init.zeros_(part.bias)
        elif isinstance(part, nn.Embedding):
            nn.init.normal_(part.weight, std=std, generator=generator)
            if part.padding_idx is not None:
                nn.init.zeros_(part.weight[part.padding_idx])
        elif isinstance(part, nn.LayerNorm):
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)
