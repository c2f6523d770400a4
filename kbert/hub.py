"""Labelled data sets of the Hugging Face hub, read as tables through `datasets`.

Class numbers become their names, and a class number of -1, by which the hub marks what nobody has
labelled, becomes None. Columns of pictures, sound and other nested things are left out, since they
can hold neither text nor labels. Loading scripts do not exist any more and are not run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from kbert.errors import DataError
from kbert.tables import FORMATS, Row, Table

if TYPE_CHECKING:
    import datasets

_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)

_NOT_HERE: Final = "no such file or folder here"
_ADVICE: Final = (
    "; check the spelling and the network, or give a folder with train, dev and test files"
)


def is_hub_id(source: str) -> bool:
    """Tell whether `source` could be `name` or `owner/name`, and is no name of a data file."""
    return _ID.fullmatch(source) is not None and not source.endswith(tuple(FORMATS))


def read_hub(source: str, *, config: str | None) -> dict[str, Table]:
    """Return a table for each split of the data set, under the hub's name of the split.

    A row's line is its number from 1. If the hub does not answer, a copy that `datasets` has kept
    is read. Raises `DataError` in one line: no such data set, no network, access refused, or
    several configurations and none named.
    """
    import datasets

    from kbert.nn.hub import has_dataset

    known = has_dataset(source)
    if known is False:
        raise DataError(f"{_NOT_HERE}, and no such data set on the hub{_ADVICE}", file=source)
    try:
        with nullcontext() if known else offline():
            content = datasets.load_dataset(source, config)
        return {
            str(name): table_of(split, file=f"{source}/{name}") for name, split in content.items()
        }
    except (datasets.exceptions.DatasetsError, OSError, ValueError, RuntimeError) as error:
        reason = f"the hub did not give it ({' '.join(str(error).split())})"
        if known is None and isinstance(error, ConnectionError):
            reason = "the hub does not answer"
        raise DataError(f"{_NOT_HERE}, and {reason}{_ADVICE}", file=source) from error


@contextmanager
def offline() -> Iterator[None]:
    """Let `datasets` look for its copy alone; it would ask again and again before it gives up."""
    import datasets

    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


def table_of(split: datasets.Dataset, *, file: str) -> Table:
    """Return the columns of texts, numbers and classes, and of lists of them, as a table."""
    names: list[str] = []
    cells: list[list[object]] = []
    for name, feature in split.features.items():
        convert = _converter(feature)
        if convert is not None:
            names.append(name)
            cells.append([None if value is None else convert(value) for value in split[name]])
    rows = (Row(number, values) for number, values in enumerate(zip(*cells, strict=True), start=1))
    return Table(file, tuple(names), tuple(rows))


def _converter(feature: Any) -> Callable[[Any], object] | None:
    import datasets

    if isinstance(feature, datasets.ClassLabel):
        names = feature.names
        return lambda number: None if number == -1 else names[number]
    if isinstance(feature, datasets.Value):
        return lambda value: value
    if isinstance(feature, datasets.List | datasets.LargeList):
        inner = _converter(feature.feature)
        if inner is None:
            return None
        return lambda values: [None if value is None else inner(value) for value in values]
    return None
