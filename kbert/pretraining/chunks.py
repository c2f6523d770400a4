"""Walk through every document of a corpus, chunk by chunk, and give each chunk its partner.

This is the construction of google-research/bert (create_pretraining_data.py), done for all
documents at once: step n takes the n-th chunk of each document that has one. Everything here is
counted in sentences; `pairs` cuts the result to tokens.

What `google_quirks` changes is said at `pairs.draw_pairs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kbert.pretraining.relations import NO_RELATION, Relation

Numbers = NDArray[np.int64]

_TRIES: Final = 10  # draws of another document, in Google's code


class Chunks(NamedTuple):
    """Chunks (N,) as sentence numbers: A is first:middle, the true rest middle:last.

    `label` is the relation's; `random_first:random_last` is what was drawn from elsewhere, empty
    if nothing was. `target` is how many tokens the chunk was to have.
    """

    document: Numbers
    first: Numbers
    middle: Numbers
    last: Numbers
    label: Numbers
    random_first: Numbers
    random_last: Numbers
    target: Numbers


@dataclass(frozen=True, kw_only=True)
class Chunker:
    """Cuts a corpus into chunks, with draws from `draw`, in an order that is always the same."""

    sentences: Numbers
    documents: Numbers
    relation: Relation
    budget: int
    short_probability: float
    google_quirks: bool
    draw: np.random.Generator

    def chunks(self, begin: int, end: int) -> Chunks:
        """Return the chunks of documents `begin` to `end` - 1, in the order of the corpus."""
        active = begin + np.flatnonzero(np.diff(self.documents[begin : end + 1]) > 0)
        place = self.documents[active]
        target = self._targets(len(active))
        steps: list[Chunks] = []
        while len(active):
            step = self._step(active, place, target)
            steps.append(step)
            whole = ~self._is_random(step.label)
            place = np.where(whole, step.last, step.middle)
            going = place < self.documents[active + 1]
            active, place, target = active[going], place[going], target[going]
            if not self.google_quirks:
                target = self._targets(len(active))
        if not steps:
            return Chunks(*(np.zeros(0, dtype=np.int64) for _ in Chunks._fields))
        order = np.argsort(np.concatenate([step.first for step in steps]))
        return Chunks(*(np.concatenate(column)[order] for column in zip(*steps, strict=True)))

    def _step(self, document: Numbers, first: Numbers, target: Numbers) -> Chunks:
        """Take one chunk of each of these documents, from sentence `first` on."""
        last = self._reach(document, first, target)
        if not self.google_quirks:
            last = np.maximum(last, np.minimum(first + 2, self.documents[document + 1]))
        alone = last - first == 1
        middle = first + 1 + self.draw.integers(0, np.maximum(last - first - 1, 1))
        label = self.draw.integers(0, len(self.relation.ways), len(first))
        single = self.relation.label_alone(google_quirks=self.google_quirks)
        label = np.where(alone, single, label)
        begin = np.zeros_like(first)
        end = np.zeros_like(first)
        strangers = np.flatnonzero(self._is_random(label) | (alone & (label != NO_RELATION)))
        if len(strangers):
            other, start = self._elsewhere(document[strangers])
            used = self.sentences[middle[strangers]] - self.sentences[first[strangers]]
            begin[strangers] = start
            end[strangers] = self._reach(other, start, np.maximum(target[strangers] - used, 1))
        return Chunks(document, first, middle, last, label, begin, end, target)

    def _is_random(self, label: Numbers) -> NDArray[np.bool_]:
        """Say which labels mean that the second half is put back."""
        ways = self.relation.ways
        return np.equal(label, ways.index("random") if "random" in ways else len(ways))

    def _targets(self, count: int) -> Numbers:
        """Draw how many tokens chunks are to have: mostly the budget, sometimes 2 or more."""
        short = self.draw.random(count) < self.short_probability
        return np.where(short, self.draw.integers(2, self.budget + 1, count), self.budget)

    def _reach(self, document: Numbers, first: Numbers, tokens: Numbers) -> Numbers:
        """Return the end of the fewest sentences with so many tokens, or the document's end."""
        last = np.searchsorted(self.sentences, self.sentences[first] + tokens)
        return np.minimum(last, self.documents[document + 1])

    def _elsewhere(self, own: Numbers) -> tuple[Numbers, Numbers]:
        """Draw, for each of these documents, another one and the sentence to begin with."""
        if not self.google_quirks:
            begin, end = self.documents[own], self.documents[own + 1]
            start = self.draw.integers(0, self.documents[-1] - (end - begin))
            start += np.where(start >= begin, end - begin, 0)
            return np.searchsorted(self.documents, start, side="right") - 1, start
        filled = np.flatnonzero(np.diff(self.documents) > 0)
        other = own.copy()
        for _ in range(_TRIES):
            same = np.flatnonzero(other == own)
            other[same] = filled[self.draw.integers(0, len(filled), len(same))]
        begin, end = self.documents[other], self.documents[other + 1]
        return other, self.draw.integers(begin, end)
