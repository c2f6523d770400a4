"""Exact match and F1 of answers, of spaced scripts by words and of Chinese by characters.

*Words* (Rajpurkar et al. 2016, section 6.1; Rajpurkar et al. 2018 for questions without answer; the
evaluation scripts of SQuAD 1.1 and 2.0): texts are lower-cased, ASCII punctuation and the articles
a, an, the are taken out, and what is left is split at white space. F1 is that of the two bags of
words.

*Characters* (Cui et al. 2019, CMRC 2018, section 3.3, and its evaluation script): texts are
lower-cased and marks of punctuation taken out; each Chinese character is a unit, other writing is
cut into words; precision and recall are the shares that the longest common run of units has of the
prediction and of the answer. The script cuts other writing with NLTK; we cut it at white space and
around punctuation, but not within a number or a word (`3.5`, `don't`), which for what stands in
answers differs little.

Of several answers the best counts. To leave a question unanswered is right where it has no answer.
All figures are from 0 to 1.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

Unit: TypeAlias = Literal["words", "characters"]

_NO_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)
_ARTICLES: Final = re.compile(r"\b(a|an|the)\b")
# The script also lists an ellipsis of two characters, which no single character ever equals.
_CHINESE_MARKS: Final = "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』"
_NO_MARKS: Final = str.maketrans("", "", _CHINESE_MARKS)
_MIXED: Final = re.compile(
    r"[\u4e00-\u9fa5]|(?:(?![\u4e00-\u9fa5])\w)+(?:[.,'](?:(?![\u4e00-\u9fa5])\w)+)*|[^\w\s]"
)


class Scores(NamedTuple):
    """How well one answer fits, each 0 to 1."""

    exact: float
    f1: float


class Threshold(NamedTuple):
    """The lead of "no answer" above which none is given, and the mean F1 that it would give."""

    value: float
    f1: float


def score(golds: Sequence[str], given: str, *, unit: Unit) -> Scores:
    """Score an answer against those that are right; an empty text says that there is none.

    No `golds` say that the question has no answer.
    """
    golds = golds or ("",)
    if unit == "words":
        # SQuAD 2.0 leaves out gold answers of which nothing is left, such as "the".
        golds = [gold for gold in golds if words(gold)] or [""]
        pairs = [_by_words(words(gold), words(given)) for gold in golds]
    else:
        pairs = [_by_characters(gold, given) for gold in golds]
    return Scores(max(pair.exact for pair in pairs), max(pair.f1 for pair in pairs))


def words(text: str) -> list[str]:
    """Normalise as SQuAD does and split at white space."""
    return _ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split()


def characters(text: str) -> list[str]:
    """Normalise as CMRC does and cut into Chinese characters and words of other writing."""
    return _MIXED.findall(_without_marks(text))


def best_threshold(
    leads: Sequence[float], answered: Sequence[float], silent: Sequence[float]
) -> Threshold:
    """Find the threshold with the best mean F1; of equally good ones the lowest.

    For each question, `leads` says by how much "no answer" is ahead of the best span, `answered`
    and `silent` are the F1 of answering and of leaving it. It is left if its lead exceeds the
    threshold. Raises `ValueError` if there are no questions.
    """
    if not leads:
        raise ValueError("there is nothing to score: no questions")
    order = sorted(range(len(leads)), key=lambda question: leads[question])
    total = sum(silent)
    best = Threshold(leads[order[0]] - 1.0, total / len(leads))
    for place, question in enumerate(order):
        total += answered[question] - silent[question]
        last = place + 1 == len(order) or leads[order[place + 1]] > leads[question]
        if last and total / len(leads) > best.f1:
            best = Threshold(leads[question], total / len(leads))
    return best


def _by_words(gold: Sequence[str], given: Sequence[str]) -> Scores:
    exact = float(gold == given)
    if not gold or not given:
        return Scores(exact, exact)
    return Scores(exact, _f1((Counter(gold) & Counter(given)).total(), len(gold), len(given)))


def _by_characters(gold: str, given: str) -> Scores:
    exact = float(_without_marks(gold) == _without_marks(given))
    if not gold or not given:
        exact = float(gold == given)
        return Scores(exact, exact)
    wanted, found = characters(gold), characters(given)
    return Scores(exact, _f1(_common_run(wanted, found), len(wanted), len(found)))


def _without_marks(text: str) -> str:
    return text.lower().strip().translate(_NO_MARKS)


def _f1(common: int, gold: int, given: int) -> float:
    """Return the harmonic mean of `common / given` and `common / gold`; 0 of nothing."""
    return 2 * common / (gold + given) if common else 0.0


def _common_run(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest run of units that both have."""
    longest = 0
    before = [0] * (len(second) + 1)
    for unit in first:
        now = [0] * (len(second) + 1)
        for place, other in enumerate(second, start=1):
            if unit == other:
                now[place] = before[place - 1] + 1
        longest = max(longest, *now)
        before = now
    return longest
