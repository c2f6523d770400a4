"""Attention over a few tokens: the softmax written out in 64 bits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from kbert.nn.attention import SelfAttention
from kbert.nn.short_attention import LONGEST, attend_shortly, may_attend_shortly


def drawn(*, length: int, asking: int, std: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(length)
    query = torch.randn(3, asking, 2, 8, generator=draw) * std
    key, value = (torch.randn(3, length, 2, 8, generator=draw) * std for _ in range(2))
    return query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)


def expected(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    query, key, value = query.double(), key.double(), value.double()
    weights = (query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])).softmax(-1)
    return (weights @ value).transpose(1, 2).flatten(start_dim=2)


@pytest.mark.parametrize("length", [1, 2, 7, 15, 16, 17, LONGEST])
@pytest.mark.parametrize("first_only", [False, True])
def test_it_is_the_softmax_of_64_bits(length: int, first_only: bool) -> None:
    parts = drawn(length=length, asking=1 if first_only else length)
    assert (attend_shortly(*parts) - expected(*parts)).abs().max() < 2e-6
    low = [part.bfloat16() for part in parts]
    found = attend_shortly(*low)
    assert found.dtype == torch.bfloat16
    assert torch.allclose(found.double(), expected(*low), rtol=2**-7, atol=1e-3)


def test_large_scores_neither_overflow_nor_vanish() -> None:
    parts = drawn(length=11, asking=11, std=40.0)
    assert torch.allclose(attend_shortly(*parts).double(), expected(*parts), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("only_first", [False, True])
def test_a_row_is_rounded_alike_in_any_company(only_first: bool) -> None:
    layer = SelfAttention(48, heads=4, dropout=0.1).eval()
    for length in (3, 12, 16, 21):
        hidden = torch.randn(90, length, 48, generator=torch.Generator().manual_seed(length))
        with torch.inference_mode():
            whole = layer(hidden, mask=None, only_first=only_first)
            for rows in (4, 5, 16, 61):
                some = layer(hidden[7 : 7 + rows], mask=None, only_first=only_first)
                assert torch.equal(some, whole[7 : 7 + rows])


def test_it_is_used_where_it_is_the_same() -> None:
    key = torch.zeros(2, 4, 12, 8)
    with torch.no_grad():
        assert may_attend_shortly(key)
        assert not may_attend_shortly(torch.zeros(2, 4, LONGEST + 1, 8))
        assert not may_attend_shortly(key.to("meta"))
        assert not may_attend_shortly(key[:0])
        with torch.autocast("cpu", dtype=torch.bfloat16):  # it would round the scores
            assert not may_attend_shortly(key)
    assert not may_attend_shortly(key)
    layer = SelfAttention(48, heads=4, dropout=0.5)
    hidden = torch.randn(5, 12, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        layer.eval()
        short = layer(hidden, mask=None)
        masked = layer(hidden, mask=torch.ones(5, 1, 12, 12, dtype=torch.bool))
        assert 0 < (short - masked).abs().max() < 1e-5
        layer.train()
        assert not torch.allclose(layer(hidden, mask=None), short, atol=1e-3)  # it still drops
