"""Weights and the optimiser's state as named tensors on the CPU, and back, bit for bit.

Names are `model.PARAMETER` and `optimiser.PARAMETER.KEY`, so nothing depends on the order in which
an optimiser numbers its weights. Sharded tensors (FSDP) are gathered whole, one at a time, and
shared out again; all processes must then call these functions together. One way serves every
strategy, so what tests prove of one process is what several do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from kbert.errors import CheckpointError

_MODEL, _OPTIMISER = "model.", "optimiser."


def take(module: nn.Module, optimiser: Optimizer, *, keep: bool) -> dict[str, Tensor]:
    """Return copies of all weights and of the optimiser's state.

    Without `keep` sharded tensors are gathered for the others, and nothing is returned.
    """
    found = {}
    for name, tensor in _all(module, optimiser):
        whole = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
        if keep:
            found[name] = whole.detach().to("cpu", copy=True).contiguous()
    return found


def restore(module: nn.Module, optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `take` returned. Raises `CheckpointError` where it is of another model."""
    weights = dict(_weights(module))
    stored = {name: value for name, value in tensors.items() if name.startswith(_MODEL)}
    wrong = sorted(stored.keys() ^ weights.keys())
    wrong += [
        name for name in stored if name in weights and stored[name].shape != weights[name].shape
    ]
    if wrong:
        raise CheckpointError(f"the checkpoint is of another model: {', '.join(wrong[:3])}")
    with torch.no_grad():
        for name, value in stored.items():
            weights[name].copy_(_like(value, weights[name]))
    optimiser.state.clear()
    named = dict(module.named_parameters())
    for name in sorted(tensors.keys() - stored.keys()):
        place, _, key = name.removeprefix(_OPTIMISER).rpartition(".")
        if place not in named:
            raise CheckpointError(f"the checkpoint is of another model: {name}")
        parameter = named[place]
        value = tensors[name]
        same = value.shape == parameter.shape
        moved = _like(value, parameter) if same else value.to(parameter.device, copy=True)
        optimiser.state[parameter][key] = moved


def _all(module: nn.Module, optimiser: Optimizer) -> Iterator[tuple[str, Tensor]]:
    """Yield every tensor of the state by its name, in the same order in all processes."""
    yield from _weights(module)
    for name, parameter in module.named_parameters():
        state = optimiser.state.get(parameter, {})
        for key in sorted(state):
            yield f"{_OPTIMISER}{name}.{key}", state[key]


def _weights(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        yield _MODEL + name, tensor


def _like(value: Tensor, like: Tensor) -> Tensor:
    """Return a copy of a whole tensor where, and shared out as, another one is."""
    moved = value.to(like.device, copy=True)
    if isinstance(like, DTensor):
        return distribute_tensor(moved, like.device_mesh, like.placements)
    return moved
