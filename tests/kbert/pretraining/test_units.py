"""Units: pieces, words and entities, against a walk over the tokens."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kbert.pretraining.units import PADDING, SPECIAL, entity_starts, unit_groups

KINDS = st.lists(st.sampled_from("bcs"), max_size=14)  # begins a word, continues one, special


def groups_of(kinds: list[str], padding: int, *, words: bool = True) -> list[int]:
    text = [*kinds, *"p" * padding]
    array = np.array([text], dtype="<U1").reshape(1, -1)
    starts = array == "b" if words else None
    return unit_groups(starts=starts, special=array == "s", padding=array == "p")[0].tolist()


@given(KINDS, st.integers(1, 3))
def test_words_are_pieces_up_to_the_next_that_begins_one(kinds: list[str], padding: int) -> None:
    units: list[list[int]] = []
    for place, kind in enumerate(kinds):
        headless = kind == "c" and (place == 0 or kinds[place - 1] == "s")
        if kind == "b" or headless:
            units.append([])
        if kind != "s":
            units[-1].append(place)
    found = groups_of(kinds, padding)
    assert found[len(kinds) :] == [PADDING] * padding
    assert [p for p, kind in enumerate(kinds) if kind == "s"] == [
        p for p, group in enumerate(found) if group == SPECIAL
    ]
    numbers = sorted({group for group in found if group >= 0})
    assert [[p for p, group in enumerate(found) if group == n] for n in numbers] == units


@given(KINDS)
def test_pieces_are_units_by_themselves(kinds: list[str]) -> None:
    found = [group for group in groups_of(kinds, 1, words=False) if group >= 0]
    assert len(set(found)) == len(found) == len(kinds) - kinds.count("s")


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3)), max_size=12), st.data())
def test_a_mention_is_one_unit(tokens: list[tuple[bool, int]], data: st.DataObject) -> None:
    ends = np.cumsum([size for _, size in tokens], dtype=np.int64)
    offsets = np.stack([ends - [size for _, size in tokens], ends], axis=1).reshape(-1, 2)
    words = np.array([begins for begins, _ in tokens], dtype=np.bool_)
    cuts = sorted(data.draw(st.sets(st.integers(0, int(ends[-1]) if len(ends) else 0))))
    mentions = list(zip(cuts[::2], cuts[1::2], strict=False))
    word = np.cumsum(words | (np.arange(len(words)) == 0))
    unit = np.cumsum(entity_starts(word_starts=words, offsets=offsets, mentions=mentions))
    joined = {(i, i) for i in range(len(words))}
    for begin, end in mentions:  # all words of a mention are one; sharing a word joins two
        inside = [i for i, (a, b) in enumerate(offsets.tolist()) if a < end and begin < b]
        joined |= {(i, j) for i in inside for j in inside}
    related = {(i, j) for i, j in joined} | {
        (i, j) for i in range(len(words)) for j in range(len(words)) if word[i] == word[j]
    }
    for _ in range(len(words)):  # transitive closure
        related |= {(a, d) for a, b in related for c, d in related if b == c}
    assert related == {
        (i, j) for i in range(len(words)) for j in range(len(words)) if unit[i] == unit[j]
    }


def test_entities_in_a_sentence() -> None:
    # 我 去 北京 大学 in characters: the mention 北京大学 takes four tokens
    offsets = np.array([[i, i + 1] for i in range(6)])
    starts = entity_starts(
        word_starts=np.ones(6, dtype=np.bool_), offsets=offsets, mentions=[(2, 6)]
    )
    assert starts.tolist() == [True, True, True, False, False, False]
