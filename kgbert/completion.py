"""What completes a triple: its missing head, relation or tail, and the relation of a pair.

Candidates are ordered by the difference of logits, those of equal scores as they were given; a
candidate's rank is one more than the number of better ones, so equal ones share it. The score that
is shown is a probability.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kbert.errors import DataError, RunError, SettingsError
from kgbert.dataset import PARTS, KnowledgeData
from kgbert.inputs import PAIR, TRIPLE, read_rows
from kgbert.names import SKIPPED, Lookup, OnUnknown
from kgbert.scores import sigmoid
from kgbert.text_files import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kgbert.names import Names
    from kgbert.scorer import TripleScorer

_CHUNK: Final = 1 << 20  # triples that are scored in one call


@dataclass(frozen=True, slots=True)
class Completion:
    """One candidate: its rank from 1, id (of something new its text), text, and probability."""

    rank: int
    id: str
    text: str
    score: float


@dataclass(frozen=True, eq=False)
class _Tables:
    """What numbers mean in one call."""

    entities: Lookup
    relations: Lookup

    def of(self, column: int) -> Lookup:
        return self.relations if column == 1 else self.entities


def complete(
    scorer: TripleScorer,
    parts: Mapping[str, Any],
    *,
    candidates: Any,
    top_k: int | None,
    known: Any,
    on_missing: OnUnknown,
) -> list[Completion]:
    """Rank candidates for the one of three `parts` that is None; see `TripleScorer.rank`."""
    missing = [name for name, part in parts.items() if part is None]
    if len(missing) != 1:
        raise SettingsError(
            f"{3 - len(missing)} parts are given; give two of head, relation and tail, and the"
            " third is ranked"
        )
    _check_top(top_k)
    column = TRIPLE.index(missing[0])
    tables = _tables(scorer, on_missing)
    row = np.array(
        [SKIPPED if part is None else tables.of(at).number(part, place=name)
         for at, (name, part) in enumerate(parts.items())]
    )  # fmt: skip
    if (row == SKIPPED).sum() > 1:
        scorer.announce("a part of the query is unknown: nothing is ranked")
        return []
    numbers = _candidates(candidates, tables.of(column))
    if known is not None:
        refuse_shared(scorer, parts)
        answers = _answers(scorer, known, row=row, column=column, tables=tables)
        numbers = numbers[~np.isin(numbers, answers)]
    if not len(numbers):
        return []
    triples = np.repeat(row[None], len(numbers), axis=0)
    triples[:, column] = numbers
    differences = _differences(scorer, triples, tables)
    return _best(numbers, differences, lookup=tables.of(column), top_k=top_k)


def relations_between(
    scorer: TripleScorer, pairs: Any, *, top_k: int | None, on_missing: OnUnknown
) -> Any:
    """Rank all relations for each pair; see `TripleScorer.predict_relation`."""
    _check_top(top_k)
    tables = _tables(scorer, on_missing)
    count = len(scorer.relations)
    if not count:
        raise SettingsError("this model has no relations; give relation_texts, by id")
    given = read_rows(pairs, entities=tables.entities, relations=tables.relations, columns=PAIR)
    found: list[list[Completion]] = [[] for _ in given.numbers]
    rows = np.flatnonzero(~given.skipped)
    step = max(1, _CHUNK // count)
    for first in range(0, len(rows), step):
        some = rows[first : first + step]
        triples = np.empty((len(some), count, 3), dtype=np.int64)
        triples[:, :, [0, 2]] = given.numbers[some][:, None]
        triples[:, :, 1] = np.arange(count)
        differences = _differences(scorer, triples.reshape(-1, 3), tables).reshape(-1, count)
        for row, own in zip(some.tolist(), differences, strict=True):
            found[row] = _best(np.arange(count), own, lookup=tables.relations, top_k=top_k)
    if given.skipped.any():
        scorer.announce(f"{given.skipped.sum():,} of {len(found):,} pairs are left out: unknown")
    return found[0] if given.alone else found


def _tables(scorer: TripleScorer, on_missing: OnUnknown) -> _Tables:
    return _Tables(
        Lookup(scorer.entities, on_missing=on_missing),
        Lookup(scorer.relations, on_missing=on_missing),
    )


def _check_top(top_k: int | None) -> None:
    whole = isinstance(top_k, int | np.integer) and not isinstance(top_k, bool)
    if top_k is not None and not (whole and top_k >= 1):
        raise SettingsError(f"top_k is {top_k!r}; give 1 or more, or None for all")


def _candidates(candidates: Any, lookup: Lookup) -> NDArray[np.int64]:
    """Number the candidates, each once, those that are skipped left out; by default all."""
    if candidates is None:
        if not len(lookup.names):
            raise SettingsError("this model has no candidates of its own; give candidates")
        return np.arange(len(lookup.names))
    if isinstance(candidates, str):
        raise DataError(f"candidates is the text {shown(candidates)}; give a list")
    if not isinstance(candidates, Iterable):
        raise DataError(f"candidates is {shown(repr(candidates))}; give a list")
    numbers = {
        lookup.number(part, place=f"candidate {at}"): None for at, part in enumerate(candidates)
    }
    numbers.pop(SKIPPED, None)
    return np.array(list(numbers), dtype=np.int64)


def refuse_shared(scorer: TripleScorer, parts: Mapping[str, Any]) -> None:
    """Refuse a text that several share: what is known of which of them? Raises `DataError`."""
    for name, part in parts.items():
        names = scorer.relations if name == "relation" else scorer.entities
        if isinstance(part, str) and len(names.called(part)) > 1:
            raise _shared(names, part, place=name)


def _shared(names: Names, part: str, *, place: str) -> DataError:
    several = names.called(part)
    ids = ", ".join(shown(names.ids[number]) for number in several[:3])
    return DataError(
        f"{place}: {shown(part)} is the text of {len(several)} of them; to leave out what is"
        f" known, give the id: {ids}{', …' if len(several) > 3 else ''}"
    )


def _answers(
    scorer: TripleScorer, known: Any, *, row: NDArray[np.int64], column: int, tables: _Tables
) -> NDArray[np.int64]:
    """Return what stands in `column` of the known triples that agree with `row` elsewhere."""
    if isinstance(known, KnowledgeData):
        _check_ids(scorer, known)
        triples = np.concatenate([known.positives(part) for part in PARTS]).astype(np.int64)
    else:
        # Something new counts only if the query, or a candidate, has the same text.
        closed = _Tables(tables.entities.closed(), tables.relations.closed())
        triples = read_rows(known, entities=closed.entities, relations=closed.relations).numbers
        _refuse_shared_answers(closed, triples, row=row, column=column)
    same = np.ones(len(triples), dtype=np.bool_)
    for other in {0, 1, 2} - {column}:
        same &= triples[:, other] == row[other]
    answers: NDArray[np.int64] = triples[same, column]
    return answers


def _refuse_shared_answers(
    closed: _Tables, triples: NDArray[np.int64], *, row: NDArray[np.int64], column: int
) -> None:
    """Refuse a known triple that may be of the query, but says by a shared text of whom it is."""
    for at in np.flatnonzero((triples < SKIPPED).any(axis=1)).tolist():
        shared = [(each, closed.of(each).meant(int(triples[at, each]))) for each in range(3)]
        apart = [
            row[each] not in closed.of(each).names.called(text)
            if text is not None
            else row[each] != triples[at, each]
            for each, text in shared
            if each != column
        ]
        if not any(apart):
            part, text = next((each, text) for each, text in shared if text is not None)
            raise _shared(closed.of(part).names, text, place=f"known triple {at}, {TRIPLE[part]}")


def _check_ids(scorer: TripleScorer, known: KnowledgeData) -> None:
    """Refuse a data set that numbers otherwise; what a scorer has besides comes after its own."""
    for ids, own in (
        (known.entities, scorer.entities.ids),
        (known.relations, scorer.relations.ids),
    ):
        if ids != own[: len(ids)]:
            raise RunError(
                f"{known.name}: is not the data of this scorer: its entities or relations are"
                " others; give its triples by id"
            )


def _differences(
    scorer: TripleScorer, triples: NDArray[np.int64], tables: _Tables
) -> NDArray[np.float64]:
    return scorer.engine.scores(
        triples, entities=tables.entities, relations=tables.relations, kind="difference"
    )


def _best(
    numbers: NDArray[np.int64],
    differences: NDArray[np.float64],
    *,
    lookup: Lookup,
    top_k: int | None,
) -> list[Completion]:
    order = np.argsort(-differences, kind="stable")[:top_k]
    ascending = np.sort(differences)
    ranks = 1 + len(ascending) - np.searchsorted(ascending, differences[order], side="right")
    chosen = numbers[order]
    texts = lookup.texts(chosen)
    known = len(lookup.names)
    return [
        Completion(rank, lookup.names.ids[number] if number < known else text, text, score)
        for rank, number, text, score in zip(
            ranks.tolist(), chosen.tolist(), texts, sigmoid(differences[order]).tolist(),
            strict=True,
        )
    ]  # fmt: skip
