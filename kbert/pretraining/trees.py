"""Sequences of a linked corpus become sentence trees, and it is said what of them may be masked.

The tree is `SentenceTree`'s; only the order of the tokens is another: the facts come after the text
here. Attention does not know of order, since soft positions and visibility are each token's own.
And so the text is masked exactly as it is without a graph.

`trunk` masks the text and leaves the facts to be read. `tails` masks whole tails of facts, in
random order, and nothing else; relation, mention and text are there to tell them from, so the
encoder learns the graph. A sequence without facts has its text masked. `both` treats tails as more
units of the text. For the budget of `tails` and `both` the tokens of text and tails count.

Where tails are masked, no two facts of a sequence read alike: the second would tell what is masked
of the first. That a tail also stands in the text is left as it is: there it is a word in context,
as it will be when the model is used, and it may be masked as any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs import Fact
from kbert.pretraining import streams
from kbert.pretraining.links import Links, SaidFact
from kbert.pretraining.types import Seen, Sequences
from kbert.pretraining.units import COUNTED, PADDING, SPECIAL
from kbert.tree import NOWHERE, Anchor, SentenceTree, Trunk

Where = Literal["trunk", "tails", "both"]

_UNSAID: Final = Fact("", "")  # a branch is its pieces here; nobody reads its words
_TAILS: Final = 1 << 20  # units of tails are numbered from here on, above those of any text
_DROPOUT: Final = 0xFAC75  # keeps these draws apart from others with the same seed


class _Grown(NamedTuple):
    """A tree, its text first: `array` as of `SentenceTree.array`, `groups` of the facts alone."""

    array: NDArray[np.int32]
    groups: NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Trees:
    """Adds facts to sequences. Of each fact of a sequence `dropout` is the chance to be left out.

    What is left out is a function of seed, epoch and the sequence's number in it; with
    `dupe_factor` it returns as masks do.
    """

    links: Links
    where: Where
    dropout: float
    seed: int
    dupe_factor: int | None

    def grow(
        self,
        plain: Sequences,
        a: NDArray[np.int64],
        b: NDArray[np.int64],
        *,
        indices: NDArray[np.int64],
        epoch: int,
    ) -> Sequences:
        """Return sequences with the facts of `a` and `b`, which are ranges (N, 2) of places.

        `indices` (N,) are the numbers of the sequences in the epoch.
        """
        first, second = (self.links.within(part) for part in (a, b))
        rows = np.flatnonzero((first[:, 1] > first[:, 0]) | (second[:, 1] > second[:, 0]))
        if not len(rows):
            return plain
        begin_a, end_a = self.links.tokens(a).T
        begin_b = self.links.tokens(b[:, 0])
        shifts_a, shifts_b = 1 - begin_a, end_a - begin_a + 2 - begin_b
        keys = self._keys(indices[rows], epoch)
        grown = {}
        for row, key in zip(rows.tolist(), keys, strict=True):
            anchors = [
                *self._anchors(first[row], int(shifts_a[row])),
                *self._anchors(second[row], int(shifts_b[row])),
            ]
            kept = self._chosen(anchors, key)
            if kept:
                grown[row] = _tree(plain, row, kept)
        return self._joined(plain, grown) if grown else plain

    def _anchors(
        self, mentions: NDArray[np.int64], shift: int
    ) -> Iterator[tuple[int, int, list[SaidFact]]]:
        """Yield the mentions of a segment as columns of the sequence, with their facts."""
        for number in range(int(mentions[0]), int(mentions[1])):
            start, stop, facts = self.links.mention(number)
            yield start + shift, stop + shift, facts

    def _chosen(
        self, anchors: list[tuple[int, int, list[SaidFact]]], key: np.uint64
    ) -> list[tuple[int, int, list[SaidFact]]]:
        """Leave out facts at random and, where tails are masked, those that read like another."""
        if not self.dropout and self.where == "trunk":
            return anchors
        count = sum(len(facts) for _, _, facts in anchors)
        words = streams.words(np.full(count, key), np.arange(count))
        stays = iter((streams.uniforms(words) >= self.dropout).tolist())
        told: set[int] = set()
        kept = []
        for start, stop, facts in anchors:
            own = []
            for fact, stay in zip(facts, stays, strict=False):
                if stay and not (self.where != "trunk" and fact.number in told):
                    told.add(fact.number)
                    own.append(fact)
            if own:
                kept.append((start, stop, own))
        return kept

    def _keys(self, indices: NDArray[np.int64], epoch: int) -> NDArray[np.uint64]:
        drawn = epoch if self.dupe_factor is None else epoch % self.dupe_factor
        return streams.keys(seed=self.seed, epoch=drawn, indices=indices, purpose=_DROPOUT)

    def _joined(self, plain: Sequences, grown: dict[int, _Grown]) -> Sequences:
        """Put trees in the place of the sequences they have grown from."""
        sizes = plain.sizes.copy()
        for row, tree in grown.items():
            sizes[row] = tree.array.shape[1]
        height, width = len(sizes), max(plain.token_ids.shape[1], int(sizes.max()))
        wider = ((0, 0), (0, width - plain.token_ids.shape[1]))
        ids, segments = (np.pad(each, wider) for each in (plain.token_ids, plain.segments))
        groups = np.pad(plain.groups, wider, constant_values=PADDING)
        positions = np.tile(np.arange(width, dtype=np.int32), (height, 1))
        enter = np.zeros_like(ids)
        leave, trunk = enter + 1, np.ones_like(ids)
        for row, tree in grown.items():
            size, text = int(sizes[row]), int(plain.sizes[row])
            for own, each in zip((ids, positions, segments, enter, leave, trunk), tree.array,
                                 strict=True):  # fmt: skip
                own[row, :size] = each
            self._mark(groups[row], tree.groups, text=text)
        seen = Seen(positions, enter, leave, trunk.astype(np.bool_))
        return Sequences(ids, groups, segments, sizes, seen)

    def _mark(self, groups: NDArray[np.int32], facts: NDArray[np.int32], *, text: int) -> None:
        """Say in a row's `groups` (L,), which has those of its text, what may be masked."""
        if self.where == "trunk":
            facts = np.full_like(facts, PADDING)  # nor counted
        groups[text : text + len(facts)] = facts
        if self.where == "tails" and (facts >= 0).any():
            groups[:text][groups[:text] >= 0] = COUNTED


def _tree(plain: Sequences, row: int, anchors: list[tuple[int, int, list[SaidFact]]]) -> _Grown:
    """Build the tree of a sequence and put its facts behind its text."""
    size = int(plain.sizes[row])
    nowhere = [NOWHERE] * size
    ids, segments = (each[row, :size].tolist() for each in (plain.token_ids, plain.segments))
    tree = SentenceTree.build(
        Trunk(ids, segments, nowhere, nowhere),
        [
            Anchor("", start, stop, [(_UNSAID, fact.ids) for fact in facts])
            for start, stop, facts in anchors
        ],
    )
    array = tree.array()
    of_trunk = array[5] != 0
    groups = [
        np.repeat([SPECIAL, _TAILS + number], [fact.relation, len(fact.ids) - fact.relation])
        for number, fact in enumerate(fact for _, _, facts in anchors for fact in facts)
    ]
    ordered = np.concatenate([array[:, of_trunk], array[:, ~of_trunk]], axis=1)
    return _Grown(ordered, np.concatenate(groups).astype(np.int32))
