"""Fine-tuning that treats layers differently: rates by depth, frozen and thawing layers.

The depth of a weight is 0 in the embeddings, i in layer i (from 1), and n + 1 in what stands above
the n layers: the pooler and the task's head. Any network with an `encoder` has such depths.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from kbert.errors import SettingsError

_EMBEDDINGS, _LAYERS = "encoder.embeddings.", "encoder.layers."


def top(network: nn.Module) -> int:
    """Return the depth of a network's head, which is one more than its encoder has layers."""
    return 1 + max(depth for name, _ in network.named_parameters() for depth in _within(name))


def depth_of(name: str, *, top: int) -> int:
    """Return the depth of a parameter by its name in a network whose head has depth `top`."""
    return next(_within(name), top)


def _within(name: str) -> Iterator[int]:
    """Yield the depth of a parameter if it is the embeddings' or a layer's."""
    if name.startswith(_EMBEDDINGS):
        yield 0
    elif name.startswith(_LAYERS):
        yield int(name.removeprefix(_LAYERS).split(".", maxsplit=1)[0]) + 1


def freeze(network: nn.Module, *, layers: int | None) -> None:
    """Freeze the embeddings and the first `layers` layers; None freezes nothing.

    What is frozen already, as a tagger's pooler, stays so. Raises `SettingsError` if there are
    fewer layers.
    """
    if layers is None:
        return
    head = top(network)
    check_layers(layers, there=head - 1)
    for name, parameter in network.named_parameters():
        if depth_of(name, top=head) <= layers:
            parameter.requires_grad_(False)


def check_layers(layers: int | None, *, there: int) -> None:
    """Refuse to freeze more layers than there are. Raises `SettingsError`."""
    if layers is not None and layers > there:
        raise SettingsError(f"--freeze-layers {layers}: the encoder has only {there} layers")


def parameter_groups(
    network: nn.Module, *, learning_rate: float, weight_decay: float, layer_decay: float
) -> list[dict[str, Any]]:
    """Put every weight that is trained into one group of an optimiser, with its rate and decay.

    Matrices decay, biases and layer norms do not. The head has the `learning_rate`; each depth
    below it has `layer_decay` times the rate of the one above (Howard & Ruder 2018, section 3.2).
    With a `layer_decay` of 1 there are two groups, else up to two a depth, the deepest first.
    """
    head = top(network)
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            depth = head if layer_decay == 1 else depth_of(name, top=head)
            groups.setdefault((depth, parameter.ndim < 2), []).append(parameter)
    return [
        {
            "params": groups[depth, steady],
            "weight_decay": 0.0 if steady else weight_decay,
            "lr": learning_rate * layer_decay ** (head - depth),
        }
        for depth, steady in sorted(groups)
    ]


class Thaw:
    """Gradual unfreezing (Howard & Ruder 2018, section 3.3): from the head downwards.

    In the first `epochs` epochs the head alone is trained; with every further `epochs` the next
    layer below joins, at last the embeddings. Weights that were frozen before are left alone.
    """

    def __init__(self, network: nn.Module, *, epochs: int) -> None:
        """Remember what of `network` is trained; with 0 epochs all of it is, from the start."""
        self._epochs = epochs
        self._top = top(network)
        self._trained = [
            (depth_of(name, top=self._top), parameter)
            for name, parameter in network.named_parameters()
            if parameter.requires_grad
        ]

    def lowest(self, epoch: int) -> int:
        """Return the least depth that is trained in an epoch (from 0)."""
        return max(0, self._top - epoch // self._epochs) if self._epochs else 0

    def apply(self, epoch: int) -> None:
        """Freeze and unfreeze for an epoch (from 0); without gradient a weight does not move."""
        lowest = self.lowest(epoch)
        for depth, parameter in self._trained:
            parameter.requires_grad_(depth >= lowest)

    def drop_gradients(self, epoch: int) -> None:
        """Take away the gradients of what is frozen in an epoch, where they were computed."""
        lowest = self.lowest(epoch)
        for depth, parameter in self._trained:
            if depth < lowest:
                parameter.grad = None


def describe(
    *, freeze_layers: int | None, unfreeze_epochs: int, layer_decay: float, epochs: int, layers: int
) -> str:
    """Say in a line how the layers of an encoder differ in training; nothing if they do not."""
    parts = []
    if freeze_layers is not None:
        parts.append(f"the embeddings and {freeze_layers} of {layers} layers are frozen")
    if unfreeze_epochs:
        wanted = layers + 1 if freeze_layers is None else layers - freeze_layers
        joined = min(wanted, (epochs - 1) // unfreeze_epochs)
        what = "layers, the embeddings being the last," if freeze_layers is None else "layers"
        parts.append(f"in {epochs} epochs {joined} of {wanted} {what} join the head")
    if layer_decay != 1:
        first = layer_decay**layers
        parts.append(f"layer 1 has {first:.2g} of the head's rate, layer {layers} {layer_decay:g}")
    return "; ".join(parts)
