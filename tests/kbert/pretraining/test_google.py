"""Pairs against the exact law of google-research/bert's construction, on corpora of a few tokens.

`instances` is `create_instances_from_document` written down token by token, as a program that asks
a `Tree` for each of its choices. The tree goes through all of them, so that every outcome has its
exact probability. Without quirks the program follows what `draw_pairs` says that it does instead.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from itertools import chain

import numpy as np
import pytest

from kbert.pretraining.pairs import draw_pairs
from kbert.pretraining.relations import NO_RELATION, RELATIONS

Sentence = list[int]
Corpus = list[list[Sentence]]
Outcome = tuple[tuple[tuple[int, ...], tuple[int, ...], int], ...]

MAX_LENGTH, SHORT = 9, 0.4
CORPORA = ([[2, 3, 1], [1, 1, 1, 1]], [[4], [1, 6], [2, 1]])


class Tree:
    """All ways through a program's choices, one after the other, each with its probability."""

    def __init__(self) -> None:
        self.script: list[tuple[int, list[float]]] = []
        self.place, self.probability = 0, 1.0

    def choose(self, shares: list[float]) -> int:
        if self.place == len(self.script):
            self.script.append((0, shares))
        number = self.script[self.place][0]
        self.place += 1
        self.probability *= shares[number]
        return number

    def between(self, first: int, last: int) -> int:
        """Draw as random.randint does, both ends included."""
        count = last - first + 1
        return first + self.choose([1 / count] * count)

    def happens(self, probability: float) -> bool:
        return self.choose([1 - probability, probability]) == 1

    def law(self, program: Callable[[], Outcome]) -> dict[Outcome, float]:
        found: dict[Outcome, float] = {}
        while True:
            self.place, self.probability = 0, 1.0
            outcome = program()
            found[outcome] = found.get(outcome, 0.0) + self.probability
            while self.script and self.script[-1][0] == len(self.script[-1][1]) - 1:
                self.script.pop()
            if not self.script:
                return found
            number, shares = self.script.pop()
            self.script.append((number + 1, shares))


def instances(corpus: Corpus, number: int, tree: Tree, *, relation: str, quirks: bool) -> Outcome:
    document, budget = corpus[number], MAX_LENGTH - 3
    ways = RELATIONS[relation].ways

    def draw_target() -> int:
        return tree.between(2, budget) if tree.happens(SHORT) else budget

    target = draw_target()
    found = []
    chunk: list[Sentence] = []
    i = 0
    while i < len(document):
        chunk.append(document[i])
        full = sum(map(len, chunk)) >= target and (quirks or len(chunk) > 1)
        if full or i == len(document) - 1:
            a_end = tree.between(1, len(chunk) - 1) if len(chunk) > 1 else 1
            first, rest = ([*chain(*part)] for part in (chunk[:a_end], chunk[a_end:]))
            if len(chunk) > 1:
                label = tree.choose([1 / len(ways)] * len(ways))
                way = ways[label]
            else:
                way, label = "random", len(ways) - 1
                if relation == "sop" and not quirks:
                    way, label = "alone", NO_RELATION
            if way == "random":
                rest = strangers(corpus, number, tree, target - len(first), quirks=quirks)
                i -= len(chunk) - a_end
            elif way == "previous":
                first, rest = rest, first
            found.append((*cut(first, rest, tree, quirks=quirks), label))
            chunk = []
            if not quirks and i + 1 < len(document):
                target = draw_target()
        i += 1
    return tuple(found)


def strangers(corpus: Corpus, number: int, tree: Tree, wanted: int, *, quirks: bool) -> list[int]:
    if quirks:
        failures = len(corpus) ** -10  # of ten draws; the own document is taken then
        others = (1 - failures) / (len(corpus) - 1)
        other = tree.choose([failures if n == number else others for n in range(len(corpus))])
        start = tree.between(0, len(corpus[other]) - 1)
    else:
        starts = [(d, s) for d in range(len(corpus)) for s in range(len(corpus[d])) if d != number]
        other, start = starts[tree.between(0, len(starts) - 1)]
    taken: list[int] = []
    for sentence in corpus[other][start:]:
        taken += sentence
        if len(taken) >= wanted:
            break
    return taken


def cut(
    first: list[int], second: list[int], tree: Tree, *, quirks: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    first, second = list(first), list(second)
    while len(first) + len(second) > MAX_LENGTH - (3 if second else 2):
        longer = first if len(first) > len(second) else second
        at_front = tree.happens(0.5) if quirks else longer is first
        del longer[0 if at_front else -1]
    return tuple(first), tuple(second)


@pytest.mark.parametrize("quirks", [True, False])
@pytest.mark.parametrize("relation", ["nsp", "sop", "nsp3"])
@pytest.mark.parametrize("sizes", CORPORA)
def test_every_outcome_has_its_probability(
    sizes: list[list[int]], relation: str, quirks: bool
) -> None:
    lengths = [size for document in sizes for size in document]
    sentences = np.cumsum([0, *lengths])
    documents = np.cumsum([0, *map(len, sizes)])
    token = iter(range(sum(lengths)))
    corpus = [[[next(token) for _ in range(size)] for size in each] for each in sizes]
    number = max(range(len(corpus)), key=lambda n: len(corpus[n]))
    own = {t for sentence in corpus[number] for t in sentence}
    tree = Tree()
    law = tree.law(lambda: instances(corpus, number, tree, relation=relation, quirks=quirks))
    assert math.isclose(math.fsum(law.values()), 1.0)
    seen: Counter[Outcome] = Counter()
    epochs = 800
    for epoch in range(epochs):
        pairs = draw_pairs(
            sentences=sentences, documents=documents, relation=relation, max_length=MAX_LENGTH,
            seed=1, epoch=epoch, short_probability=SHORT, google_quirks=quirks,
        )  # fmt: skip
        rows = [
            (tuple(range(*a)), tuple(range(*b)), int(label))
            for a, b, label in zip(pairs.a, pairs.b, pairs.label, strict=True)
        ]
        seen[tuple(row for row in rows if row[0][0] in own)] += 1
    assert set(seen) <= set(law)
    statistic = freedom = 0.0
    likely = [outcome for outcome, p in law.items() if p * epochs >= 5]
    observed = [float(seen[outcome]) for outcome in likely]
    expected = [law[outcome] * epochs for outcome in likely]
    observed.append(epochs - sum(observed))
    expected.append(epochs - sum(expected))
    for count, mean in zip(observed, expected, strict=True):
        if mean > 1e-6:
            statistic += (count - mean) ** 2 / max(mean, 1.0)
            freedom += 1
    assert len(likely) > 1
    assert statistic < freedom + 5 * math.sqrt(2 * freedom) + 10
