"""Find the graph in a folder as it is published: KG-BERT's data sets, and Wikidata5M.

KG-BERT: `train`, `dev` (or `valid`) and `test`, each as `.tsv` or `.txt`; names in
`entity2text.txt` and `relation2text.txt`, id TAB text. Wikidata5M:
`wikidata5m_transductive_train.txt`, `wikidata5m_inductive_train.txt` or
`wikidata5m_all_triplet.txt`; names in `wikidata5m_entity.txt` and `wikidata5m_relation.txt`, id TAB
name TAB alias and so on. Every file may be compressed (`.gz`, `.zst`). The graph is the training
triples alone: the rest is what people evaluate on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from graphs.errors import GraphError, ParseError
from graphs.opening import COMPRESSIONS, text_lines

_PACKED = ("", *COMPRESSIONS)
_TRAIN = "train.tsv", "train.txt"
_REST = tuple(part + end for part in ("dev", "valid", "test") for end in (".tsv", ".txt"))

# The first that is there is the graph; all triples hold the ones for evaluation too.
_WIKIDATA5M = (
    "wikidata5m_transductive_train.txt",
    "wikidata5m_inductive_train.txt",
    "wikidata5m_all_triplet.txt",
)
_WIKIDATA5M_REST = tuple(
    f"wikidata5m_{setting}_{part}.txt"
    for setting in ("transductive", "inductive")
    for part in ("valid", "test")
)
_ENTITY_NAMES = "wikidata5m_entity.txt", "entity2textshort.txt", "entity2text.txt"
_RELATION_NAMES = "wikidata5m_relation.txt", "relation2text.txt"

# WN18RR's glosses have 9.6 words for one of a name; "Oxford, Ohio" and "Curie, Marie" about one.
_GLOSS = 3


class GraphFiles(NamedTuple):
    """Say which file of a folder is the graph, and which files of triples are not read."""

    triples: Path
    left_out: tuple[Path, ...]

    def notes(self) -> list[str]:
        """Return what a user should know of the choice, one line each."""
        if not self.left_out:
            return []
        names = ", ".join(path.name for path in self.left_out)
        return [f"{self.triples.parent}: the graph is {self.triples.name}; left out: {names}"]


def find_graph_files(folder: str | Path) -> GraphFiles:
    """Return the files of the graph in `folder`, whose lines are head TAB relation TAB tail.

    Raises `GraphError` for a folder of another kind, and where one file is there twice.
    """
    folder = Path(folder)
    if found := _present(folder, _WIKIDATA5M):
        return GraphFiles(found[0], (*found[1:], *_present(folder, _WIKIDATA5M_REST)))
    if found := _present(folder, _TRAIN):
        if len(found) > 1:
            raise GraphError(f"{folder}: holds {' and '.join(p.name for p in found)}; keep one")
        return GraphFiles(found[0], tuple(_present(folder, _REST)))
    raise GraphError(
        f"{folder}: is a folder without train.tsv, train.txt or a file of Wikidata5M's; name a "
        "file of triples in it"
    )


def read_names(folder: str | Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each entity of the folder's file of names with its names, the preferred one first.

    A line of `wikidata5m_entity.txt` gives all its names; one of `entity2textshort.txt`, or else
    `entity2text.txt`, one name. If all texts of the file are `name, gloss` (each has a comma and a
    space, and the glosses have at least three times the words of the names, as in WN18RR), the name
    is what stands before the first comma. Surrounding white space and repeated names are dropped;
    an id without a text has no names. Without such a file there is nothing to yield.

    Raises while iterating `ParseError` for a line without an id, `GraphError` for a file that
    cannot be read.
    """
    return _read_names(_first(Path(folder), _ENTITY_NAMES))


def read_relation_names(folder: str | Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each relation of `wikidata5m_relation.txt` or `relation2text.txt` with its names.

    The rules and errors are those of `read_names`.
    """
    return _read_names(_first(Path(folder), _RELATION_NAMES))


def read_name_file(path: str | Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the id of each line of a file `id TAB name TAB alias …` with its names.

    Errors are those of `read_names`.
    """
    for key, texts in _records(Path(path)):
        yield key, tuple(dict.fromkeys(texts))


def has_glosses(texts: Iterable[str]) -> bool:
    """Say whether all texts are `name, gloss`, as `read_names` tells them from names alone."""
    names = glosses = 0
    for text in texts:
        name, comma, gloss = text.partition(", ")
        if not comma:
            return False
        names += len(name.split())
        glosses += len(gloss.split())
    return glosses >= _GLOSS * names > 0


def _present(folder: Path, names: Iterable[str]) -> list[Path]:
    """Return the files of these names, compressed or not, in the order of `names`."""
    found = []
    for name in names:
        same = [folder / (name + end) for end in _PACKED if (folder / (name + end)).is_file()]
        if len(same) > 1:
            raise GraphError(f"{folder}: holds {' and '.join(p.name for p in same)}; keep one")
        found += same
    return found


def _first(folder: Path, names: Sequence[str]) -> Path | None:
    return next(iter(_present(folder, names)), None)


def _read_names(path: Path | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    if path is None:
        return
    has_aliases = path.name.startswith("wikidata5m_")
    cut = not has_aliases and has_glosses(texts[0] for _, texts in _records(path) if texts)
    for key, texts in _records(path):
        kept = texts if has_aliases else texts[:1]
        names = (text.partition(", ")[0].strip() if cut else text for text in kept)
        yield key, tuple(dict.fromkeys(name for name in names if name))


def _records(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the id of each line and the texts after it, those of white space left out."""
    for number, line in text_lines(path):
        key, *texts = line.split("\t")
        if not key or key.isspace():
            raise ParseError("no id before the name: id TAB name", file=path, line=number)
        yield key, [stripped for text in texts if (stripped := text.strip())]
