"""The input layer of BERT: word + learned position + segment, layer norm, dropout.

Positions are given, never counted here: K-BERT's soft positions repeat, and packed rows start
again. Shapes: B batch, L length, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

    from kbert.nn.config import EncoderConfig


class Embeddings(nn.Module):
    """Embed tokens as in BERT (Devlin et al. 2019, section 3 and figure 2)."""

    def __init__(self, config: EncoderConfig) -> None:
        """Make the three tables; the row of `pad_id` gets no gradient."""
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.width, padding_idx=config.pad_id)
        self.position = nn.Embedding(config.max_positions, config.width)
        self.segment = nn.Embedding(config.segment_types, config.width)
        self.norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, token_ids: Tensor, *, positions: Tensor, segments: Tensor) -> Tensor:
        """Return (B, L, D) from three integer tensors (B, L).

        Raises:
            ValueError: on the CPU, an entry is outside its table. Elsewhere the check would wait
                for the device, which reports such an entry in its own way.
        """
        if token_ids.device.type == "cpu":
            _check_range(token_ids, "token id", size=self.word.num_embeddings)
            _check_range(positions, "position", size=self.position.num_embeddings)
            _check_range(segments, "segment", size=self.segment.num_embeddings)
        total = self.word(token_ids) + self.position(positions) + self.segment(segments)
        embedded: Tensor = self.dropout(self.norm(total))
        return embedded


def _check_range(indices: Tensor, name: str, *, size: int) -> None:
    """Refuse indices outside [0, size)."""
    if indices.numel() == 0:
        return
    least, most = (int(bound) for bound in indices.aminmax())
    if least < 0 or most >= size:
        value = least if least < 0 else most
        raise ValueError(f"{name} {value} is outside the encoder's table; expected 0 to {size - 1}")
