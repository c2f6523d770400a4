"""Show how far the reading of a large file of triples is, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_LARGE = 8 << 20  # bytes that are read in about a second


@contextmanager
def reading(graph: str) -> Iterator[Callable[[int], None] | None]:
    """Give what is to be told of the bytes read of `graph`; None where there is nothing to show."""
    path = Path(graph)
    try:
        size = path.stat().st_size if sys.stderr.isatty() and path.is_file() else 0
    except (OSError, ValueError):  # whoever opens it says so
        size = 0
    if size < _LARGE:
        yield None
        return
    from tqdm import tqdm

    about = f"reading {path.name}"
    with tqdm(desc=about, total=size, unit="B", unit_scale=True, leave=False) as bar:
        yield bar.update
