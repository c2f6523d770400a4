from __future__ import annotations

import pytest

from kbert.nn import EncoderConfig
from kbert.pretraining.flops import known_peak, training_flops

BASE = EncoderConfig(vocab_size=30522)


@pytest.mark.parametrize(
    ("length", "decoded", "expected"),
    [(128, 0.15, 545.4), (512, 0.15, 587.9), (128, 1.0, 667.9), (512, 1.0, 710.4)],
)
def test_the_published_figures_of_bert_base(length: int, decoded: float, expected: float) -> None:
    """MFLOP a token."""
    count = 1000 * length
    flops = training_flops(
        BASE, tokens=count, squares=1000 * length**2, decoded=round(decoded * count)
    )
    assert flops / count / 1e6 == pytest.approx(expected, abs=0.06)


def test_known_peaks() -> None:
    assert known_peak("NVIDIA H200", precision="bf16") == 989e12
    assert known_peak("NVIDIA H100 PCIe", precision="bf16") == 756e12
    assert known_peak("NVIDIA H100 NVL", precision="bf16") == 835e12
    assert known_peak("NVIDIA H100 80GB HBM3", precision="bf16") == 989e12
    assert known_peak("Tesla V100-SXM2-32GB", precision="bf16") is None  # it has none
    assert known_peak("NVIDIA H200", precision="32") is None
    assert known_peak("Abacus", precision="bf16") is None
