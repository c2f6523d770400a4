"""Triples in the forms in which users have them, as numbers.

One triple, or many: an iterable of triples (lists, generators, `graphs.TripleStore`, a graph of
rdflib), a data frame with columns head, relation and tail, or an array of integers (n, 3). The
parts of a triple are what `kgbert.names` knows. Pairs of entities come in the same forms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs import rdf
from graphs.errors import suggestion
from kbert.errors import DataError
from kgbert.names import SKIPPED, Lookup
from kgbert.text_files import shown

TRIPLE: Final = ("head", "relation", "tail")
PAIR: Final = ("head", "tail")


class Given(NamedTuple):
    """Rows of numbers (n, K), whether they were one row alone, and which rows are left out."""

    numbers: NDArray[np.int64]
    alone: bool
    skipped: NDArray[np.bool_]  # (n,)


def read_rows(
    given: Any,
    *,
    entities: Lookup,
    relations: Lookup,
    columns: Sequence[str] = TRIPLE,
    places: Sequence[str] | None = None,
) -> Given:
    """Number the parts of each row; `columns` are those of a triple or of a pair.

    `places` say in errors where each row comes from (default: `triple 0`, …). A row with a part
    that is left out is `skipped`, and its numbers are `SKIPPED`.

    Raises `DataError` for what is no such row, and for a part as `Lookup.number` does.
    """
    lookups = [relations if column == "relation" else entities for column in columns]
    if _is_array(given):
        return _of_array(np.asarray(given), lookups, columns=columns)
    alone = _is_one(given)
    rows = [given] if alone else _rows(given, columns=columns)
    kind = "triple" if len(columns) == len(TRIPLE) else "pair"
    found = []
    for at, row in enumerate(rows):
        place = f"{kind} {at}" if places is None else places[at]
        _check_row(row, place=place, columns=columns)
        try:
            numbered = [
                each.number(part, place=place) for each, part in zip(lookups, row, strict=True)
            ]
        except DataError as error:
            raise _with_order(error, row, entities=entities, relations=relations) from None
        found.append(numbered)
    numbers = np.array(found, dtype=np.int64).reshape(-1, len(columns))
    skipped: NDArray[np.bool_] = (numbers == SKIPPED).any(axis=1)
    numbers[skipped] = SKIPPED
    return Given(numbers, alone, skipped)


def _with_order(
    error: DataError, row: Sequence[Any], *, entities: Lookup, relations: Lookup
) -> DataError:
    """Add to an error where the relation seems to stand, if it is not in the middle."""
    if len(row) != len(TRIPLE) or not all(isinstance(part, str) for part in row):
        return error
    are_relations = [relations.names.number(str(part)) is not None for part in row]
    are_entities = [entities.names.number(str(part)) is not None for part in row]
    for place, others in ((0, (1, 2)), (2, (0, 1))):
        if are_relations[place] and all(are_entities[other] for other in others):
            where = "first" if place == 0 else "last"
            return DataError(
                f"{error}; the relation seems to come {where}; give head, relation, tail"
            )
    return error


def _check_row(row: Any, *, place: str, columns: Sequence[str]) -> None:
    """Refuse what has no parts in order, or too few, or too many. Raises `DataError`."""
    wanted = ", ".join(columns)
    if isinstance(row, Mapping | Set | bytes):
        raise DataError(
            f"{place}: a {type(row).__name__} has no parts in order; give ({wanted}), or a data"
            " frame"
        )
    size = len(row) if _is_row(row) else 1
    if not _is_row(row) or size != len(columns):
        raise DataError(f"{place}: {size} part{'s' * (size != 1)}; expected {wanted}")


def _is_array(given: Any) -> bool:
    """Say whether this is an array, or a tensor, of integers; a frame of pandas is none."""
    if hasattr(given, "columns") or not hasattr(given, "__array__") or not hasattr(given, "shape"):
        return False
    return np.asarray(given).dtype.kind in "iu" or 0 in given.shape


def _of_array(array: NDArray[Any], lookups: Sequence[Lookup], *, columns: Sequence[str]) -> Given:
    """Take numbers as they are. Raises `DataError` for a wrong shape, or a number out of range."""
    if not array.size:
        return Given(np.zeros((0, len(columns)), np.int64), False, np.zeros(0, np.bool_))
    if array.ndim not in (1, 2) or array.shape[-1] != len(columns):
        wanted = f"(n, {len(columns)}): {', '.join(columns)}"
        raise DataError(f"the array has shape {array.shape}; expected {wanted}")
    numbers = np.atleast_2d(array).astype(np.int64)
    for column, lookup in zip(numbers.T, lookups, strict=True):
        wrong = np.flatnonzero((column < 0) | (column >= len(lookup.names)))
        if len(wrong):
            lookup.number(int(column[wrong[0]]), place=f"row {wrong[0]}")  # says what is wrong
    return Given(numbers, array.ndim == 1, np.zeros(len(numbers), np.bool_))


def _is_one(given: Any) -> bool:
    """Say whether this is one row: a sequence whose first element is a part, not a row."""
    if isinstance(given, str):
        raise DataError(f"{shown(given)} is a text; give a triple, or several of them")
    if not isinstance(given, list | tuple | np.ndarray):
        return False
    is_scalar = isinstance(given, np.ndarray) and not given.ndim
    return not is_scalar and len(given) > 0 and not _is_row(given[0])


def _is_row(part: Any) -> bool:
    return hasattr(part, "__len__") and not isinstance(part, str) and getattr(part, "ndim", 1) > 0


def _rows(given: Any, *, columns: Sequence[str]) -> Iterable[Any]:
    """Return the rows of a frame, or of whatever else can be gone through."""
    if hasattr(given, "columns"):
        known = list(given.columns)
        for name in columns:
            if known.count(name) != 1:
                raise DataError(
                    f"the frame has {known.count(name) or 'no'} column {name!r}; expected one each"
                    f" of {', '.join(columns)}{suggestion(name, map(str, known))}"
                )
        return zip(*(given[name] for name in columns), strict=True)
    if rdf.is_graph(given):
        return rdf.read_graph(given)
    if isinstance(given, Mapping | bytes):
        wanted = ", ".join(columns)
        raise DataError(
            f"a {type(given).__name__} is no list of rows; give ({wanted}), or a data frame"
        )
    if not isinstance(given, Iterable) or (isinstance(given, np.ndarray) and not given.ndim):
        raise DataError(f"{shown(repr(given))} is no triple, and holds none")
    return given
