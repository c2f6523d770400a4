"""Attention of the first token alone: the softmax over keys and values, written out in 64 bits."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import kbert.nn.attention as module
from kbert.nn.attention import SelfAttention
from kbert.nn.first_token import may_fold


def drawn(width: int, heads: int, *, std: float = 1.0, dropout: float = 0.0) -> SelfAttention:
    made = SelfAttention(width, heads=heads, dropout=dropout).eval()
    draw = torch.Generator().manual_seed(width)
    with torch.no_grad():
        for weight in made.parameters():
            weight.normal_(std=std * width**-0.5, generator=draw)
    return made


def hidden_of(rows: int, length: int, width: int, *, seed: int = 0) -> Tensor:
    return torch.randn(rows, length, width, generator=torch.Generator().manual_seed(seed))


def expected(layer: SelfAttention, hidden: Tensor) -> Tensor:
    """Compute first tokens by keys and values of every token."""
    wide = SelfAttention(hidden.shape[-1], heads=layer.heads, dropout=0.0).double()
    wide.load_state_dict({name: part.double() for name, part in layer.state_dict().items()})
    hidden = hidden.double()
    with torch.enable_grad():  # plain layers
        query, key, value = (
            part.view(*part.shape[:2], layer.heads, -1).transpose(1, 2)
            for part in (wide.query(hidden[:, :1]), wide.key(hidden), wide.value(hidden))
        )
        weights = (query @ key.transpose(-1, -2) / math.sqrt(key.shape[-1])).softmax(-1)
        found: Tensor = wide.output((weights @ value).transpose(1, 2).flatten(start_dim=2))
    return found.detach()


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from([(32, 4), (48, 4), (64, 1), (96, 12)]),
    st.integers(1, 9),
    st.integers(1, 40),
    st.sampled_from([1.0, 6.0]),
)
def test_it_is_the_softmax_of_64_bits(
    sizes: tuple[int, int], rows: int, length: int, std: float
) -> None:
    layer, hidden = drawn(*sizes, std=std), hidden_of(rows, length, sizes[0], seed=length)
    with torch.inference_mode():
        found = layer(hidden, mask=None, only_first=True)
    assert found.shape == (rows, 1, sizes[0])
    assert (found - expected(layer, hidden)).abs().max() < 1e-5 * std**3


def test_keys_and_values_of_other_tokens_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, hidden = drawn(48, 4), hidden_of(5, 12, 48)
    asked: list[tuple[int, ...]] = []
    for name in ("query", "key", "value", "output"):
        part = getattr(layer, name)
        part.register_forward_hook(lambda module, inputs, out: asked.append(out.shape))
    with torch.inference_mode():
        folded = layer(hidden, mask=None, only_first=True)
        assert asked == [(5, 1, 48), (5, 1, 48)]
        monkeypatch.setattr(module, "may_fold", lambda *arguments, **options: False)
        other = layer(hidden, mask=None, only_first=True)
    assert asked[2:] == [(5, 1, 48), (5, 12, 48), (5, 12, 48), (5, 1, 48)]
    assert 0 < (folded - other).abs().max() < 1e-6


def test_low_precision_is_closer_than_by_keys_and_values(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, hidden = drawn(96, 12), hidden_of(200, 12, 96).bfloat16()
    low = drawn(96, 12).bfloat16()
    layer.load_state_dict({name: part.float() for name, part in low.state_dict().items()})
    wanted = expected(layer, hidden)
    with torch.inference_mode():
        folded = low(hidden, mask=None, only_first=True)
        monkeypatch.setattr(module, "may_fold", lambda *arguments, **options: False)
        other = low(hidden, mask=None, only_first=True)
    assert folded.dtype == torch.bfloat16
    assert (folded - wanted).abs().mean() < (other - wanted).abs().mean() < 0.01


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("width", "heads"), [(32, 4), (384, 12), (768, 12)])
def test_a_row_is_rounded_alike_in_any_company(width: int, heads: int, dtype: torch.dtype) -> None:
    """From 4 rows on; `kgbert.engine` relies on it."""
    layer = drawn(width, heads).to(dtype)
    for length in (5, 12, 16, 41):
        hidden = hidden_of(150, length, width, seed=length).to(dtype)
        with torch.inference_mode():
            whole = layer(hidden, mask=None, only_first=True)
            for rows in (4, 5, 15, 16, 17, 64, 97):
                some = layer(hidden[7 : 7 + rows], mask=None, only_first=True)
                assert torch.equal(some, whole[7 : 7 + rows])


def test_it_is_used_where_nothing_is_learnt_and_all_see_each_other() -> None:
    hidden, weight = torch.zeros(4, 3, 48), torch.zeros(48, 48)
    with torch.no_grad():
        assert may_fold(hidden, weight, heads=4)
        assert not may_fold(hidden.to("meta"), weight, heads=4)
        assert not may_fold(torch.zeros(4, 3, 8), torch.zeros(8, 8), heads=4)  # kernels vary
    assert not may_fold(hidden, weight, heads=4)
    layer = drawn(48, 4, dropout=0.5)
    given = hidden_of(4, 6, 48)
    with torch.no_grad():
        mask = torch.ones(4, 1, 6, 6, dtype=torch.bool)
        mask[..., 4:] = False
        masked = layer(given, mask=mask, only_first=True)
        assert torch.allclose(masked, layer(given[:, :4], mask=None, only_first=True), atol=1e-5)
        layer.train()
        assert not torch.allclose(
            layer(given, mask=None, only_first=True),
            layer.eval()(given, mask=None, only_first=True),
            atol=1e-3,
        )
