"""Where a graph's entities are named in a corpus, and the facts they carry: arrays on disk, mapped.

Every sentence is linked by itself, once, before the training (`kbert.pretraining.linking`). A place
of the corpus is then counted with the facts before it: a token that is number t of the corpus, and
comes after facts of f tokens, has the place t + f. Whoever cuts a corpus into sequences by places
leaves room for the facts, and no more. Without facts places are tokens. M mentions carry facts.

    counts.json    what was found                 sentences      (S + 1,) place of each sentence
    firsts         (M,) place of a mention        begins, ends   (M,) places of its facts
    stops          (M,) token after a mention     chosen         (M,) its list of facts
    lists, facts   lists of facts, by number      pieces, ids    the pieces of each fact
    relations      how many of them are the relation's
    units          (T,) 1 where an entity begins, or a word outside of entities; if asked for
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from graphs.compiled.folder import open_map
from graphs.errors import GraphError
from kbert.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

COUNTS: Final = "counts.json"
DTYPES: Final = {
    "sentences": "<i8",
    "firsts": "<i8",
    "begins": "<i8",
    "ends": "<i8",
    "stops": "<i8",
    "chosen": "<i4",
    "lists": "<i8",
    "facts": "<i4",
    "pieces": "<i8",
    "ids": "<i4",
    "relations": "<i4",
    "units": "|u1",
}


class LinkCounts(NamedTuple):
    """What linking found: mentions of entities, and the facts that fit and did not.

    `fact_tokens` are those of the facts, over all mentions. `named` are the names that are units of
    masking, with facts or without; it is 0 unless entities are the units.
    """

    mentions: int
    facts: int
    fact_tokens: int
    omitted: int
    named: int = 0


class SaidFact(NamedTuple):
    """A fact as pieces, of which the first `relation` are the relation's; `number` tells facts."""

    number: int
    ids: list[int]
    relation: int


class Placed(NamedTuple):
    """A mention with facts: corpus tokens `start:stop`, and its facts."""

    start: int
    stop: int
    facts: list[SaidFact]


@dataclass(frozen=True, eq=False, kw_only=True)
class Links:
    """A linked corpus; `open` maps it, and it pickles as its path. `units` is None if not asked."""

    path: Path
    counts: LinkCounts
    sentences: NDArray[np.int64]
    firsts: NDArray[np.int64]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    stops: NDArray[np.int64]
    chosen: NDArray[np.int32]
    lists: NDArray[np.int64]
    facts: NDArray[np.int32]
    pieces: NDArray[np.int64]
    ids: NDArray[np.int32]
    relations: NDArray[np.int32]
    units: NDArray[np.bool_] | None

    @classmethod
    def open(cls, path: Path) -> Links:
        """Map what `linking.link` wrote to `path`. Raises `RunError` if it is not there."""
        try:
            counts = LinkCounts(**json.loads((path / COUNTS).read_bytes()))
            arrays = {name: _map(path / name, DTYPES[name]) for name in DTYPES}
        except (OSError, GraphError) as error:
            raise RunError(f"{path}: the linked corpus is gone: {error}") from None
        units = arrays.pop("units")
        return cls(
            path=path, counts=counts, units=units.view(np.bool_) if len(units) else None, **arrays
        )

    def __reduce__(self) -> tuple[Callable[[], Links], tuple[()]]:
        """Pickle as the path: workers map the same files."""
        return functools.partial(Links.open, self.path), ()

    def tokens(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the first token of the corpus that does not stand before each of `places`."""
        if not len(self.begins):
            return places
        mention = np.searchsorted(self.begins, places, side="right") - 1
        last = np.maximum(mention, 0)
        stop = self.stops[last]
        before = self.ends[last] - stop  # tokens of facts up to the end of this mention's
        return np.where(mention < 0, places, np.maximum(stop, places - before))

    def within(self, ranges: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the half-open range of mentions (N, 2) that `ranges` of places hold whole.

        That is with all of their facts: a mention whose facts are cut carries none.
        """
        first = np.searchsorted(self.firsts, ranges[:, 0], side="left")
        last = np.searchsorted(self.ends, ranges[:, 1], side="right")
        return np.stack([first, np.maximum(first, last)], axis=1)

    def mention(self, number: int) -> Placed:
        """Read a mention."""
        stop = self.stops.item(number)
        start = stop - (self.begins.item(number) - self.firsts.item(number))
        chosen = self.chosen.item(number)
        begin, end = self.lists[chosen : chosen + 2].tolist()
        return Placed(start, stop, [self._fact(fact) for fact in self.facts[begin:end].tolist()])

    def _fact(self, number: int) -> SaidFact:
        begin, end = self.pieces[number : number + 2].tolist()
        return SaidFact(number, self.ids[begin:end].tolist(), self.relations.item(number))


def _map(file: Path, dtype: str) -> NDArray[Any]:
    data: Any = open_map(file) if file.stat().st_size else b""
    return np.frombuffer(data, dtype=dtype)
