"""Corruption as a whole: exactly k, never a special token, shares, and what repeats when."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbert.errors import SettingsError
from kbert.pretraining.corruption import Corruption, MaskedBatch
from kbert.pretraining.lengths import SpanLengths
from kbert.pretraining.replacement import Replacement
from kbert.pretraining.units import unit_groups

SPECIALS = (0, 1, 2, 3, 4)
PAD, CLS, SEP, MASK = 0, 2, 3, 4
LAWS = (SpanLengths.one(), SpanLengths.geometric(), SpanLengths.inverse(), SpanLengths.poisson())


def corruption(**settings: Any) -> Corruption:
    return Corruption(**{"mask_id": MASK, "vocab_size": 40, "special_ids": SPECIALS} | settings)


def rows(
    lengths: list[int], *, words: bool, seed: int = 0, size: int = 40
) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of so many tokens between [CLS], a [SEP] in the middle, and one at the end."""
    draw = np.random.default_rng(seed)
    ids = np.full((len(lengths), max(lengths) + 3), PAD, dtype=np.int32)
    for row, length in zip(ids, lengths, strict=True):
        row[: length + 3] = draw.integers(len(SPECIALS), size, length + 3)
        row[0], row[1 + length // 2], row[length + 2] = CLS, SEP, SEP
    starts = draw.random(ids.shape) < 0.6 if words else None
    special = np.isin(ids, (CLS, SEP))
    return ids, unit_groups(starts=starts, special=special, padding=ids == PAD)


def data_of(found: MaskedBatch) -> list[bytes]:
    return [part.tobytes() for part in found]


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.booleans(),
    st.sampled_from(LAWS),
    st.sampled_from(["piece", "span"]),
    st.none() | st.integers(1, 4),
    st.integers(0, 2**64 - 1),
)
def test_exactly_k_and_none_special(
    lengths: list[int], words: bool, law: SpanLengths, per: Any, most: int | None, seed: int
) -> None:
    ids, groups = rows(lengths, words=words)
    before = ids.copy()
    corrupt = corruption(
        lengths=law, replacement=Replacement(per=per), max_predictions=most, seed=seed
    )
    found = corrupt(ids, groups, indices=np.arange(len(ids)), epoch=0)
    assert np.array_equal(ids, before)
    assert found.token_ids.dtype == found.labels.dtype == found.spans.dtype == np.int32
    changed = found.token_ids != ids
    for number, length in enumerate(lengths):
        one = found.row(number, length=length + 3)
        k = min(most or length, max(1, round(0.15 * length)))
        assert len(one.positions) == len(set(one.positions)) == k
        assert sorted(one.positions) == one.positions.tolist()
        assert one.labels.tolist() == ids[number, one.positions].tolist()
        assert not np.isin(one.labels, SPECIALS).any()
        new = one.token_ids[one.positions]
        assert not np.isin(new, [i for i in SPECIALS if i != MASK]).any()
        assert set(np.flatnonzero(changed[number])) <= set(one.positions.tolist())
        assert one.spans is not None
        covered = {c for begin, end in one.spans.tolist() for c in range(begin, end)}
        assert covered == set(one.positions.tolist())
        inside = (one.spans[:, 0] <= one.positions) & (one.positions < one.spans[:, 1])
        assert inside.all()


def test_the_budget_is_that_of_pythons_rounding() -> None:
    sizes = [*range(1, 61), 125, 130, 509]
    groups = rows(sizes, words=False)[1]
    assert corruption().counts(groups).tolist() == [max(1, round(0.15 * n)) for n in sizes]
    assert [round(0.15 * n) for n in (10, 30, 50)] == [2, 4, 8]  # halves go to the even number
    google = corruption(google_quirks=True, max_predictions=20).counts(groups).tolist()
    assert google == [min(20, n, max(1, round(0.15 * (n + 3)))) for n in sizes]
    nothing = np.full((1, 4), -1, dtype=np.int32)
    for most in (None, 5):
        assert corruption(max_predictions=most).counts(nothing).tolist() == [0]
    empty = corruption()(nothing + 3, nothing, indices=np.arange(1), epoch=0)
    assert empty.token_ids.tolist() == [[2] * 4] and not len(empty.rows) and not len(empty.spans)


@pytest.mark.parametrize("per", ["piece", "span"])
def test_replacements_have_their_shares(per: Any) -> None:
    size = 10_000  # so large that a random piece is hardly ever the original
    ids, groups = rows([125] * 800, words=True, size=size)
    corrupt = corruption(
        vocab_size=size, lengths=SpanLengths.geometric(), replacement=Replacement(per=per)
    )
    found = corrupt(ids, groups, indices=np.arange(800), epoch=0)
    new = found.token_ids[found.rows, found.positions]
    kind = np.where(new == MASK, 0, np.where(new == found.labels, 2, 1))
    first = found.positions == found.spans[:, 0]
    drawn = kind[first] if per == "span" else kind
    for number, share in enumerate((0.8, 0.1, 0.1)):
        bound = 5 * math.sqrt(share * (1 - share) / len(drawn)) + 2 / size
        assert abs((drawn == number).mean() - share) < bound
    spans = found.rows.astype(np.int64) * 1000 + found.spans[:, 0]
    kinds = [len(set(kind[spans == span])) for span in np.unique(spans)[:400]]
    assert (max(kinds) == 1) == (per == "span")
    random = np.sort(new[kind == 1])
    assert len(np.unique(random)) > 0.9 * len(random)  # a span's random pieces differ
    assert random[0] >= len(SPECIALS) and random[-1] > 0.98 * size


