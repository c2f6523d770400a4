"""Make false triples out of true ones: another head, or another tail, in a known triple's place.

`method` says which entities are drawn, and on which side:

* `uniform`: any entity, all equally likely, as KG-BERT does (yao8839836/kg-bert).
* `bernoulli`: as uniform, but the side is drawn for each relation: the head is replaced with
  probability tph / (tph + hpt), of tails per head and heads per tail (Wang et al. 2014, TransH,
  section 3.2), so that a relation with many tails per head has fewer false negatives.
* `typed`: only entities that stand on that side of the relation somewhere in the triples (Krompaß
  et al. 2015, Type-Constrained Representation Learning, the local closed-world assumption). Where
  none of these is left, it is any entity; `NegativeSampler.untyped` counts the triples.

`sides` says where: `head` or `tail` alone; `both`, in turn from a side that is drawn for each
positive (by `bernoulli`: drawn for each negative); `one`, all negatives of a positive on one side,
as KG-BERT does for link prediction.

Each entity that leads to no known triple is equally likely, exactly: nothing is drawn again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from graphs.errors import suggestion
from graphs.filters import FilterIndex
from kbert.errors import DataError, SettingsError
from kgbert.candidates import Candidates, Pools
from kgbert.candidates import Side as End
from kgbert.draws import below, hashed, uniform

Method = Literal["uniform", "bernoulli", "typed"]
Sides = Literal["both", "one", "head", "tail"]

_ENDS: Final[tuple[End, End]] = ("head", "tail")
_SIDE, _ENTITY = 1, 2  # what a draw is for


class NegativeSampler:
    """Draw negatives of n positives, each a function of (seed, epoch, index) alone."""

    def __init__(
        self,
        triples: NDArray[np.integer],
        *,
        entities: int,
        relations: int,
        per_positive: int,
        method: Method = "uniform",
        sides: Sides = "both",
        known: FilterIndex | None = None,
        seed: int = 0,
    ) -> None:
        """Take the positives (n, 3: head, relation, tail) and what is `known` to be true.

        `known` is commonly a filter of the training triples, so that nothing is learnt of what is
        held out; without it only the positive itself is avoided. Of a side on which nothing can be
        drawn for a positive, `both` and `one` take the other.

        Raises `SettingsError` for settings that do not go together, and `DataError` where there is
        a positive of which no negative can be made.
        """
        _check(method=method, sides=sides, per_positive=per_positive)
        self._triples = np.asarray(triples, dtype=np.int64).reshape(-1, 3)
        self._per_positive, self._method, self._sides, self._seed = (
            per_positive, method, sides, seed,
        )  # fmt: skip
        self._any = self._candidates((None, None), entities=entities, known=known)
        self._typed: list[Candidates] = []
        if method == "typed":
            sizes = {"entities": entities, "relations": relations}
            pools = [Pools.of(self._triples, side=end, **sizes) for end in _ENDS]
            self._typed = self._candidates(pools, entities=entities, known=known)
        self._open = np.stack([each.counts > 0 for each in self._any])  # (2, n)
        self._check_open(known is not None)
        self._head_share = _head_shares(self._triples, relations=relations)

    @property
    def untyped(self) -> dict[str, int]:
        """Count the positives for which `typed` has to draw from all entities, by side."""
        counts = [int((each.counts <= 0).sum()) for each in self._typed]
        return dict(zip(_ENDS, counts or (0, 0), strict=True))

    def __len__(self) -> int:
        """Return the number of positives."""
        return len(self._triples)

    def sample(self, epoch: int, indices: NDArray[np.integer]) -> NDArray[np.int32]:
        """Return the negatives (B, per_positive, 3) of the positives `indices` (B,) in `epoch`."""
        positives = np.asarray(indices, dtype=np.int64)
        is_head = self._replaces_head(epoch, positives)
        slots = np.arange(self._per_positive)
        bits = hashed(self._seed, epoch, _ENTITY, positives[:, None], slots[None, :])
        rows = np.broadcast_to(positives[:, None], is_head.shape)
        made = np.repeat(self._triples[positives][:, None], self._per_positive, axis=1)
        for number, place in ((0, is_head), (1, ~is_head)):
            made[..., 2 * number][place] = self._drawn(rows[place], bits[place], end=number)
        return made.astype(np.int32)

    def _drawn(
        self, rows: NDArray[np.int64], bits: NDArray[np.uint64], *, end: int
    ) -> NDArray[np.int64]:
        """Return another head (end 0) or tail (end 1) for each of the positives `rows` (m,)."""
        source = self._typed[end] if self._typed else self._any[end]
        counts = source.counts[rows]
        if (counts > 0).all():
            return source.nth(rows, below(bits, counts))
        drawn = np.empty(len(rows), dtype=np.int64)
        for chosen, which in ((source, counts > 0), (self._any[end], counts <= 0)):
            some = rows[which]
            drawn[which] = chosen.nth(some, below(bits[which], chosen.counts[some]))
        return drawn

    def _replaces_head(self, epoch: int, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say of each negative (B, per_positive) whether it is the head that is replaced."""
        shape = len(indices), self._per_positive
        if self._sides in _ENDS:
            return np.full(shape, self._sides == "head")
        slots = np.arange(self._per_positive)[None, :]
        each = self._method == "bernoulli" and self._sides == "both"
        bits = hashed(self._seed, epoch, _SIDE, indices[:, None], slots if each else 0 * slots)
        share = self._head_share[self._triples[indices, 1]] if self._method == "bernoulli" else 0.5
        chosen = uniform(bits) < np.reshape(share, (-1, 1))
        if self._sides == "both" and not each:
            chosen = chosen ^ (slots % 2 == 1)
        head_open, tail_open = self._open[:, indices, None]
        replaced: NDArray[np.bool_] = (chosen & head_open) | ~tail_open
        return replaced

    def _candidates(
        self, pools: Sequence[Pools | None], *, entities: int, known: FilterIndex | None
    ) -> list[Candidates]:
        """Look up what may stand in the head's place, and in the tail's."""
        return [
            Candidates(self._triples, side=end, entities=entities, known=known, pools=each)
            for end, each in zip(_ENDS, pools, strict=True)
        ]

    def _check_open(self, filtered: bool) -> None:
        """Refuse positives of which nothing can be made. Raises `DataError`."""
        wanted = [_ENDS.index(self._sides)] if self._sides in _ENDS else [0, 1]
        closed = np.flatnonzero(~self._open[wanted].any(axis=0))
        if not len(closed):
            return
        first, what = closed.item(0), " or ".join(_ENDS[end] for end in wanted)
        cure = "filter by fewer triples" if filtered else "there are too few entities"
        raise DataError(
            f"{len(closed)} of {len(self)} triples have no negative: whatever entity is the"
            f" {what} of triple {first} {tuple(self._triples[first].tolist())}, it is known to be"
            f" true; {cure}"
        )


def _check(*, method: str, sides: str, per_positive: int) -> None:
    for name, value, known in (("method", method, Method), ("sides", sides, Sides)):
        if value not in get_args(known):
            names = get_args(known)
            raise SettingsError(
                f"{name} is {value!r}; known are {', '.join(names)}{suggestion(value, names)}"
            )
    if method == "bernoulli" and sides in _ENDS:
        raise SettingsError(
            f"method 'bernoulli' draws the side, so sides cannot be {sides!r}; take 'both' or 'one'"
        )
    if per_positive < 1:
        raise SettingsError(f"per_positive is {per_positive}; it must be at least 1")


def _head_shares(triples: NDArray[np.int64], *, relations: int) -> NDArray[np.float64]:
    """Return tph / (tph + hpt) of each relation (R,), counting equal triples once."""
    distinct = np.unique(triples, axis=0)
    counts = np.bincount(distinct[:, 1], minlength=relations)
    heads, tails = (
        np.bincount(np.unique(distinct[:, [1, column]], axis=0)[:, 0], minlength=relations)
        for column in (0, 2)
    )
    # tph is counts / heads, hpt is counts / tails; the counts cancel.
    return np.where(counts > 0, tails / np.maximum(heads + tails, 1), 0.5)
