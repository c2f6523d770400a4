"""Hashes as random numbers: the published function, addresses apart from each other, no bias."""

from __future__ import annotations

import numpy as np

from kgbert.draws import below, hashed, uniform

MASK = (1 << 64) - 1


def split_mix(state: int) -> int:
    """Return SplitMix64's next output, in Python integers."""
    state = (state + 0x9E3779B97F4A7C15) & MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
    return state ^ (state >> 31)


def test_the_hash_is_split_mix_part_by_part() -> None:
    assert split_mix(0) == 0xE220A8397B1DCDAF  # the first output for seed 0, as published
    indices = np.array([0, 1, 2**40], dtype=np.int64)
    wanted = [split_mix(split_mix(split_mix(7)) + index) for index in indices.tolist()]
    assert hashed(7, 0, indices).tolist() == wanted
    assert hashed(-1).tolist() == [split_mix(MASK)]


def test_addresses_do_not_meet() -> None:
    rows, slots = np.arange(300)[:, None], np.arange(40)[None, :]
    bits = [hashed(seed, epoch, rows, slots) for seed in range(3) for epoch in range(3)]
    assert len(np.unique(np.stack(bits))) == 9 * 300 * 40


def test_numbers_are_below_their_size_and_equally_likely() -> None:
    bits = hashed(1, np.arange(70_000))
    counts = np.bincount(below(bits, 7), minlength=7)
    assert len(counts) == 7
    assert ((counts - 10_000) ** 2 / 10_000).sum() < 22.5  # chi-square, 6 degrees, p = 0.001
    last = np.array([MASK], dtype=np.uint64)
    for size in (1, 3, 2**31 - 1, 2**53):
        assert below(last, size).tolist() == [size - 1]
    assert uniform(last)[0] < 1
