"""Random words: those of SplitMix64, each by itself, and different for whatever is different."""

from __future__ import annotations

import numpy as np
import pytest

from kbert.pretraining.streams import below, keys, uniforms, words


def test_words_are_those_of_splitmix64() -> None:
    # the first outputs of the reference implementation for the seed 1234567
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    key = np.array([1234567], dtype=np.uint64)
    assert words(key, np.arange(4)).tolist() == known
    assert words(key, np.array([2])).tolist() == known[2:3]


def test_keys_differ_with_each_of_their_parts() -> None:
    found = set()
    for seed in (0, 1, 2**32, 2**64 - 1):
        for epoch in range(3):
            for purpose in range(3):
                some = keys(seed=seed, epoch=epoch, indices=np.arange(50), purpose=purpose)
                again = keys(seed=seed, epoch=epoch, indices=np.array([7]), purpose=purpose)
                assert some[7] == again[0]
                found.update(some.tolist())
    assert len(found) == 4 * 3 * 3 * 50
    with pytest.raises(ValueError, match="seed -1"):
        keys(seed=-1, epoch=0, indices=np.arange(1), purpose=0)


def test_numbers_are_uniform() -> None:
    drawn = words(keys(seed=3, epoch=0, indices=np.arange(1000), purpose=1)[:, None], np.arange(96))
    assert abs(uniforms(drawn).mean() - 0.5) < 5 * (1 / 12 / drawn.size) ** 0.5
    shares = np.bincount(below(drawn, 6).ravel()) / drawn.size
    assert len(shares) == 6
    assert np.abs(shares - 1 / 6).max() < 5 * (5 / 36 / drawn.size) ** 0.5
    extremes = np.array([0, 2**64 - 1], dtype=np.uint64)
    assert below(extremes, np.array([1, 1])).tolist() == [0, 0]
    assert below(extremes, 2**32).tolist() == [0, 2**32 - 1]
    assert 0 <= uniforms(extremes)[0] < uniforms(extremes)[1] < 1
