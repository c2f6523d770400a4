"""Linear layers whose products run through oneDNN where nothing is learnt, on a CPU with AVX-512.

PyTorch gives products of 32-bit matrices to MKL, which on CPUs of other makers than its own uses
half of the vector width; oneDNN does not ask who made the CPU, and puts the activation into the
product. Measured by `benchmarks.ranking_speed`. The operation is the one that PyTorch's own
compiler emits and has no gradient, so it is used only where none is wanted; anywhere else, and
where PyTorch does not have it, the layer is that of PyTorch. Both differ in rounding alone.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from kbert.nn.inference import only_computes

_DTYPES: Final = (torch.float32, torch.bfloat16)
_HERE: Final = (
    torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    and torch.backends.cpu.get_cpu_capability() == "AVX512"
    and hasattr(torch.ops.mkldnn, "_linear_pointwise")
)


class Linear(nn.Linear):
    """A linear layer with bias (..., D) to (..., E), with or without exact (erf) GELU after it."""

    def __init__(self, width: int, out: int, *, activated: bool = False) -> None:
        """Make the weights of `nn.Linear`, under the same names."""
        super().__init__(width, out)
        self.activated = activated

    def forward(self, input: Tensor) -> Tensor:
        """Return (..., E) from `input` (..., D)."""
        if _HERE and self._may_fuse(input):
            name, algorithm = ("gelu", "none") if self.activated else ("none", "")
            fused: Tensor = torch.ops.mkldnn._linear_pointwise(
                input, self.weight, self.bias, name, [], algorithm
            )
            return fused
        projected = super().forward(input)
        return gelu(projected) if self.activated else projected

    def _may_fuse(self, given: Tensor) -> bool:
        """Say whether oneDNN may do it."""
        return (
            only_computes(given, self.weight)
            and given.dtype in _DTYPES
            and given.dtype == self.weight.dtype
        )
