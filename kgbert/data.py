"""Open a data set for KG-BERT by its name, its folder, or the graph that it is to be made of.

`load_data` reads a folder as KG-BERT has them (`graphs.splits` reads its triples, `kgbert.texts`
its texts), or any graph of `graphs`, which it divides; a graph in hand is taken as it is.
`python -m kgbert.data NAME` says what a data set holds and what is wrong with its texts.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from graphs.catalog import CATALOG
from graphs.compiled.folder import is_compiled
from graphs.errors import UnknownGraph, suggestion
from kbert import console
from kbert.errors import DataError, SettingsError
from kgbert.dataset import PARTS, KnowledgeData, Part
from kgbert.graph_objects import is_graph, store_of
from kgbert.lint import lint_data, lint_folder
from kgbert.reading import divide_graph, read_folder, read_graph
from kgbert.texts import OnMissing, TextMode

if TYPE_CHECKING:
    from graphs.store import TripleStore

__all__ = ["PARTS", "SAMPLE", "KnowledgeData", "Part", "load_data", "main"]

SAMPLE: Final = "sample"
SHARE: Final = 0.1
"""Of a graph that is divided, how much becomes valid, and test."""


def load_data(
    source: str | Path | TripleStore | Any,
    *,
    texts: TextMode = "name",
    on_missing: OnMissing = "error",
    valid_share: float = SHARE,
    test_share: float = SHARE,
    seed: int = 0,
    languages: Sequence[str] = (),
) -> KnowledgeData:
    """Open a data set: a folder or a graph by its path, else the packaged `sample`, else a name.

    A `graphs.TripleStore` and a graph of rdflib are divided as they are. A name means a folder of
    `$KBERT_DATA/kgc`, else a graph of the catalogue (see `graphs.load`). `texts` says what is read
    of entities, `on_missing` what is done with one that has no text (see `kgbert.texts`); with
    `skip` it is no candidate either. A graph is divided by chance, with these shares and this
    `seed` (see `graphs.splits.random_split`); `languages` is the preference among its names and
    descriptions, and that of a store is the one that it was opened with.

    Raises `DataError` and `graphs.GraphError`, with file and line where there is one.
    """
    _check(texts=texts, on_missing=on_missing)
    shares = valid_share, test_share
    if is_graph(source):
        store = store_of(source, languages=languages)
        return divide_graph(store, texts=texts, on_missing=on_missing, shares=shares, seed=seed)
    if not isinstance(source, str | Path):
        raise DataError(f"{type(source).__name__} is no data set; give a name, a path or a graph")
    path = _found(source)
    if path is not None and path.is_dir() and not is_compiled(path):
        data = read_folder(path, name=str(source), texts=texts, on_missing=on_missing)
        unused = _unused(shares=shares, languages=languages)
        return replace(data, notes=(*unused, *data.notes))
    try:
        return read_graph(
            source if path is None else path,
            texts=texts,
            on_missing=on_missing,
            shares=shares,
            seed=seed,
            languages=languages,
        )
    except UnknownGraph:
        raise DataError(_unknown(str(source))) from None


def _check(*, texts: str, on_missing: str) -> None:
    for name, value, known in (("texts", texts, TextMode), ("on_missing", on_missing, OnMissing)):
        if value not in get_args(known):
            names = get_args(known)
            raise SettingsError(
                f"{name} is {value!r}; known are {', '.join(names)}{suggestion(value, names)}"
            )


def _unused(*, shares: tuple[float, float], languages: Sequence[str]) -> list[str]:
    """Say which settings of graphs were chosen for a folder, where they have no effect."""
    chosen = [
        name
        for name, value, default in (
            ("valid_share", shares[0], SHARE),
            ("test_share", shares[1], SHARE),
            ("languages", tuple(languages), ()),
        )
        if value != default
    ]
    has = "have" if len(chosen) > 1 else "has"
    return [f"a folder is divided already: {', '.join(chosen)} {has} no effect"] if chosen else []


def _found(name_or_path: str | Path) -> Path | None:
    """Find a data set on this machine; None leaves the name to the catalogue of graphs."""
    path = Path(name_or_path)
    if path.exists():
        return path
    if name_or_path == SAMPLE:
        return _sample()
    home = os.environ.get("KBERT_DATA")
    named = Path(home) / "kgc" / path if home and len(path.parts) == 1 else None
    return named if named is not None and named.is_dir() else None


def _sample() -> Path:
    return Path(__file__).parent / SAMPLE


def _unknown(name: str) -> str:
    home = os.environ.get("KBERT_DATA")
    there = f"a folder of {Path(home) / 'kgc'}" if home else "a data set (KBERT_DATA is not set)"
    return (
        f"no data set {name!r}: neither a folder or file, nor {SAMPLE!r}, nor {there}, nor a graph"
        f" of the catalogue{suggestion(name, [SAMPLE, *CATALOG])}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Say what a data set holds and what is wrong with its texts; return the exit status."""
    parser = console.Parser(
        prog="python -m kgbert.data", description=main.__doc__, allow_abbrev=False
    )
    parser.add_argument("data", metavar="NAME|FOLDER|GRAPH", help="a data set (see kgbert.data)")
    parser.add_argument("--texts", choices=get_args(TextMode), default="name")
    parser.add_argument("--on-missing", choices=get_args(OnMissing), default="error")
    parser.add_argument("--language", nargs="+", default=(), metavar="TAG", help="of a graph")
    options = parser.parse_args(arguments)
    return console.guard(lambda: _describe(options))


def _describe(options: argparse.Namespace) -> None:
    path = _found(options.data)
    if path is not None and path.is_dir() and not is_compiled(path):
        for finding in lint_folder(path):
            console.emit(finding.text())
    data = load_data(
        options.data,
        texts=options.texts,
        on_missing=options.on_missing,
        languages=options.language,
    )
    console.emit("\n".join([repr(data), *data.notes, *(each.text() for each in lint_data(data))]))


if __name__ == "__main__":
    sys.exit(main())
