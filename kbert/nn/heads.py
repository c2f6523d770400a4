"""The task layers over an encoder: one label a sequence or a token, or the span of an answer.

All are a linear layer, of labels after dropout, as transformers' `BertForSequenceClassification`,
`BertForTokenClassification` and `BertForQuestionAnswering` are, and return logits;
losses and decoding belong to the tasks.
Shapes: B batch, L length, C labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from kbert.nn.encoder import initialise

if TYPE_CHECKING:
    from torch import Tensor

    from kbert.nn.encoder import Encoder
    from kbert.nn.visibility import Visibility


class Classifier(nn.Module):
    """Give one label to each row, from the pooled first token."""

    def __init__(
        self,
        encoder: Encoder,
        labels: int,
        *,
        dropout: float = 0.1,
        generator: torch.Generator | None = None,
    ) -> None:
        """Put a fresh linear layer, drawn from `generator`, on `encoder`."""
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.classifier = _linear(encoder, labels, generator=generator)

    def forward(
        self,
        token_ids: Tensor,
        *,
        positions: Tensor,
        segments: Tensor,
        visibility: Visibility | None,
    ) -> Tensor:
        """Return logits (B, C); the arguments are the encoder's."""
        output = self.encoder(
            token_ids, positions=positions, segments=segments, visibility=visibility
        )
        logits: Tensor = self.classifier(self.dropout(output.pooled))
        return logits


class Tagger(nn.Module):
    """Give one label to each token, from its hidden state."""

    def __init__(
        self,
        encoder: Encoder,
        labels: int,
        *,
        dropout: float = 0.1,
        generator: torch.Generator | None = None,
    ) -> None:
        """Put a fresh linear layer, drawn from `generator`, on `encoder`.

        The encoder's pooler is frozen: no tag depends on it, and distributed training waits for
        the gradient of every trainable weight.
        """
        super().__init__()
        self.encoder = encoder
        self.encoder.pooler.requires_grad_(False)
        self.dropout = nn.Dropout(dropout)
        self.classifier = _linear(encoder, labels, generator=generator)

    def forward(
        self,
        token_ids: Tensor,
        *,
        positions: Tensor,
        segments: Tensor,
        visibility: Visibility | None,
    ) -> Tensor:
        """Return logits (B, L, C); the arguments are the encoder's."""
        output = self.encoder(
            token_ids, positions=positions, segments=segments, visibility=visibility
        )
        logits: Tensor = self.classifier(self.dropout(output.hidden))
        return logits


class SpanFinder(nn.Module):
    """Say of each trunk token how well an answer starts and ends there, from its hidden state."""

    def __init__(self, encoder: Encoder, *, generator: torch.Generator | None = None) -> None:
        """Put a fresh linear layer, drawn from `generator`, on `encoder`; BERT has no dropout here.

        The encoder's pooler is frozen, for the reason that `Tagger` has.
        """
        super().__init__()
        self.encoder = encoder
        self.encoder.pooler.requires_grad_(False)
        self.qa_outputs = _linear(encoder, 2, generator=generator)

    def forward(
        self,
        token_ids: Tensor,
        *,
        positions: Tensor,
        segments: Tensor,
        visibility: Visibility | None,
    ) -> Tensor:
        """Return logits (B, 2, L), of starts and of ends; the arguments are the encoder's.

        Tokens of branches and padding have the least logit that there is: no answer is there.
        """
        output = self.encoder(
            token_ids, positions=positions, segments=segments, visibility=visibility
        )
        logits: Tensor = self.qa_outputs(output.hidden).transpose(1, 2)
        if visibility is None:
            return logits
        within = visibility.trunk & (visibility.document == visibility.document[:, :1])
        return logits.masked_fill(~within[:, None], torch.finfo(logits.dtype).min)


def _linear(encoder: Encoder, labels: int, *, generator: torch.Generator | None) -> nn.Linear:
    """Make a linear layer from the encoder's width to `labels`, on the encoder's device."""
    device = encoder.pooler.dense.weight.device
    # By way of the meta device, which spares the global seed, as in the encoder.
    linear = nn.Linear(encoder.config.width, labels, device="meta").to_empty(device=device)
    initialise(linear, std=encoder.config.initializer_std, generator=generator)
    return linear
