"""Exact match and F1, against closed cases and against the definitions done the slow way."""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbert.answers.scoring import best_threshold, characters, score, words


@pytest.mark.parametrize(
    ("gold", "answer", "exact", "f1"),
    [
        ("The Panthers", "panthers.", 1, 1),
        ("a cat and the dog", "cat and dog", 1, 1),
        ("Santa Clara, California", "Santa Clara", 0, 2 * 1 * (2 / 3) / (1 + 2 / 3)),
        ("the the cat cat", "cat", 0, 2 / 3),
        ("cat", "cat cat cat", 0, 0.5),
        ("cat", "dog", 0, 0),
        ("cat", "", 0, 0),
        ("cat", "the", 0, 0),
        ("theory", "ory", 0, 0),
        ("U.S.", "us", 1, 1),
        ("6½", "6½", 1, 1),
    ],
)
def test_words_by_hand(gold: str, answer: str, exact: float, f1: float) -> None:
    scores = score([gold], answer, unit="words")
    assert scores.exact == exact
    assert scores.f1 == pytest.approx(f1)


@pytest.mark.parametrize(
    ("gold", "answer", "exact", "f1"),
    [
        ("光荣和ω-force", "光荣和ωforce", 1, 1),
        ("村雨城", "任天堂游戏谜之村雨城", 0, 2 * 3 / 13),
        ("北京大学", "北大", 0, 2 * 1 / 6),
        ("《北京》", "北京。", 1, 1),
        ("1786年2月2日", "2月2日", 0, 2 * 4 / 10),
        ("3.5 km", "3.5", 0, 2 / 3),
        ("ABC", "abc", 1, 1),
        ("北京", "上海", 0, 0),
        ("北京", "", 0, 0),
        ("北京", "。", 0, 0),
        ("甲乙丙丁", "甲乙戊丙丁", 0, 2 * 2 / 9),
    ],
)
def test_characters_by_hand(gold: str, answer: str, exact: float, f1: float) -> None:
    """A run in common counts, not a bag: 甲乙丙丁 and 甲乙戊丙丁 share two characters in a row."""
    scores = score([gold], answer, unit="characters")
    assert scores.exact == exact
    assert scores.f1 == pytest.approx(f1)


def test_mixed_writing_is_cut() -> None:
    assert characters("光荣和ω-force, 3.5米 (Don't)") == [
        "光", "荣", "和", "ωforce", ",", "3.5", "米", "(", "don't", ")",
    ]  # fmt: skip
    assert words(" The  U.S. a-b\tan\n end ") == ["us", "ab", "end"]


@pytest.mark.parametrize("unit", ["words", "characters"])
def test_the_best_of_several_answers_counts(unit: str) -> None:
    both = score(["北京 大学", "上海"], "上海", unit=unit)  # type: ignore[arg-type]
    assert both == (1, 1)


@pytest.mark.parametrize("unit", ["words", "characters"])
def test_silence_is_right_where_there_is_no_answer(unit: str) -> None:
    assert score([], "", unit=unit) == (1, 1)  # type: ignore[arg-type]
    assert score([], "北京", unit=unit) == (0, 0)  # type: ignore[arg-type]
    assert score(["北京"], "", unit=unit) == (0, 0)  # type: ignore[arg-type]


def test_golds_of_articles_alone_are_left_out() -> None:
    assert score(["the", "cat"], "the", unit="words") == (0, 0)
    assert score(["the"], "", unit="words") == (1, 1)


def slow_words(text: str) -> list[str]:
    kept = "".join(c for c in text.lower() if c not in string.punctuation)
    return [w for w in re.split(r"\s+", re.sub(r"\b(?:a|an|the)\b", " ", kept)) if w]


def slow_f1(gold: Sequence[str], given_: Sequence[str], common: int) -> float:
    if not common:
        return 0.0
    precision, recall = common / len(given_), common / len(gold)
    return 2 * precision * recall / (precision + recall)


def slow_overlap(gold: Sequence[str], given_: Sequence[str]) -> int:
    """Strike each word of one list from the other."""
    rest = list(gold)
    for word in given_:
        if word in rest:
            rest.remove(word)
    return len(gold) - len(rest)


def slow_run(gold: Sequence[str], given_: Sequence[str]) -> int:
    """Compare every run of the one with every run of the other."""
    runs = [
        {tuple(units[i:j]) for i, j in itertools.combinations(range(len(units) + 1), 2)}
        for units in (gold, given_)
    ]
    return max(map(len, runs[0] & runs[1]), default=0)


ENGLISH = st.lists(
    st.sampled_from(["the", "a", "cat", "Cat,", "dog", "-", "an", "3.5"]), max_size=6
)
CHINESE = st.text(alphabet="北京大学。、《", min_size=1, max_size=8)


@given(ENGLISH.map(" ".join), ENGLISH.map(" ".join))
def test_words_as_defined(gold: str, answer: str) -> None:
    wanted, found = slow_words(gold), slow_words(answer)
    expected = slow_f1(wanted, found, slow_overlap(wanted, found)) if wanted and found else None
    scores = score([gold], answer, unit="words")
    assert scores.exact == (wanted == found)
    assert scores.f1 == pytest.approx(float(wanted == found) if expected is None else expected)


@given(CHINESE, CHINESE)
def test_characters_as_defined(gold: str, answer: str) -> None:
    wanted, found = ([c for c in text if c not in "。、《"] for text in (gold, answer))
    scores = score([gold], answer, unit="characters")
    assert scores.exact == (wanted == found)
    assert scores.f1 == pytest.approx(slow_f1(wanted, found, slow_run(wanted, found)))


FIGURES = st.tuples(
    st.integers(-3, 3), st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 1.0])
)


@given(st.lists(FIGURES, min_size=1, max_size=7))
def test_no_threshold_is_better(figures: list[tuple[int, float, float]]) -> None:
    leads, answered, silent = zip(*figures, strict=True)

    def mean(threshold: float) -> float:
        given_ = [s if lead > threshold else a for lead, a, s in figures]
        return sum(given_) / len(given_)

    best = best_threshold(leads, answered, silent)
    assert best.f1 == pytest.approx(mean(best.value))
    assert best.f1 == pytest.approx(max(mean(at / 2) for at in range(-10, 10)))


def test_a_threshold_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no questions"):
        best_threshold([], [], [])
