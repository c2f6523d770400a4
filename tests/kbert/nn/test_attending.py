"""Attention probabilities against the definition, token by token, and against transformers."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from transformers import BertConfig, BertModel

from kbert.nn.attending import attention_of
from kbert.nn.config import EncoderConfig
from kbert.nn.encoder import Encoder
from kbert.nn.visibility import Visibility

CONFIG = EncoderConfig(
    vocab_size=30, width=12, layers=3, heads=2, feed_forward=24, max_positions=16,
    initializer_std=0.5,
)  # fmt: skip
IDS = torch.tensor([[3, 5, 7, 9, 11, 13, 15, 17], [4, 6, 8, 10, 12, 0, 0, 0]])
POSITIONS = torch.tensor([[0, 1, 2, 3, 2, 3, 2, 3], [0, 1, 2, 3, 4, 0, 0, 0]])
SEGMENTS = torch.zeros_like(IDS)


def encoder() -> Encoder:
    return Encoder(CONFIG, generator=torch.Generator().manual_seed(1)).double().eval()


def tree() -> Visibility:
    """Row 0: a b B1 B1 B2 B2 c d, where b carries two branches; row 1 a sentence of five."""
    plain = Visibility.plain([8, 5], length=8)
    enter, leave, trunk = plain.enter.clone(), plain.leave.clone(), plain.trunk.clone()
    enter[0] = torch.tensor([0, 1, 2, 2, 3, 3, 4, 5])
    leave[0] = torch.tensor([1, 4, 3, 3, 4, 4, 5, 6])
    trunk[0, 2:6] = False
    return replace(plain, enter=enter, leave=leave, trunk=trunk)


def found(model: Encoder, visibility: Visibility | None) -> Tensor:
    return attention_of(model, IDS, positions=POSITIONS, segments=SEGMENTS, visibility=visibility)


@torch.no_grad()
def test_it_is_the_definition_in_loops() -> None:
    model, visibility = encoder(), tree()
    probabilities = found(model, visibility)
    assert probabilities.shape == (3, 2, 2, 8, 8)
    layers = model(
        IDS, positions=POSITIONS, segments=SEGMENTS, visibility=visibility, all_layers=True
    ).layers
    allowed = visibility.mask()[:, 0]
    for number in range(3):
        attention = model.layers[number].attention
        query = attention.query(layers[number]).reshape(2, 8, 2, 6)
        key = attention.key(layers[number]).reshape(2, 8, 2, 6)
        for row, head, q in ((r, h, q) for r in range(2) for h in range(2) for q in range(8)):
            shares = [
                math.exp(float(query[row, q, head] @ key[row, k, head]) / math.sqrt(6))
                if allowed[row, q, k] else 0.0
                for k in range(8)
            ]  # fmt: skip
            expected = torch.tensor([share / sum(shares) for share in shares])
            assert torch.allclose(probabilities[number, row, head, q], expected, atol=1e-6)


def test_what_is_not_seen_has_exactly_nothing_and_a_row_is_whole() -> None:
    visibility = tree()
    probabilities = found(encoder(), visibility)
    hidden = ~visibility.mask().expand(3, 2, 2, 8, 8)
    assert bool((probabilities[hidden] == 0).all())
    assert torch.allclose(probabilities.sum(-1), torch.ones(3, 2, 2, 8), atol=1e-6)
    assert bool((probabilities[~hidden] > 0).all())


@pytest.mark.parametrize("with_tree", [True, False])
def test_transformers_says_the_same(with_tree: bool) -> None:
    model = encoder()
    peer = BertModel(
        BertConfig(
            vocab_size=30, hidden_size=12, num_hidden_layers=3, num_attention_heads=2,
            intermediate_size=24, max_position_embeddings=16, attn_implementation="eager",
        )
    ).double().eval()  # fmt: skip
    theirs, ours = peer.encoder.layer, model.layers
    with torch.no_grad():
        for name in ("word", "position", "token_type"):
            mine = getattr(model.embeddings, {"token_type": "segment"}.get(name, name))
            getattr(peer.embeddings, f"{name}_embeddings").weight.copy_(mine.weight)
        peer.embeddings.LayerNorm.load_state_dict(model.embeddings.norm.state_dict())
        for layer, own in zip(theirs, ours, strict=True):
            for name in ("query", "key", "value"):
                copy(getattr(layer.attention.self, name), getattr(own.attention, name))
            copy(layer.attention.output.dense, own.attention.output)
            copy(layer.attention.output.LayerNorm, own.attention_norm)
            copy(layer.intermediate.dense, own.expand)
            copy(layer.output.dense, own.contract)
            copy(layer.output.LayerNorm, own.output_norm)
        visibility = tree() if with_tree else None
        # Eager attention adds the mask, so a bool one would hide nothing.
        mask = torch.zeros(2, 1, 8, 8, dtype=torch.double)
        if visibility is not None:
            mask = mask.masked_fill(~visibility.mask(), torch.finfo(torch.double).min)
        output = peer(
            IDS, position_ids=POSITIONS, token_type_ids=SEGMENTS, attention_mask=mask,
            output_attentions=True,
        )  # fmt: skip
    assert torch.allclose(
        found(model, visibility), torch.stack(output.attentions).float(), atol=1e-5
    )


def copy(target: torch.nn.Module, source: torch.nn.Module) -> None:
    target.load_state_dict(source.state_dict())


def test_an_encoder_in_training_is_refused() -> None:
    with pytest.raises(ValueError, match="in use"):
        found(encoder().train(), None)
