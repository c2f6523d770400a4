"""What one sequence of pre-training is made of: ranges of a corpus's tokens, for a whole epoch.

The pairs of an epoch are a function of the corpus's offsets, the settings, the seed and the epoch.
They come in the order of the corpus; shuffling is the training's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, overload

import numpy as np
from numpy.typing import NDArray

from kbert.errors import DataError, SettingsError
from kbert.pretraining.chunks import Chunker, Chunks, Numbers
from kbert.pretraining.relations import RELATIONS
from kbert.pretraining.types import Pair, generator

_PURPOSE: Final = 0x9A125  # keeps these draws apart from others with the same seed
_BLOCK: Final = 1 << 15  # documents that are worked on together; bounds the memory


@dataclass(frozen=True, eq=False)
class Pairs(Sequence[Pair]):
    """Pairs as arrays: half-open token ranges `a` and `b` (N, 2), `label` (N,), all int64.

    Where there is one segment alone, `b` is empty and the label `NO_RELATION`. `dropped` counts
    the tokens that were left out because they did not fit.
    """

    a: Numbers
    b: Numbers
    label: Numbers
    dropped: int

    def __len__(self) -> int:
        """Count the pairs."""
        return len(self.a)

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> list[Pair]: ...
    def __getitem__(self, index: int | slice) -> Pair | list[Pair]:
        """Return pair `index`."""
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        (first, last), (begin, end) = self.a[index].tolist(), self.b[index].tolist()
        second = (begin, end) if end > begin else None
        return Pair((first, last), second, int(self.label[index]))

    def take(self, numbers: Sequence[int] | Numbers) -> Pairs:
        """Return the pairs with these numbers, in this order; `dropped` is the same."""
        chosen = np.asarray(numbers, dtype=np.int64)
        return Pairs(self.a[chosen], self.b[chosen], self.label[chosen], self.dropped)

    @property
    def cut_share(self) -> float:
        """Return the share of the tokens drawn that did not fit, 0 to 1."""
        kept = sum(int((part[:, 1] - part[:, 0]).sum()) for part in (self.a, self.b))
        return self.dropped / max(1, kept + self.dropped)

    @property
    def lengths(self) -> Numbers:
        """Return the length of each sequence (N,), with `[CLS]` and the `[SEP]` after a segment."""
        first, second = (part[:, 1] - part[:, 0] for part in (self.a, self.b))
        lengths: Numbers = first + second + 2 + (second > 0)
        return lengths


def draw_pairs(
    *,
    sentences: NDArray[np.int64],
    documents: NDArray[np.int64],
    relation: str,
    max_length: int,
    seed: int,
    epoch: int,
    short_probability: float = 0.1,
    google_quirks: bool = False,
) -> Pairs:
    """Draw the pairs of an epoch; each sentence stands in one pair, but for those drawn as random.

    Chunks of sentences as long as a sequence are split in two at random and related as `relation`
    says (`nsp`, `sop`, `nsp3`). With `short_probability` a chunk is to be shorter, 2 tokens or
    more. Where google-research/bert (for `sop`: google-research/albert) does otherwise, and
    `google_quirks` does as it does:

    - The target length is drawn for each chunk; there, once for a document.
    - A chunk has two sentences if the document has two left; there, one sentence as long as the
      target makes a chunk, and so is always followed by a random one. What is left over is a
      document's last sentence: for `sop` it stands alone; there, it is followed by another
      document and counted as swapped.
    - The random sentences are of another document, and each of its sentences is as likely to be
      the first as any of the corpus; there, documents are drawn alike, long or short, and after
      ten draws of the own one it is taken.
    - What is too long loses tokens at the far ends, so that segments that touch in the text do so
      in the pair; there, each token goes from the front or the back by the toss of a coin.

    Args:
        sentences: (S + 1,) token offsets, strictly ascending: no sentence is empty.
        documents: (D + 1,) sentence offsets.
        relation: a name of `RELATIONS`.
        max_length: tokens of a sequence, with `[CLS]` and two `[SEP]`.
        seed: below 2**64.
        epoch: counts from 0; for pairs that return every d epochs give its remainder.
        short_probability: the share of chunks that may be short.
        google_quirks: see above.

    Raises:
        SettingsError: an unknown relation, or a value that cannot be used.
        DataError: the relation needs another document, and the corpus has one.
    """
    _check(relation, max_length, short_probability)
    offsets, edges = np.asarray(sentences), np.asarray(documents)
    ways = RELATIONS[relation].ways
    if "random" in ways and not google_quirks and np.count_nonzero(np.diff(edges)) < 2:
        raise DataError(
            f"relation {relation!r} draws from another document, and the corpus has not two: "
            "put blank lines between documents, or choose sop or none"
        )
    parts = []
    for number, begin in enumerate(range(0, len(edges) - 1, _BLOCK)):
        draw = generator(seed=seed ^ _PURPOSE, epoch=epoch, index=number)
        chunks = Chunker(
            sentences=offsets,
            documents=edges,
            relation=RELATIONS[relation],
            budget=max_length - 3,
            short_probability=short_probability,
            google_quirks=google_quirks,
            draw=draw,
        ).chunks(begin, min(begin + _BLOCK, len(edges) - 1))
        a, b = _segments(chunks, offsets, swapped=_swapped(chunks, ways))
        coins = draw if google_quirks else None
        parts.append(_cut(a, b, label=chunks.label, max_length=max_length, draw=coins))
    return _join(parts)


def _check(relation: str, max_length: int, short_probability: float) -> None:
    """Raise `SettingsError` for what `draw_pairs` cannot use."""
    if relation not in RELATIONS:
        raise SettingsError(f"sentence relation {relation!r}: say {', '.join(RELATIONS)}, or none")
    if max_length < 5:
        raise SettingsError(f"sequences of {max_length} tokens have no room: give at least 5")
    if not 0 <= short_probability <= 1:
        raise SettingsError(f"short_probability is {short_probability}: give a number from 0 to 1")


def _join(parts: Sequence[Pairs]) -> Pairs:
    """Put the pairs of the blocks one after the other."""
    none = np.zeros((0, 2), dtype=np.int64)
    return Pairs(
        a=np.concatenate([none, *(part.a for part in parts)]),
        b=np.concatenate([none, *(part.b for part in parts)]),
        label=np.concatenate([none[:, 0], *(part.label for part in parts)]),
        dropped=sum(part.dropped for part in parts),
    )


def _swapped(chunks: Chunks, ways: Sequence[str]) -> NDArray[np.bool_]:
    """Say which chunks show their second half first."""
    label = ways.index("previous") if "previous" in ways else len(ways)
    return np.equal(chunks.label, label) & (chunks.last > chunks.middle)


def _segments(
    chunks: Chunks, sentences: Numbers, *, swapped: NDArray[np.bool_]
) -> tuple[Numbers, Numbers]:
    """Return the token ranges of both segments (N, 2), as long as they are."""
    stranger = chunks.random_last > chunks.random_first
    first = np.stack([chunks.first, chunks.middle], axis=1)
    rest = np.stack([chunks.middle, chunks.last], axis=1)
    drawn = np.stack([chunks.random_first, chunks.random_last], axis=1)
    second = np.where(stranger[:, None], drawn, rest)
    a = np.where(swapped[:, None], second, first)
    b = np.where(swapped[:, None], first, second)
    return sentences[a], sentences[b]


def _cut(
    a: Numbers,
    b: Numbers,
    *,
    label: Numbers,
    max_length: int,
    draw: np.random.Generator | None,
) -> Pairs:
    """Shorten the longer segment, the second of two alike, until both fit; see `draw_pairs`."""
    before = [part[:, 1] - part[:, 0] for part in (a, b)]
    budget = max_length - 2 - (before[1] > 0)
    half = budget // 2
    room_a = np.maximum(budget - before[1], budget - half)
    room_b = np.maximum(budget - before[0], half)
    after = [np.minimum(before[0], room_a), np.minimum(before[1], room_b)]
    lost = [was - now for was, now in zip(before, after, strict=True)]
    if draw is None:
        front_a, front_b = lost[0], np.zeros_like(lost[1])
    else:
        front_a, front_b = (draw.binomial(each, 0.5) for each in lost)
    cut_a = np.stack([a[:, 0] + front_a, a[:, 0] + front_a + after[0]], axis=1)
    cut_b = np.stack([b[:, 0] + front_b, b[:, 0] + front_b + after[1]], axis=1)
    cut_b[after[1] == 0] = 0
    return Pairs(cut_a, cut_b, label, int(sum(each.sum() for each in lost)))
