"""Triples as inputs of the encoder, by index arithmetic on tables of pieces.

A triple reads `[CLS] head [SEP] relation [SEP] tail [SEP]` with segments 0, 1 and 0; a pair, of
which the relation is asked for, `[CLS] head [SEP] tail [SEP]` with segments 0 and 1 (Yao et al.
2019, figures 1 and 2, and yao8839836/kg-bert). How much of each part is kept is decided in
`kgbert.truncation`. Nothing here loops over triples, and the same lines run on numpy arrays and,
after `Sequences.to`, on a device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from kbert.errors import SettingsError
from kgbert.pieces import Pieces
from kgbert.truncation import truncate, truncate_original

if TYPE_CHECKING:
    import torch

Form = Literal["triple", "pair"]
Truncation = Literal["longest", "original"]

COLUMNS: Final[dict[Form, tuple[int, ...]]] = {"triple": (0, 1, 2), "pair": (0, 2)}
_RULES: Final[dict[Truncation, Callable[..., Any]]] = {
    "longest": truncate,
    "original": truncate_original,
}


class Assembled(NamedTuple):
    """Inputs of one length: token ids and segments, both int64 (B, L)."""

    token_ids: Any
    segments: Any


@dataclass(frozen=True, eq=False)
class Sequences:
    """Turn triples (n, 3) of entity, relation and entity numbers into inputs.

    Made by `Sequences.build`. Triples are numpy arrays, or after `to` tensors of that device.
    """

    form: Form
    max_length: int
    truncation: Truncation
    cls_id: int
    sep_id: int
    token_ids: Any  # (T,) entities' pieces, then relations'
    starts: tuple[Any, Any]  # (E,) and (R,), places in `token_ids`
    lengths_of: tuple[Any, Any]  # (E,) and (R,)
    distinct: tuple[Any, Any]  # (E,) and (R,), as in `Pieces`
    distinct_counts: tuple[int, int]
    xp: Any = np

    @classmethod
    def build(
        cls,
        *,
        entities: Pieces,
        relations: Pieces,
        max_length: int,
        cls_id: int,
        sep_id: int,
        form: Form = "triple",
        truncation: Truncation = "longest",
    ) -> Sequences:
        """Lay the tables of entities and relations side by side.

        A pair reads nothing of `relations`, which may be empty then. Raises `SettingsError` for a
        `max_length` without room for one piece of each part, and for the original's truncation of
        pairs: there it is ours.
        """
        least = 2 * len(COLUMNS[form]) + 1
        if max_length < least:
            raise SettingsError(f"max_length is {max_length}; a {form} needs at least {least}")
        if form == "pair" and truncation == "original":
            raise SettingsError("the original's truncation of pairs is 'longest'; ask for that")
        return cls(
            form=form,
            max_length=max_length,
            truncation=truncation,
            cls_id=cls_id,
            sep_id=sep_id,
            token_ids=np.concatenate([entities.token_ids, relations.token_ids, [0]]).astype("i4"),
            starts=(entities.starts, relations.starts + len(entities.token_ids)),
            lengths_of=(entities.lengths, relations.lengths),
            distinct=(entities.distinct, relations.distinct),
            distinct_counts=(entities.distinct_count, relations.distinct_count),
        )

    @staticmethod
    def room_for(*, max_length: int, form: Form = "triple") -> int:
        """Return how many pieces an input has room for beside its special tokens."""
        return max_length - len(COLUMNS[form]) - 1

    @property
    def room(self) -> int:
        """Return how many pieces an input has room for beside its special tokens."""
        return self.room_for(max_length=self.max_length, form=self.form)

    def to(self, device: str | torch.device) -> Sequences:
        """Return the same as tensors on `device`."""
        import torch

        def move(array: Any) -> Any:
            return torch.as_tensor(array, device=device)

        def both(tables: tuple[Any, Any]) -> tuple[Any, Any]:
            return move(tables[0]), move(tables[1])

        return replace(
            self,
            token_ids=move(self.token_ids),
            starts=both(self.starts),
            lengths_of=both(self.lengths_of),
            distinct=both(self.distinct),
            xp=torch,
        )

    def kept(self, triples: Any) -> Any:
        """Return how many pieces each part keeps: (n, 3), or (n, 2) for pairs."""
        lengths = self._looked_up(self.lengths_of, triples)
        return _RULES[self.truncation](lengths, room=self.room, xp=self.xp)

    def lengths(self, triples: Any) -> Any:
        """Return the length (n,) of each input, special tokens counted."""
        return self.kept(triples).sum(-1) + len(COLUMNS[self.form]) + 1

    def identities(self, triples: Any) -> Any:
        """Return a number (n,) for each input, equal for two if all their texts are equal."""
        entities, relations = self.distinct_counts
        parts = self._long(self._looked_up(self.distinct, triples))
        if self.form == "pair":
            return parts[..., 0] * entities + parts[..., 1]
        return (parts[..., 0] * relations + parts[..., 1]) * entities + parts[..., 2]

    def assemble(self, triples: Any) -> Assembled:
        """Return the inputs of triples (B, 3) that all have one length, L.

        Raises `ValueError` where they have several lengths, or there are none.
        """
        xp, kept = self.xp, self.kept(triples)
        seps = (kept + 1).cumsum(-1)  # (B, K): where each part's [SEP] stands, after [CLS] at 0
        ends = seps[..., -1]
        length = int(ends[0]) + 1 if len(ends) else 0
        if not length or not bool((ends == length - 1).all()):
            raise ValueError("assemble takes triples of one length; group them by `lengths`")
        places = xp.arange(length) if xp is np else xp.arange(length, device=kept.device)
        # Piece j of a part that begins at place b stands at b + j: its source is its place, moved
        # by where the part starts in the table, less b. Each [SEP] passed is another part.
        moved = self._looked_up(self.starts, triples) - seps + kept
        sources = moved[:, :1] + places
        passed = places > seps[:, :1]
        special = (places == 0) | (places == seps[:, :1])
        segments = passed * 1
        for part in range(1, kept.shape[-1]):
            sources = xp.where(passed, moved[:, part : part + 1] + places, sources)
            special = special | (places == seps[:, part : part + 1])
            passed = places > seps[:, part : part + 1]
            segments = segments + passed
        tokens = self.token_ids[xp.where(special, len(self.token_ids) - 1, sources)]
        tokens = xp.where(special, xp.where(places == 0, self.cls_id, self.sep_id), tokens)
        return Assembled(self._long(tokens), self._long(segments % 2))

    def _long(self, array: Any) -> Any:
        return array.astype(np.int64) if self.xp is np else array.long()

    def _looked_up(self, tables: tuple[Any, Any], triples: Any) -> Any:
        """Look each part of triples (n, 3) up in the table of its kind: (n, K)."""
        columns = [tables[column % 2][triples[:, column]] for column in COLUMNS[self.form]]
        return self.xp.stack(columns, -1)
