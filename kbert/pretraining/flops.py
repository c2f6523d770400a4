"""How much arithmetic a training step is, and what share of a device's peak that takes.

Counted are the products that the model needs, forward and backward: nothing for padding, for
attention between packed sequences, for decoding what is not predicted, or for layers that are
computed again. For BERT-base that is 545.4 MFLOP a token at length 128 and 587.9 at 512, if 15 %
of the tokens are predicted. Poolers, embeddings and norms are left out; they are below 1 %.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kbert.nn.config import EncoderConfig

_BF16_PEAKS: Final = {  # dense bfloat16, without sparsity, in FLOP/s; the makers' data sheets
    "H200 NVL": 835e12,
    "H200": 989e12,
    "H100 NVL": 835e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "4090": 165e12,
}


def training_flops(config: EncoderConfig, *, tokens: int, squares: int, decoded: int) -> float:
    """Return the FLOPs of training on sequences of `tokens` in all, of which `decoded` are named.

    `squares` counts the pairs of tokens of which one sees the other: the sum of the squares of the
    sequences' lengths, or about half of it where they are read left to right.
    """
    width, vocabulary = config.width, config.vocab_size
    linear = config.layers * (4 * width * width + 2 * width * config.feed_forward)
    head = width * width + vocabulary * width
    attention = 12 * config.layers * width
    return 6.0 * linear * tokens + float(attention) * squares + 6.0 * head * decoded


def known_peak(device: str, *, precision: str) -> float | None:
    """Return the peak of a GPU by its name in FLOP/s; None if it is not known."""
    if precision != "bf16":
        return None
    return next((peak for name, peak in _BF16_PEAKS.items() if name in device), None)
