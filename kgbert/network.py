"""KG-BERT's network: the encoder, its pooled first token, dropout, and a linear layer.

That is transformers' `BertForSequenceClassification` (yao8839836/kg-bert): two labels, false and
true, for triples, and one for each relation where the relation is asked for. Only the first token
is read, so of the last layer only that is computed (`Encoder.forward`, `only_first`), in training
too. Shapes: B batch, L length, C labels.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import nn

from kbert.errors import CheckpointError
from kbert.nn.checkpoint import load_encoder, load_weights, resolve, save
from kbert.nn.config import EncoderConfig
from kbert.nn.encoder import Embedded, Encoder
from kbert.nn.folder import CONFIG, read_json
from kbert.nn.heads import Classifier
from kbert.nn.visibility import Visibility

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

_DROPOUTS = ("classifier_dropout", "hidden_dropout_prob")


class TripleNetwork(nn.Module):
    """Give logits to triples, or to pairs of entities, that are laid out as token ids."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        labels: int = 2,
        dropout: float | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        """Put a fresh linear layer, drawn from `generator`, on `encoder`.

        The `dropout` before it is the encoder's if that is None, as in the original.
        """
        super().__init__()
        rate = encoder.config.dropout if dropout is None else dropout
        self.classifier = Classifier(encoder, labels, dropout=rate, generator=generator)

    @classmethod
    def from_encoder(
        cls,
        source: str | Path,
        *,
        labels: int = 2,
        generator: torch.Generator | None = None,
    ) -> TripleNetwork:
        """Begin from the encoder of a model folder or a hub id; heads that are there are left out.

        Raises `CheckpointError` if it cannot be read, or has only one segment: triples need two.
        """
        encoder = load_encoder(source, add_pooler=True, generator=generator)
        if encoder.config.segment_types < 2:
            raise CheckpointError(
                f"{source}: knows one segment only, a triple needs two; choose another encoder"
            )
        return cls(encoder, labels=labels, generator=generator)

    @classmethod
    def from_pretrained(cls, source: str | Path) -> TripleNetwork:
        """Load what `save` wrote, or any `BertForSequenceClassification`, from a folder or hub id.

        Raises `CheckpointError` if it cannot be read, or has no such head.
        """
        folder = resolve(source)
        entries = read_json(folder / CONFIG)
        config = EncoderConfig.from_hugging_face(entries, file=folder / CONFIG)
        rates = [entries[name] for name in _DROPOUTS if entries.get(name) is not None]
        if rates and (not isinstance(rates[0], int | float) or not 0 <= rates[0] < 1):
            raise CheckpointError(f"{folder / CONFIG}: a dropout is {rates[0]!r}, not a rate")
        rate = float(rates[0]) if rates and isinstance(rates[0], int | float) else config.dropout
        table = entries.get("id2label", {"0": "", "1": ""})  # transformers leaves out its default
        if not isinstance(table, dict) or not table:
            raise CheckpointError(f"{folder / CONFIG}: id2label names no labels")
        with torch.device("meta"):  # memory comes with the loaded weights
            network = cls(Encoder(config), labels=len(table), dropout=rate)
        load_weights(network.classifier, folder)
        return network

    def lowered(self) -> TripleNetwork:
        """Return a copy whose embeddings and layers are bfloat16.

        Pooler and classifier stay in 32 bits: they cost nothing, and would round away the most, for
        a logit of 8 has neighbours 1/32 apart in bfloat16, so that different triples would tie.
        """
        lowered = copy.deepcopy(self)
        lowered.encoder.embeddings.to(torch.bfloat16)
        lowered.encoder.layers.to(torch.bfloat16)
        lowered.encoder.pooler.register_forward_pre_hook(lambda _, given: (given[0].float(),))
        return lowered

    def save(self, folder: str | Path, *, labels: Sequence[str] | None = None) -> None:
        """Write `config.json` and `model.safetensors`, which transformers loads, into `folder`.

        `labels` names the labels in the order of their ids. Raises `CheckpointError` if the folder
        cannot be written, `ValueError` if `labels` do not fit.
        """
        save(self.classifier, folder, labels=labels)

    @property
    def encoder(self) -> Encoder:
        """Return the encoder."""
        return self.classifier.encoder

    @property
    def labels(self) -> int:
        """Return the number of labels, C."""
        return self.classifier.classifier.out_features

    def forward(
        self,
        token_ids: Tensor,
        segments: Tensor,
        *,
        lengths: Sequence[int] | None = None,
        embedded: Embedded | None = None,
    ) -> Tensor:
        """Return logits (B, C) of inputs whose ids and segments are integers (B, L).

        Without `lengths` all rows are L long, which needs no mask; otherwise row i ends after
        `lengths[i]` tokens and the rest is padding. `embedded` is as in `Encoder.forward`.
        """
        size = token_ids.shape[1]
        visibility = None
        if lengths is not None:
            visibility = Visibility.plain(lengths, length=size).to(token_ids.device)
        output = self.encoder(
            token_ids,
            positions=torch.arange(size, device=token_ids.device).expand_as(token_ids),
            segments=segments,
            visibility=visibility,
            only_first=True,
            embedded=embedded,
        )
        head = self.classifier
        logits: Tensor = head.classifier(head.dropout(output.pooled))
        return logits
