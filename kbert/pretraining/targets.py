"""What is to be predicted of a batch: places and labels, made from the rows of a corruption.

Made on the CPU, beside the batch; how many targets a step has is known before the model runs.
A place is an index into the batch's tokens laid end to end: row * L + column. Shapes: B batch,
L length, K predicted tokens, S sequences, P the four objectives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kbert.batch import Batch

OBJECTIVES: Final = ("masked", "boundary", "causal", "relation")
IGNORED: Final = -100
"""The label of what is not to be predicted: it has no loss and is not counted."""
BOUNDARY_POSITIONS: Final = 20
"""Places within a span that SpanBERT's boundary head knows."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labels at places. *Shapes:* both (K,) int64; no place has two labels that count."""

    places: Tensor
    labels: Tensor

    @classmethod
    def from_rows(
        cls,
        positions: Sequence[NDArray[Any]],
        labels: Sequence[NDArray[Any]],
        *,
        length: int,
    ) -> Labelled:
        """Lay the rows of a batch of `length` columns end to end.

        `positions` has one array of columns a row, `labels` one of as many labels. For relations
        they are the columns of the first tokens of a row's sequences.

        Raises:
            ValueError: a position is outside its row, or rows and labels do not agree.
        """
        sizes = _sizes(positions, labels, what="labels")
        rows = np.repeat(np.arange(len(sizes)), sizes)
        return cls.at(rows, _join(positions), _join(labels), length=length)

    @classmethod
    def at(
        cls, rows: NDArray[Any], columns: NDArray[Any], labels: NDArray[Any], *, length: int
    ) -> Labelled:
        """Put labels at columns of rows, all (K,), of a batch of `length` columns.

        Raises:
            ValueError: a column is outside its row.
        """
        _check_columns(columns, length=length)
        places = rows.astype(np.int64) * length + columns
        return cls(torch.from_numpy(places), torch.from_numpy(labels.astype(np.int64)))

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Labelled:
        """Return a copy on `device`."""
        return Labelled(**_moved(self, device, non_blocking=non_blocking))


@dataclass(frozen=True, slots=True)
class SpanTargets:
    """Tokens to be told from the boundary of their span. *Shapes:* all (K,) int64.

    `left` and `right` are the places of the tokens just outside the span, and `offsets` say which
    token of the span is meant, from 0.
    """

    left: Tensor
    right: Tensor
    offsets: Tensor
    labels: Tensor

    @classmethod
    def from_rows(
        cls,
        positions: Sequence[NDArray[Any]],
        labels: Sequence[NDArray[Any]],
        spans: Sequence[NDArray[Any]],
        *,
        length: int,
        boundary_positions: int = BOUNDARY_POSITIONS,
    ) -> SpanTargets:
        """Lay the rows of a batch of `length` columns end to end.

        `positions` and `labels` are as for `Labelled`; `spans` has an array (K, 2) a row, the
        half-open range of columns of the span of each position. Tokens further into their span
        than `boundary_positions` get no loss, as in SpanBERT, and are not counted.

        Raises:
            ValueError: a position is not in its span, a span has no token of the row on either
                side, or rows, labels and spans do not agree.
        """
        sizes = _sizes(positions, labels, what="labels")
        _sizes(positions, spans, what="spans")
        return cls.at(
            np.repeat(np.arange(len(sizes)), sizes),
            _join(positions),
            _join(labels),
            _join(spans).reshape(-1, 2),
            length=length,
            boundary_positions=boundary_positions,
        )

    @classmethod
    def at(
        cls,
        rows: NDArray[Any],
        columns: NDArray[Any],
        labels: NDArray[Any],
        spans: NDArray[Any],
        *,
        length: int,
        boundary_positions: int = BOUNDARY_POSITIONS,
    ) -> SpanTargets:
        """Put labels at columns of rows, all (K,), with their spans (K, 2); see `from_rows`."""
        flat = Labelled.at(rows, columns, labels, length=length)
        start, end = spans.astype(np.int64).T
        if ((columns < start) | (columns >= end)).any():
            raise ValueError("a position is not in its span")
        _check_columns(start - 1, length=length)
        _check_columns(end, length=length)
        offsets = columns - start
        known = offsets < boundary_positions
        return cls(
            flat.places + torch.from_numpy(start - 1 - columns),
            flat.places + torch.from_numpy(end - columns),
            torch.from_numpy(np.where(known, offsets, 0)),
            flat.labels.masked_fill(torch.from_numpy(~known), IGNORED),
        )

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> SpanTargets:
        """Return a copy on `device`."""
        return SpanTargets(**_moved(self, device, non_blocking=non_blocking))


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """All that is to be predicted of a batch; None where an objective is not pursued.

    The labels of `relation` count from 0; for nsp, 0 is the next sentence and 1 a random one, as
    in published checkpoints.
    """

    masked: Labelled | None = None
    boundary: SpanTargets | None = None
    causal: Labelled | None = None
    relation: Labelled | None = None

    def counts(self) -> Tensor:
        """Count the targets of each objective, (P,) int64 in the order of `OBJECTIVES`."""
        parts = [getattr(self, name) for name in OBJECTIVES]
        there = [part.labels for part in parts if part is not None]
        zero = torch.zeros((), dtype=torch.int64, device=there[0].device if there else None)
        return torch.stack(
            [zero if part is None else (part.labels != IGNORED).sum() for part in parts]
        )

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Targets:
        """Return a copy on `device`."""
        given = {name: getattr(self, name) for name in OBJECTIVES}
        return Targets(
            **{
                name: None if part is None else part.to(device, non_blocking=non_blocking)
                for name, part in given.items()
            }
        )


