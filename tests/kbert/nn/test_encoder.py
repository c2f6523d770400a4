"""Properties of the encoder that need no other implementation; parity is in test_parity.py."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kbert.nn.config import EncoderConfig
from kbert.nn.encoder import Encoder
from kbert.nn.visibility import Visibility

CONFIG = EncoderConfig(
    vocab_size=40,
    width=24,
    layers=2,
    heads=3,
    feed_forward=48,
    max_positions=32,
    initializer_std=0.3,
)


class Row(NamedTuple):
    """The inputs of one row, each (1, L)."""

    token_ids: Tensor
    positions: Tensor
    segments: Tensor
    visibility: Visibility


def make(config: EncoderConfig = CONFIG) -> Encoder:
    """Draw an encoder; float64, so that what must be equal is equal to 1e-9."""
    return Encoder(config, generator=torch.Generator().manual_seed(0)).double().eval()


def sentence(length: int, *, seed: int) -> Row:
    draw = torch.Generator().manual_seed(seed)
    return Row(
        torch.randint(1, 40, (1, length), generator=draw),
        torch.arange(length)[None],
        torch.randint(0, 2, (1, length), generator=draw),
        Visibility.plain([length], length=length),
    )


def tree(*, seed: int) -> Row:
    """Eight tokens: a b B1 B1 B2 B2 c d, where b carries two branches; soft positions."""
    row = sentence(8, seed=seed)
    number = [0, 1, 2, 2, 3, 3, 4, 5]
    visibility = replace(
        row.visibility,
        enter=torch.tensor([number]),
        leave=torch.tensor([[1, 4, 3, 3, 4, 4, 5, 6]]),
        trunk=torch.tensor([[True, True, False, False, False, False, True, True]]),
    )
    return row._replace(positions=torch.tensor([[0, 1, 2, 3, 2, 3, 2, 3]]), visibility=visibility)


def hidden(encoder: Encoder, row: Row) -> Tensor:
    with torch.no_grad():
        return encoder(
            row.token_ids,
            positions=row.positions,
            segments=row.segments,
            visibility=row.visibility,
        ).hidden


def join(rows: list[Row], *, dim: int) -> Row:
    """Put rows under one another (dim 0), or end to end as they are (dim 1)."""
    vectors = {
        field.name: torch.cat([getattr(row.visibility, field.name) for row in rows], dim=dim)
        for field in fields(Visibility)
    }
    tensors = [torch.cat([row[i] for row in rows], dim=dim) for i in range(3)]
    return Row(*tensors, Visibility(**vectors))


def pad(row: Row, *, length: int) -> Row:
    """Fill up with noise that a right encoder never looks at."""
    size = row.token_ids.shape[1]
    filling = sentence(length - size, seed=99)
    filling = filling._replace(
        visibility=replace(filling.visibility, document=filling.visibility.document - 1)
    )
    return join([row, filling], dim=1) if length > size else row


def test_the_output_has_the_documented_shapes() -> None:
    encoder, row = make(), sentence(5, seed=1)
    arguments = {"positions": row.positions, "segments": row.segments, "visibility": None}
    output = encoder(row.token_ids, **arguments, all_layers=True)
    assert output.hidden.shape == (1, 5, 24)
    assert output.pooled.shape == (1, 24)
    assert [tuple(layer.shape) for layer in output.layers] == [(1, 5, 24)] * 3
    assert torch.equal(output.layers[-1], output.hidden)
    assert encoder(row.token_ids, **arguments).layers == ()


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("masked", [True, False])
def test_the_first_tokens_alone_come_to_the_same(layers: int, masked: bool) -> None:
    """Pooled outputs and gradients are equal, and of the last layer the first tokens' states."""
    encoder = make(replace(CONFIG, layers=layers))
    row = join([pad(tree(seed=8), length=9), sentence(9, seed=9)], dim=0)
    results = []
    for only_first in (False, True):
        encoder.zero_grad()
        output = encoder(
            row.token_ids,
            positions=row.positions,
            segments=row.segments,
            visibility=row.visibility if masked else None,
            all_layers=True,
            only_first=only_first,
        )
        output.pooled.square().sum().backward()
        gradients = [weight.grad.clone() for weight in encoder.parameters()]
        results.append((output, gradients))
    (full, expected), (short, received) = results
    assert short.hidden.shape == (2, 1, 24) and full.hidden.shape == (2, 9, 24)
    assert len(short.layers) == layers + 1 and torch.equal(short.layers[-1], short.hidden)
    for one, other in [
        (full.pooled, short.pooled),
        (full.hidden[:, :1], short.hidden),
        *zip(full.layers[:-1], short.layers[:-1], strict=True),
        *zip(expected, received, strict=True),
    ]:
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_the_first_tokens_alone_are_equal_to_1e_6_in_float32() -> None:
    config = EncoderConfig(vocab_size=40, width=96, layers=4, heads=3, feed_forward=384)
    encoder = Encoder(config, generator=torch.Generator().manual_seed(3)).eval()
    row = join([sentence(30, seed=seed) for seed in range(16)], dim=0)
    with torch.no_grad():
        full, short = (
            encoder(
                row.token_ids,
                positions=row.positions,
                segments=row.segments,
                visibility=None,
                only_first=only_first,
            )
            for only_first in (False, True)
        )
    assert (full.pooled - short.pooled).abs().max() <= 1e-6


