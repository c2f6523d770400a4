"""Where a triple stands among those with another head, relation or tail.

Filtered as in an evaluation: what is known to be true from any part of the data is left out, but
for the answer itself. Where there are more candidates than asked for, as many are drawn, the same
ones in every process; the rank is then one among them, and said to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from kgbert.explaining.layout import PARTS
from kgbert.ranks import Ranks
from kgbert.scores import sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphs.filters import FilterIndex
    from kgbert.names import Lookup
    from kgbert.text_engine import TextEngine

Watch = Callable[[Sequence[int], str], Iterable[int]]

_CHUNK: Final = 512  # candidates that are scored between two steps of a progress bar
_SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Rival:
    """A candidate: its rank from 1, id, text and probability, and whether it is the answer."""

    rank: int
    id: str
    text: str
    probability: float
    is_answer: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The rank of a triple when one `part` of it is asked for.

    `rank` is the realistic one, between `best` and `worst`, which differ by ties. It is among
    `candidates`, the answer included, of the `possible` ones; `known` true answers are left out.
    `mean` is the mean difference of the others, None if there are none.
    """

    part: str
    rank: float
    best: int
    worst: int
    candidates: int
    possible: int
    known: int
    mean: float | None
    top: tuple[Rival, ...]


def standing(
    engine: TextEngine,
    triple: NDArray[np.int64],
    *,
    part: str,
    entities: Lookup,
    relations: Lookup,
    known: FilterIndex | None,
    most: int | None,
    top: int,
    watch: Watch,
) -> Standing:
    """Rank `triple` (3,) among those that differ from it in `part`.

    `known` are true triples, left out; None leaves nothing out. At most `most` candidates are
    scored, `top` of them are returned. `watch` goes through the steps, as a progress bar does.
    """
    column = PARTS.index(part)
    lookup = relations if part == "relation" else entities
    others, left_out = _others(triple, column=column, count=len(lookup.names), known=known)
    possible = len(others) + 1
    if most is not None and len(others) > most - 1:
        draw = np.random.default_rng(_SEED).choice(others, size=max(0, most - 1), replace=False)
        others = np.sort(draw)
    numbers = np.concatenate([triple[column : column + 1], others])
    steps = range(0, len(numbers), _CHUNK)
    found = []
    for start in watch(steps, f"ranking the {part}"):
        some = numbers[start : start + _CHUNK]
        rows = np.repeat(triple[None], len(some), axis=0)
        rows[:, column] = some
        found.append(engine.scores(rows, entities=entities, relations=relations, kind="difference"))
    scores = np.concatenate(found)
    ranks = Ranks.from_counts(
        better=np.array([(scores[1:] > scores[0]).sum()]),
        equal=np.array([(scores[1:] == scores[0]).sum()]),
        others=np.array([len(others)]),
    )
    return Standing(
        part=part,
        rank=ranks.realistic.item(),
        best=ranks.optimistic.item(),
        worst=ranks.pessimistic.item(),
        candidates=len(numbers),
        possible=possible,
        known=left_out,
        mean=float(scores[1:].mean()) if len(others) else None,
        top=_top(numbers, scores, lookup=lookup, count=top),
    )


def _others(
    triple: NDArray[np.int64], *, column: int, count: int, known: FilterIndex | None
) -> tuple[NDArray[np.int64], int]:
    """Return the wrong candidates, and how many were left out as true."""
    wrong = np.ones(count, dtype=np.bool_)
    if known is not None:
        head, relation, tail = triple.tolist()
        answers = (
            known.heads(relation, tail),
            known.relations(head, tail),
            known.tails(head, relation),
        )[column]
        wrong[answers] = False
    own = triple[column].item()
    left_out = count - int(wrong.sum())
    if own < count:
        left_out -= not wrong[own]
        wrong[own] = False
    return np.flatnonzero(wrong), left_out


def _top(
    numbers: NDArray[np.int64], scores: NDArray[np.float64], *, lookup: Lookup, count: int
) -> tuple[Rival, ...]:
    """Return the best candidates, equal ones in order of numbers; equal ones share a rank."""
    order = np.lexsort((numbers, -scores))[:count]
    ascending = np.sort(scores)
    ranks = 1 + len(scores) - np.searchsorted(ascending, scores[order], side="right")
    texts, ids = lookup.texts(numbers[order]), lookup.names.ids
    return tuple(
        Rival(rank, ids[number] if number < len(ids) else text, text, probability, place == 0)
        for rank, number, text, probability, place in zip(
            ranks.tolist(), numbers[order].tolist(), texts, sigmoid(scores[order]).tolist(),
            order.tolist(), strict=True,
        )
    )  # fmt: skip
