"""Where a network may be computed by kernels that have no gradient."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

_PLAIN: Final = (Tensor, nn.Parameter)


def only_computes(*tensors: Tensor) -> bool:
    """Say whether plain `tensors` on the CPU are computed with eagerly, and no gradient is wanted.

    Not so while torch.compile, an export or a trace reads along, under autocast, which chooses
    precisions by itself, and for tensors of other kinds, such as those that a device mesh shares.
    """
    return (
        not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        and not torch.is_autocast_enabled("cpu")
        and all(type(tensor) in _PLAIN and tensor.device.type == "cpu" for tensor in tensors)
        and all(tensor.numel() > 0 for tensor in tensors)
    )