def test_without_a_visibility_every_token_sees_its_row() -> None:
    encoder, row = make(), sentence(7, seed=2)
    bare = encoder(
        row.token_ids, positions=row.positions, segments=row.segments, visibility=None
    ).hidden
    torch.testing.assert_close(bare, hidden(encoder, row), rtol=0, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 3))
def test_padding_and_batch_mates_change_nothing(lengths: list[int], spare: int) -> None:
    encoder = make()
    rows = [sentence(size, seed=i) for i, size in enumerate(lengths)] + [tree(seed=50)]
    longest = max(8, *lengths) + spare
    together = hidden(encoder, join([pad(row, length=longest) for row in rows], dim=0))
    assert together.isfinite().all()
    for i, row in enumerate(rows):
        alone = hidden(encoder, row)[0]
        torch.testing.assert_close(together[i, : len(alone)], alone, rtol=0, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=4))
def test_packed_documents_do_not_see_each_other(lengths: list[int]) -> None:
    encoder = make()
    rows = [sentence(size, seed=i) for i, size in enumerate(lengths)] + [tree(seed=50)]
    numbered = [
        row._replace(visibility=replace(row.visibility, document=row.visibility.document + i))
        for i, row in enumerate(rows)
    ]
    packed = hidden(encoder, join(numbered, dim=1))[0]
    apart = torch.cat([hidden(encoder, row)[0] for row in rows])
    torch.testing.assert_close(packed, apart, rtol=0, atol=1e-9)


def test_padding_and_packing_in_float32_change_less_than_1e_6() -> None:
    encoder = Encoder(replace(CONFIG, initializer_std=0.02)).eval()
    first, second = sentence(6, seed=1), sentence(9, seed=2)
    batch = hidden(encoder, join([pad(first, length=12), pad(second, length=12)], dim=0))
    next_document = replace(second.visibility, document=second.visibility.document + 1)
    packed = hidden(encoder, join([first, second._replace(visibility=next_document)], dim=1))
    alone = [hidden(encoder, first)[0], hidden(encoder, second)[0]]
    assert (batch[0, :6] - alone[0]).abs().max() <= 1e-6
    assert (batch[1, :9] - alone[1]).abs().max() <= 1e-6
    assert (packed[0] - torch.cat(alone)).abs().max() <= 1e-6


def test_ranks_hide_the_future() -> None:
    encoder, row = make(), sentence(6, seed=3)
    ranks = torch.arange(6)[None]
    causal = row._replace(visibility=replace(row.visibility, query_rank=ranks, key_rank=ranks))
    changed = causal.token_ids.clone()
    changed[0, 4] = (changed[0, 4] + 1) % 40
    before, after = (
        hidden(encoder, causal)[0],
        hidden(encoder, causal._replace(token_ids=changed))[0],
    )
    torch.testing.assert_close(before[:4], after[:4], rtol=0, atol=1e-12)
    assert ((before - after)[4:].abs().amax(dim=-1) > 1e-3).all()


def test_a_branch_reaches_its_mention_and_itself_in_one_layer() -> None:
    encoder, row = make(replace(CONFIG, layers=1)), tree(seed=4)
    changed = row.token_ids.clone()
    changed[0, 2] = (changed[0, 2] + 1) % 40
    before, after = hidden(encoder, row)[0], hidden(encoder, row._replace(token_ids=changed))[0]
    moved = (before - after).abs().amax(dim=-1) > 1e-9
    assert moved.tolist() == [False, True, True, True, False, False, False, False]


