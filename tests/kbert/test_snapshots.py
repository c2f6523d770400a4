"""Weights and the optimiser's state as named tensors, and back."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from kbert import snapshots
from kbert.errors import CheckpointError


def trained(*, seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    optimiser = torch.optim.AdamW(module.parameters(), lr=0.01)
    for _ in range(3):
        step(module, optimiser)
    return module, optimiser


def step(module: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    optimiser.zero_grad()
    module(torch.ones(5, 3)).square().sum().backward()
    optimiser.step()


def taken(seed: int) -> dict[str, Tensor]:
    return snapshots.take(*trained(seed=seed), keep=True)


def test_what_was_taken_is_put_back_and_goes_on_the_same() -> None:
    (one, of_one), (two, of_two) = trained(seed=1), trained(seed=2)
    snapshots.restore(two, of_two, snapshots.take(one, of_one, keep=True))
    step(one, of_one)
    step(two, of_two)
    assert all(map(torch.equal, one.state_dict().values(), two.state_dict().values()))


def test_a_copy_does_not_change_with_the_model() -> None:
    module, optimiser = trained(seed=1)
    found = snapshots.take(module, optimiser, keep=True)
    before = {name: tensor.clone() for name, tensor in found.items()}
    step(module, optimiser)
    assert all(torch.equal(found[name], before[name]) for name in before)
    assert snapshots.take(module, optimiser, keep=False) == {}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda state: state.pop("model.0.weight"), "model.0.weight"),
        (lambda state: state.update({"model.9.weight": torch.ones(1)}), "model.9.weight"),
        (lambda state: state.update({"model.0.weight": torch.ones(4, 5)}), "model.0.weight"),
        (lambda state: state.update({"optimiser.9.weight.step": torch.ones(1)}), "optimiser.9"),
        (lambda state: state.update({"nonsense": torch.ones(1)}), "nonsense"),
    ],
)
def test_the_state_of_another_model_is_refused(change: object, wrong: str) -> None:
    state = taken(1)
    change(state)  # type: ignore[operator]
    with pytest.raises(CheckpointError, match=f"is of another model: {wrong}"):
        snapshots.restore(*trained(seed=1), state)
