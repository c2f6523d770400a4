"""A triple as the model reads it: its pieces, their segments, and what truncation cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from kgbert.pieces import Pieces
from kgbert.sequences import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from kgbert.text_engine import TextEngine

PARTS: Final = ("head", "relation", "tail")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPart:
    """One part of a triple as it is read.

    `ids` and `pieces` are what is kept of it, none where a network of pairs does not read the
    relation; `reach` counts the characters of `text` up to the end of the last kept piece, and
    `cut` the pieces that are not read.
    """

    name: str
    id: str
    text: str
    ids: tuple[int, ...]
    pieces: tuple[str, ...]
    reach: int
    cut: int


class Token(NamedTuple):
    """One token of the input: its piece, its segment, and the part it is of ("" if special)."""

    piece: str
    segment: int
    part: str


@dataclass(frozen=True, slots=True)
class Layout:
    """The input of a triple: its parts, and all tokens in their order; at most `max_length`."""

    parts: tuple[ReadPart, ...]
    tokens: tuple[Token, ...]
    max_length: int

    def read(self) -> tuple[ReadPart, ...]:
        """Return the parts that are read: all three, or those of a pair."""
        return tuple(part for part in self.parts if part.ids)


def lay_out(
    engine: TextEngine, *, ids: Sequence[str], texts: Sequence[str], triple: NDArray[np.int64]
) -> Layout:
    """Lay out one triple, given by the `ids` and `texts` of its head, relation and tail.

    `triple` (3,) are its numbers; the texts have pieces, which scoring has made sure of.
    """
    encodings = [engine.tokenizer.encode(text) for text in texts]
    columns = COLUMNS[engine.form]
    prepared = engine.over(
        entities=Pieces.from_ids([encodings[0].ids, encodings[2].ids]),
        relations=Pieces.from_ids([encodings[1].ids] if engine.form == "triple" else []),
        rows=np.array([[0, 0, 1]]),
    )
    kept = dict(
        zip(columns, prepared.engine.sequences.kept(prepared.rows)[0].tolist(), strict=True)
    )
    parts = []
    for column, (name, encoding) in enumerate(zip(PARTS, encodings, strict=True)):
        count = kept.get(column, 0)
        own = tuple(encoding.ids[:count])
        parts.append(
            ReadPart(
                name=name,
                id=ids[column],
                text=texts[column],
                ids=own,
                pieces=tuple(map(engine.tokenizer.piece, own)),
                reach=encoding.ends[count - 1] if count else 0,
                cut=len(encoding.ids) - count if column in columns else 0,
            )
        )
    found = prepared.engine.sequences.assemble(prepared.rows)
    owners = [""]
    for column in columns:
        owners += [PARTS[column]] * kept[column] + [""]
    tokens = tuple(
        Token(engine.tokenizer.piece(number), segment, owner)
        for number, segment, owner in zip(
            found.token_ids[0].tolist(), found.segments[0].tolist(), owners, strict=True
        )
    )
    return Layout(tuple(parts), tokens, prepared.engine.sequences.max_length)