def test_the_order_of_tokens_in_a_row_does_not_count() -> None:
    """Positions and visibility say all; so branches may come in any order."""
    encoder, row = make(), tree(seed=5)
    order = torch.tensor([0, 4, 5, 1, 7, 2, 3, 6])
    vectors = {f.name: getattr(row.visibility, f.name)[:, order] for f in fields(Visibility)}
    shuffled = Row(*(tensor[:, order] for tensor in row[:3]), Visibility(**vectors))
    torch.testing.assert_close(
        hidden(encoder, shuffled), hidden(encoder, row)[:, order], rtol=0, atol=1e-9
    )


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        (0, 40, "token id 40 .* 0 to 39"),
        (0, -1, "token id -1"),
        (1, 32, "position 32 .* 0 to 31"),
        (2, 2, "segment 2 .* 0 to 1"),
    ],
)
def test_an_index_outside_its_table_is_refused(part: int, value: int, said: str) -> None:
    row = list(sentence(3, seed=1)[:3])
    row[part] = torch.tensor([[0, value, 0]])
    with pytest.raises(ValueError, match=said):
        make()(row[0], positions=row[1], segments=row[2], visibility=None)


@pytest.mark.parametrize("rates", [(0.5, 0.0), (0.0, 0.5)])
def test_each_dropout_acts_in_training_only(rates: tuple[float, float]) -> None:
    encoder, row = make(replace(CONFIG, dropout=rates[0], attention_dropout=rates[1])), tree(seed=6)
    assert torch.equal(hidden(encoder, row), hidden(encoder, row))
    encoder.train()
    assert not torch.equal(hidden(encoder, row), hidden(encoder, row))
    still = make(replace(CONFIG, dropout=0.0, attention_dropout=0.0)).train()
    torch.testing.assert_close(hidden(still, row), hidden(still.eval(), row), rtol=0, atol=1e-12)


def test_bfloat16_autocast_trains_and_stays_close() -> None:
    config = replace(CONFIG, initializer_std=0.05)
    encoder = Encoder(config, generator=torch.Generator().manual_seed(0)).eval()
    row = pad(tree(seed=7), length=10)
    high = hidden(encoder, row)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = hidden(encoder, row)
        trained = encoder.train()(
            row.token_ids,
            positions=row.positions,
            segments=row.segments,
            visibility=row.visibility,
        )
    trained.hidden.float().square().sum().backward()
    assert 0 < (low - high).abs().max() < 0.1
    gradients = [weight.grad for weight in encoder.layers.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


def test_weights_are_drawn_from_the_generator_alone() -> None:
    state = torch.get_rng_state()
    first, second, other = (
        Encoder(CONFIG, generator=torch.Generator().manual_seed(seed)).state_dict()
        for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["layers.0.expand.weight"], other["layers.0.expand.weight"])


def test_weights_have_berts_distribution() -> None:
    encoder = Encoder(
        EncoderConfig(vocab_size=3000, width=96, layers=2, heads=2, feed_forward=384, pad_id=3)
    )
    for name, weight in encoder.named_parameters():
        if "norm" in name:
            assert torch.equal(weight, torch.full_like(weight, float(name.endswith("weight"))))
        elif name.endswith("bias"):
            assert not weight.any()
        elif weight.numel() > 5000:  # the standard error of std is std / sqrt(2 n)
            assert float(weight.detach().std()) == pytest.approx(0.02, rel=0.05)
            assert abs(float(weight.detach().mean())) < 0.001
    word = encoder.embeddings.word.weight
    assert not word[3].any()
    assert word[0].any()


@pytest.mark.parametrize(
    ("sizes", "count"),
    [
        ((30522, 768, 12, 12), 109_482_240),
        ((30522, 1024, 24, 16), 335_141_888),
        ((28996, 768, 12, 12), 108_310_272),
        ((21128, 768, 12, 12), 102_267_648),
        ((119547, 768, 12, 12), 177_853_440),
        ((30522, 128, 2, 2), 4_385_920),
        ((30522, 256, 4, 4), 11_170_560),
        ((30522, 512, 4, 8), 28_763_648),
        ((30522, 512, 8, 8), 41_373_184),
    ],
)
def test_parameter_counts_are_those_of_published_models(
    sizes: tuple[int, int, int, int], count: int
) -> None:
    vocab_size, width, layers, heads = sizes
    with torch.device("meta"):
        encoder = Encoder(
            EncoderConfig(
                vocab_size=vocab_size,
                width=width,
                layers=layers,
                heads=heads,
                feed_forward=4 * width,
            )
        )
    assert sum(weight.numel() for weight in encoder.parameters()) == count