def count(targets: Sequence[Targets]) -> Tensor:
    """Count the targets of all micro-batches of a step, (P,): see `Losses.weighted`."""
    return torch.stack([each.counts() for each in targets]).sum(0)


def causal(batch: Batch, *, chosen: Tensor | None = None) -> tuple[Batch, Labelled]:
    """Return the batch under causal visibility, and the next token of every place that has one.

    Ranks are columns: each token sees itself and what comes before it in its document. As in GPT
    a sequence begins with a mark, `[CLS]`, which predicts the first token, and its end, the last
    `[SEP]`, is predicted; nothing predicts `[CLS]`, and the last token predicts nothing.

    `chosen` (B, L) bool says which tokens, whole documents of them, this is done to; the others
    keep their ranks and get no target. None chooses all.

    Raises:
        ValueError: the batch has branches, of which none is next to another.
    """
    seen = batch.visibility
    if not bool(seen.trunk.all()):
        raise ValueError("causal targets need plain rows; this batch has branches of a tree")
    columns = torch.arange(batch.token_ids.shape[1], device=seen.query_rank.device)
    ranks = columns.to(seen.query_rank.dtype).expand_as(seen.query_rank)
    has_next = torch.zeros_like(seen.trunk)
    has_next[:, :-1] = seen.document[:, :-1] == seen.document[:, 1:]
    has_next &= columns + 1 < batch.lengths[:, None]
    query, key = ranks, ranks
    if chosen is not None:
        has_next &= chosen
        query = torch.where(chosen, ranks, seen.query_rank)
        key = torch.where(chosen, ranks, seen.key_rank)
    places = has_next.flatten().nonzero().squeeze(1)
    ordered = replace(seen, query_rank=query, key_rank=key)
    labels = batch.token_ids.flatten()[places + 1]
    return replace(batch, visibility=ordered), Labelled(places, labels)


def _sizes(
    positions: Sequence[NDArray[Any]], others: Sequence[NDArray[Any]], *, what: str
) -> list[int]:
    """Count the entries of each row; there must be equally many of `what` there."""
    sizes = [len(row) for row in positions]
    if sizes != [len(row) for row in others]:
        raise ValueError(f"positions and {what} differ in number")
    return sizes


def _join(rows: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    return np.concatenate(rows).astype(np.int64)


def _check_columns(columns: NDArray[np.integer], *, length: int) -> None:
    """Refuse a column that would be one of another row."""
    wrong = columns[(columns < 0) | (columns >= length)]
    if wrong.size:
        raise ValueError(f"column {wrong[0]} is outside a row of {length} tokens")


def _moved(part: Labelled | SpanTargets, device: Any, *, non_blocking: bool) -> dict[str, Tensor]:
    return {
        field.name: getattr(part, field.name).to(device, non_blocking=non_blocking)
        for field in fields(part)
    }
