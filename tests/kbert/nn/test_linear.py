"""The layer that oneDNN may compute: PyTorch's own, with and without it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu, linear

import kbert.nn.linear as module
from kbert.nn.linear import Linear

SIZES = [(32, 64), (384, 1536), (1536, 384), (3, 5)]


def drawn(width: int, out: int, *, activated: bool) -> Linear:
    draw = torch.Generator().manual_seed(width)
    made = Linear(width, out, activated=activated)
    with torch.no_grad():
        made.weight.normal_(std=width**-0.5, generator=draw)
        made.bias.normal_(generator=draw)
    return made


def expected(layer: Linear, given: Tensor) -> Tensor:
    """Compute in 64 bits."""
    bias = layer.bias.detach().double()
    found = linear(given.detach().double(), layer.weight.detach().double(), bias)
    return gelu(found) if layer.activated else found


@pytest.mark.parametrize("activated", [False, True])
@pytest.mark.parametrize("here", [False, module._HERE])
@pytest.mark.parametrize(("width", "out"), SIZES)
def test_products_are_those_of_64_bits(
    monkeypatch: pytest.MonkeyPatch, width: int, out: int, here: bool, activated: bool
) -> None:
    monkeypatch.setattr(module, "_HERE", here)
    layer = drawn(width, out, activated=activated)
    given = torch.randn(2, 9, width, generator=torch.Generator().manual_seed(1))
    wanted = expected(layer, given)
    with torch.inference_mode():
        found = layer(given)
    assert found.shape == (2, 9, out) and found.dtype == torch.float32
    assert (found - wanted).abs().max() < 1e-5
    with torch.no_grad():
        first = layer(given[:, :1])  # not contiguous
    assert (first - wanted[:, :1]).abs().max() < 1e-5


@pytest.mark.skipif(not module._HERE, reason="this CPU has no AVX-512")
@pytest.mark.parametrize(("width", "out"), SIZES[:3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_row_is_rounded_alike_in_any_company(width: int, out: int, dtype: torch.dtype) -> None:
    """From 2 rows on; `kgbert.engine` relies on it from 4 rows on."""
    for activated in (False, True):
        layer = drawn(width, out, activated=activated).to(dtype)
        draw = torch.Generator().manual_seed(2)
        given = torch.randn(1025, width, generator=draw).to(dtype)
        with torch.inference_mode():
            whole = layer(given)
            for rows in (4, 5, 15, 16, 17, 31, 64, 67, 255, 512):
                start = (977 * rows) % (1025 - rows)
                assert torch.equal(layer(given[start : start + rows]), whole[start : start + rows])


@pytest.mark.parametrize("activated", [False, True])
def test_gradients_and_autocast_are_those_of_torch(activated: bool) -> None:
    layer = drawn(32, 64, activated=activated)
    given = torch.randn(7, 32, generator=torch.Generator().manual_seed(3))
    found = layer(given)
    found.square().sum().backward()
    weight = layer.weight.detach().clone().requires_grad_()
    wanted = linear(given, weight, layer.bias.detach())
    wanted = gelu(wanted) if activated else wanted
    wanted.square().sum().backward()
    assert torch.equal(found, wanted)
    assert layer.weight.grad is not None and torch.equal(layer.weight.grad, weight.grad)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(given).dtype == torch.bfloat16


def test_nothing_comes_of_no_rows() -> None:
    layer = drawn(8, 4, activated=True)
    with torch.inference_mode():
        assert layer(torch.zeros(0, 3, 8)).shape == (0, 3, 4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of tracing as such
def test_a_trace_holds_operations_of_torch_alone() -> None:
    layer = drawn(8, 4, activated=True).eval()
    given = torch.randn(6, 8, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        traced = torch.jit.trace(layer, (given,))  # type: ignore[no-untyped-call]
        assert "mkldnn" not in str(traced.graph)
        assert torch.equal(traced(given[:3]), gelu(linear(given[:3], layer.weight, layer.bias)))
