"""The formula of memory against what torch keeps, and counts against networks that are made."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from kbert.batch import Batch
from kbert.footprint import Load, activations, encoder_parameters, least_bytes, training_memory
from kbert.nn import Encoder, EncoderConfig


def config_of(
    *, width: int, layers: int, heads: int, feed_forward: int, vocab_size: int = 50
) -> EncoderConfig:
    return EncoderConfig(
        vocab_size=vocab_size, width=width, layers=layers, heads=heads, feed_forward=feed_forward
    )


def batch_of(rows: int, length: int) -> Batch:
    array = np.zeros((6, length), np.int32)
    array[0], array[1], array[4], array[5] = 7, np.arange(length), 1, 1
    return Batch.from_arrays([array] * rows, pad_id=0)


def kept(config: EncoderConfig, batch: Batch, *, bf16: bool) -> int:
    """Count the bytes that a forward pass keeps for the backward pass, each storage once."""
    encoder = Encoder(config).train()
    own = {parameter.untyped_storage().data_ptr() for parameter in encoder.parameters()}
    found: dict[int, int] = {}
    alive = []

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor)  # so that no address is used twice
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=bf16),
    ):
        encoder(
            batch.token_ids,
            positions=batch.positions,
            segments=batch.segments,
            visibility=batch.visibility,
        )
    return sum(found.values())


@pytest.mark.parametrize(
    ("width", "layers", "heads", "feed_forward"), [(8, 1, 2, 16), (24, 3, 4, 40), (16, 2, 1, 8)]
)
def test_parameters_are_those_of_the_network(
    width: int, layers: int, heads: int, feed_forward: int
) -> None:
    config = config_of(width=width, layers=layers, heads=heads, feed_forward=feed_forward)
    counted = sum(parameter.numel() for parameter in Encoder(config).parameters())
    assert encoder_parameters(config) == counted


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize(
    ("width", "heads", "feed_forward", "rows", "length"),
    [(64, 2, 256, 8, 32), (64, 4, 256, 4, 64), (128, 4, 512, 4, 128), (96, 2, 128, 16, 16)],
)
def test_activations_are_what_torch_keeps(
    width: int, heads: int, feed_forward: int, rows: int, length: int, bf16: bool
) -> None:
    config = config_of(width=width, layers=3, heads=heads, feed_forward=feed_forward)
    load = Load(slots=rows * length, length=length, bf16=bf16)
    expected = activations(config, load)
    if bf16:  # the copies of the weights are kept as well
        expected += 2 * encoder_parameters(config)
    measured = kept(config, batch_of(rows, length), bf16=bf16)
    assert expected == pytest.approx(measured, rel=0.15)


def test_memory_adds_up() -> None:
    config = config_of(width=16, layers=2, heads=2, feed_forward=32)
    load = Load(slots=100, length=20)
    memory = training_memory(config, load, parameters=1000, trained=1000)
    assert memory.total - memory.activations == least_bytes(1000) == 16_000
    frozen = training_memory(config, load, parameters=1000, trained=0)
    assert (frozen.weights, frozen.gradients, frozen.optimiser) == (4000, 0, 0)
    named = activations(config, Load(slots=100, length=20, named=15))
    plain = activations(config, load)
    assert named - plain == 12 * 15 * 50
    assert memory.activations == plain * 3 // 2