def test_what_replaces_a_piece_does_not_tell_what_else_was_chosen() -> None:
    """Streams of choice and replacement that shared numbers would tie p to 2p."""
    ids, groups = rows([125] * 800, words=False)
    found = corruption()(ids, groups, indices=np.arange(800), epoch=0)
    masked = np.zeros(ids.shape, dtype=np.bool_)
    masked[found.rows, found.positions] = True
    half = found.positions < 60
    both = half & masked[found.rows, np.where(half, found.positions * 2, 0)]
    share = (found.token_ids[found.rows, found.positions] == MASK)[both].mean()
    assert abs(share - 0.8) < 5 * math.sqrt(0.16 / both.sum())


def test_random_pieces_are_uniform_and_special_only_for_google() -> None:
    ids, groups = rows([120] * 500, words=False)
    only = Replacement(mask=0.0, random=1.0, keep=0.0)
    for quirks, allowed in ((False, range(5, 40)), (True, range(40))):
        corrupt = corruption(replacement=only, rate=1.0, google_quirks=quirks)
        found = corrupt(ids, groups, indices=np.arange(500), epoch=0)
        new = found.token_ids[found.rows, found.positions]
        shares = np.bincount(new, minlength=40) / len(new)
        assert set(np.flatnonzero(shares)) == set(allowed)
        p = 1 / len(allowed)
        assert np.abs(shares[list(allowed)] - p).max() < 5 * math.sqrt(p * (1 - p) / len(new))


def test_google_leaves_out_a_word_that_does_not_fit() -> None:
    groups = np.zeros((1, 10), dtype=np.int32)  # one word of ten pieces, of which two are wanted
    ids = groups + 7
    for quirks, masked in ((False, 2), (True, 0)):
        found = corruption(google_quirks=quirks)(ids, groups, indices=np.arange(1), epoch=0)
        assert len(found.positions) == masked
    assert corruption()(ids, groups, indices=np.arange(1), epoch=0).positions.tolist() == [0, 1]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("words", [False, True])
def test_an_example_is_corrupted_alike_in_any_batch(law: SpanLengths, words: bool) -> None:
    ids, groups = rows([40, 3, 17, 29, 8], words=words)
    corrupt, indices = corruption(lengths=law, seed=9), np.array([7, 0, 3, 2**31, 5])
    whole = corrupt(ids, groups, indices=indices, epoch=4)
    assert data_of(whole) == data_of(corrupt(ids, groups, indices=indices, epoch=4))
    for number, length in enumerate([43, 6, 20, 32, 11]):
        part = [number]
        alone = corrupt(
            ids[part, :length], groups[part, :length], indices=indices[part], epoch=4
        ).row(0, length=length)
        for one, other in zip(alone, whole.row(number, length=length), strict=True):
            assert one is not None and other is not None
            assert one.tolist() == other.tolist()


def test_static_masks_return_and_dynamic_ones_do_not() -> None:
    ids, groups = rows([100] * 8, words=True)
    dynamic = corruption(seed=1)

    def epochs(corrupt: Corruption) -> list[tuple[bytes, ...]]:
        made = (corrupt(ids, groups, indices=np.arange(8), epoch=epoch) for epoch in range(9))
        return [tuple(data_of(found)) for found in made]

    found, static = epochs(dynamic), epochs(replace(dynamic, dupe_factor=3))
    assert len(set(found)) == 9
    assert static == static[:3] * 3 and static[:3] == found[:3]
    assert not set(found) & set(epochs(replace(dynamic, seed=2)))
    rows_differ = dynamic(
        ids[:1].repeat(8, 0), groups[:1].repeat(8, 0), indices=np.arange(8), epoch=0
    )
    assert len({row.tobytes() for row in rows_differ.token_ids}) == 8


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rate": 0.0}, "masking rate 0.0"),
        ({"rate": 1.5}, "masking rate 1.5"),
        ({"max_predictions": 0}, "max_predictions is 0"),
        ({"dupe_factor": 0}, "dupe_factor is 0"),
        ({"mask_id": 40}, "number 40 of 40"),
        ({"special_ids": tuple(range(40))}, "nothing but special"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        corruption(**settings)


def test_shares_that_cannot_be_are_refused() -> None:
    for shares in ({"mask": 0.9}, {"mask": 1.1, "random": -0.2}, {"per": "word"}):
        with pytest.raises(SettingsError):
            Replacement(**shares)
    with pytest.raises(SettingsError, match="65536"):
        wide = np.zeros((1, 65537), dtype=np.int32)
        corruption()(wide, wide, indices=np.arange(1), epoch=0)
