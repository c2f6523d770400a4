"""The heads of pre-training over an encoder: tokens, relation of sentences, boundaries of spans.

All that name tokens decode with the encoder's own table of word embeddings and a bias of their
own, so that a head costs little more than one dense layer. They return logits; losses belong to
`kbert.pretraining.objectives`. Shapes: B batch, L length, D width, V vocabulary, K predicted
tokens, S sequences, R relation labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear

from kbert.nn.encoder import initialise

if TYPE_CHECKING:
    from kbert.nn.config import EncoderConfig
    from kbert.nn.encoder import Encoder
    from kbert.nn.visibility import Visibility

# Width of SpanBERT's embeddings of a token's place in its span (Joshi et al. 2020, section 4.2).
_OFFSET_WIDTH = 200


class TokenHead(nn.Module):
    """Name tokens from hidden states: dense, exact GELU, layer norm, tied decoder."""

    def __init__(self, config: EncoderConfig) -> None:
        """Make the transform D to D and the decoder's bias (V,)."""
        super().__init__()
        self.dense = nn.Linear(config.width, config.width)
        self.norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, hidden: Tensor, *, table: Tensor) -> Tensor:
        """Return logits (..., V) from `hidden` (..., D) and the word embeddings (V, D)."""
        return linear(self.norm(gelu(self.dense(hidden))), table, self.bias)


class BoundaryHead(nn.Module):
    """Name the tokens of a span from what stands just outside it (SpanBERT, section 3.2).

    Two layers of dense, GELU and layer norm read the hidden states of the tokens before and after
    the span, and an embedding of the token's place within it.
    """

    def __init__(self, config: EncoderConfig, *, positions: int) -> None:
        """Make the layers, with a table of `positions` places within a span."""
        super().__init__()
        self.offset = nn.Embedding(positions, _OFFSET_WIDTH)
        self.first = nn.Linear(2 * config.width + _OFFSET_WIDTH, config.width)
        self.first_norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.second = nn.Linear(config.width, config.width)
        self.second_norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, left: Tensor, right: Tensor, *, offsets: Tensor, table: Tensor) -> Tensor:
        """Return logits (K, V).

        Args:
            left: hidden states (K, D) of the tokens before the spans.
            right: hidden states (K, D) of the tokens after the spans.
            offsets: integers (K,): the place of the predicted token in its span, from 0.
            table: word embeddings (V, D).
        """
        seen = torch.cat([left, right, self.offset(offsets)], dim=-1)
        hidden = self.first_norm(gelu(self.first(seen)))
        hidden = self.second_norm(gelu(self.second(hidden)))
        return linear(hidden, table, self.bias)


class PretrainingLogits(NamedTuple):
    """What a language model says of a batch."""

    tokens: Tensor
    """Logits (B, L, V) of the token at every place."""
    relation: Tensor | None
    """Logits (B, R) of the relation of each row's sentences, if the model has that head."""


class LanguageModel(nn.Module):
    """An encoder with the heads of its pre-training.

    There is always a `tokens` head; `relation` and `boundary` are None where they were not asked
    for. With all of a BERT-base's heads it has the 110,106,428 weights of `BertForPreTraining`.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        relation_labels: int = 0,
        boundary_positions: int = 0,
        generator: torch.Generator | None = None,
    ) -> None:
        """Put fresh heads, drawn from `generator`, on `encoder`.

        Args:
            encoder: is trained with the heads. Without a relation head nothing reads its pooler,
                which is frozen, as distributed training waits for every trainable weight.
            relation_labels: size of the relation head (2 for nsp and sop, 3 for nsp3); 0: none.
            boundary_positions: longest span, in tokens, that the boundary head knows; 0: no head.
            generator: where the weights come from; None is torch's global one.

        Raises:
            ValueError: `relation_labels` is 1, or a size is negative.
        """
        if relation_labels < 0 or relation_labels == 1 or boundary_positions < 0:
            raise ValueError(
                f"relation_labels is {relation_labels}, boundary_positions {boundary_positions}; "
                "expected 0 for no head, and at least two labels"
            )
        super().__init__()
        self.encoder = encoder
        self.encoder.pooler.requires_grad_(relation_labels > 0)
        config, device = encoder.config, encoder.pooler.dense.weight.device
        with torch.device("meta"):  # torch's own initialisation would move the global seed
            self.tokens = TokenHead(config)
            self.relation = nn.Linear(config.width, relation_labels) if relation_labels else None
            self.boundary = (
                BoundaryHead(config, positions=boundary_positions) if boundary_positions else None
            )
        for head in (self.tokens, self.relation, self.boundary):
            if head is not None:
                head.to_empty(device=device)
                initialise(head, std=config.initializer_std, generator=generator)
        for namer in (self.tokens, self.boundary):
            if namer is not None:
                nn.init.zeros_(namer.bias)

    @property
    def table(self) -> Tensor:
        """The word embeddings (V, D), which are the decoder's weights too."""
        return self.encoder.embeddings.word.weight

    def forward(
        self,
        token_ids: Tensor,
        *,
        positions: Tensor,
        segments: Tensor,
        visibility: Visibility | None,
    ) -> PretrainingLogits:
        """Return logits at every place and of every row; the arguments are the encoder's.

        This is for use. Training decodes the predicted places alone.
        """
        output = self.encoder(
            token_ids, positions=positions, segments=segments, visibility=visibility
        )
        relation = None if self.relation is None else self.relation(output.pooled)
        return PretrainingLogits(self.name_tokens(output.hidden), relation)

    def name_tokens(self, hidden: Tensor) -> Tensor:
        """Return logits (..., V) of tokens from hidden states (..., D)."""
        logits: Tensor = self.tokens(hidden, table=self.table)
        return logits

    def relate(self, first: Tensor) -> Tensor:
        """Return logits (S, R) from the hidden states (S, D) of the first tokens of sequences.

        Raises `ValueError` if the model has no relation head.
        """
        if self.relation is None:
            raise ValueError("this model has no relation head; make it with relation_labels")
        logits: Tensor = self.relation(self.encoder.pooler(first))
        return logits

    def fill_spans(self, left: Tensor, right: Tensor, *, offsets: Tensor) -> Tensor:
        """Return logits (K, V) of tokens in spans; the arguments are those of `BoundaryHead`.

        Raises `ValueError` if the model has no boundary head.
        """
        if self.boundary is None:
            raise ValueError("this model has no boundary head; make it with boundary_positions")
        logits: Tensor = self.boundary(left, right, offsets=offsets, table=self.table)
        return logits
