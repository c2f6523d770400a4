"""How much memory and disk a training needs, by a formula; no torch.

Four bytes a number. With P parameters, of which T are trained, the weights take 4 P bytes, their
gradients 4 T and AdamW's two moments 8 T. For the backward pass a layer keeps, for each slot (a
token or padding) of the batch: ten vectors of its width (inputs of its matrices and norms, masks of
dropout), the feed-forward net's values before and after GELU, and three rows of its heads'
attention (scores, what dropout left of them, its mask):

    40 width + 8 feed_forward + 12 heads x length        (bf16: 34 width + 4 feed_forward + …)

The embeddings keep 12 width, each token that is named 12 bytes for every piece of the vocabulary.
With bf16 there is a copy of the weights in two bytes. These coefficients are what torch keeps on
the CPU, which `tests/kbert/test_footprint.py` counts; on a GPU attention keeps less. The backward
pass and the allocator need half as much again beside what is kept: this factor was measured, by
`benchmarks.memory_estimate`, which compares the sums with peaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

NUMBER: Final = 4
_TRAINED: Final = 4 * NUMBER  # weight, gradient and two moments


class Sizes(Protocol):
    """The sizes of an encoder, as `EncoderConfig` has them."""

    @property
    def vocab_size(self) -> int:
        """Pieces."""

    @property
    def width(self) -> int:
        """Width of the hidden states."""

    @property
    def layers(self) -> int:
        """Layers."""

    @property
    def heads(self) -> int:
        """Heads of a layer."""

    @property
    def feed_forward(self) -> int:
        """Width of the feed-forward nets."""

    @property
    def max_positions(self) -> int:
        """Rows of the table of positions."""

    @property
    def segment_types(self) -> int:
        """Rows of the table of segments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The largest batch: `slots` with padding, rows of at most `length`, `named` tokens decoded."""

    slots: int
    length: int
    named: int = 0
    bf16: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that a training needs, in one process."""

    weights: int
    gradients: int
    optimiser: int
    activations: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.gradients + self.optimiser + self.activations


def encoder_parameters(sizes: Sizes) -> int:
    """Count the parameters of an encoder with its pooler; those of heads are few, or tied."""
    width, inner = sizes.width, sizes.feed_forward
    tables = (sizes.vocab_size + sizes.max_positions + sizes.segment_types + 2) * width
    layer = 4 * (width * width + width) + 2 * width * inner + inner + width + 4 * width
    return tables + sizes.layers * layer + width * width + width


def training_memory(sizes: Sizes, load: Load, *, parameters: int, trained: int) -> Memory:
    """Estimate what a training takes at its peak; frozen `parameters` are not `trained`."""
    return Memory(
        weights=(NUMBER + (2 if load.bf16 else 0)) * parameters,
        gradients=NUMBER * trained,
        optimiser=2 * NUMBER * trained,
        activations=activations(sizes, load) * 3 // 2,
    )


def activations(sizes: Sizes, load: Load) -> int:
    """Estimate the bytes that a forward pass keeps for the backward pass."""
    width, inner = (34, 4) if load.bf16 else (40, 8)
    layer = width * sizes.width + inner * sizes.feed_forward + 12 * sizes.heads * load.length
    kept = load.slots * (sizes.layers * layer + 12 * sizes.width)
    return kept + 12 * load.named * sizes.vocab_size


def least_bytes(parameters: int) -> int:
    """Return what training so many parameters takes at the least, whatever the batch."""
    return _TRAINED * parameters
