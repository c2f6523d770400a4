"""The WordPiece pieces of many texts in one table: tokenised once, looked up by number.

Texts of equal pieces share one stretch of the table, so an input is known by small numbers (see
`Pieces.distinct`), and no text is ever tokenised twice.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kbert.tokenizer import Tokenizer


@dataclass(frozen=True, eq=False)
class Pieces:
    """Hold the pieces of N texts, text i being `token_ids[starts[i] : starts[i] + lengths[i]]`.

    No special token is among them. `distinct` numbers sequences of pieces in order of first
    appearance: two texts have the same number if, and only if, their pieces are the same.
    """

    token_ids: NDArray[np.int32]  # (T,)
    starts: NDArray[np.int64]  # (N,)
    lengths: NDArray[np.int32]  # (N,)
    distinct: NDArray[np.int32]  # (N,)

    @classmethod
    def from_texts(
        cls, texts: Iterable[str], *, tokenizer: Tokenizer, cap: int | None = None
    ) -> Pieces:
        """Tokenise `texts`, keeping at most the first `cap` pieces of each (None: all).

        A cap of `Sequences.room` changes no input. Raises `DataError` for a lone surrogate.
        """
        by_text: dict[str, tuple[int, ...]] = {}

        def encoded() -> Iterator[tuple[int, ...]]:
            for text in texts:
                ids = by_text.get(text)
                if ids is None:
                    ids = by_text[text] = tuple(tokenizer.encode(text).ids[:cap])
                yield ids

        return cls.from_ids(encoded())

    @classmethod
    def from_ids(cls, rows: Iterable[Sequence[int]]) -> Pieces:
        """Hold texts that are given by their pieces."""
        flat, starts, numbers = array("i"), array("q", [0]), array("i")
        by_pieces: dict[tuple[int, ...], int] = {}
        for row in rows:
            ids = tuple(row)
            number = by_pieces.setdefault(ids, len(by_pieces))
            if number == len(starts) - 1:
                flat.extend(ids)
                starts.append(len(flat))
            numbers.append(number)
        distinct = np.array(numbers, dtype=np.int32)
        bounds = np.array(starts, dtype=np.int64)
        return cls(
            token_ids=np.array(flat, dtype=np.int32),
            starts=bounds[:-1][distinct],
            lengths=np.diff(bounds).astype(np.int32)[distinct],
            distinct=distinct,
        )

    @property
    def distinct_count(self) -> int:
        """Count the different sequences of pieces."""
        return int(self.distinct.max()) + 1 if len(self.distinct) else 0

    def __len__(self) -> int:
        """Return the number of texts, N."""
        return len(self.starts)

    def __getitem__(self, number: int) -> NDArray[np.int32]:
        """Return the pieces of text `number`. Raises `IndexError`."""
        start, length = self.starts[number], self.lengths[number]
        return self.token_ids[start : start + length]
