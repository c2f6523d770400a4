"""Cut a micro-batch in two, by rows, where a device runs out of memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from itertools import pairwise
from typing import TypeVar

from kbert.pretraining.rows import MicroBatch
from kbert.pretraining.targets import OBJECTIVES, Labelled, SpanTargets, Targets

Part = TypeVar("Part", Labelled, SpanTargets)
_PLACES = ("places", "left", "right")  # what counts tokens of the whole batch, laid end to end


def halves(part: MicroBatch) -> Sequence[MicroBatch]:
    """Return the first and the last rows; one row is returned as it is.

    The targets of the halves together are those of the whole, at the places of their rows.
    """
    count, length = part.inputs.token_ids.shape
    if count == 1:
        return [part]
    return [
        replace(
            part,
            inputs=part.inputs.rows(start, stop),
            targets=_targets(part.targets, start * length, stop * length),
            slots=(stop - start) * length,
        )
        for start, stop in pairwise((0, count // 2, count))
    ]


def _targets(targets: Targets, first: int, end: int) -> Targets:
    """Keep what stands at places from `first` to before `end`, counted from there."""
    given = {name: getattr(targets, name) for name in OBJECTIVES}
    return Targets(
        **{name: None if own is None else _cut(own, first, end) for name, own in given.items()}
    )


def _cut(own: Part, first: int, end: int) -> Part:
    named = own.places if isinstance(own, Labelled) else own.left
    inside = (named >= first) & (named < end)
    values = {field.name: getattr(own, field.name)[inside] for field in fields(own)}
    moved = {name: value - first if name in _PLACES else value for name, value in values.items()}
    return type(own)(**moved)
