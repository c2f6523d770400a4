"""Name the graphs that people use, say where they are published, and open them.

Nothing is downloaded: the user saves a published file under the graph's name in the folder
`graphs/` of a home (`$KBERT_HOME`, by default `~/.cache/kbert`), or compiles it to a folder of that
name there, and `load` finds it.
`cn_dbpedia` alone falls back to a small sample that ships with the package, and says so; as
`cn_dbpedia_sample` that has a name of its own, which goes on meaning it once the file is there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from types import MappingProxyType

from graphs.compiled.folder import is_compiled
from graphs.errors import GraphError, GraphNotFound, UnknownGraph, suggestion
from graphs.opening import is_there
from graphs.readers import SUFFIXES, OnError, ReadReport
from graphs.store import TripleStore

_LARGE = 1_000_000
_SAMPLE = "cn_dbpedia_sample"
_ALWAYS = ("none", "cn_dbpedia", _SAMPLE)  # there without a file
_K_BERT = "https://github.com/autoliuweijie/K-BERT"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Describe a published graph: what it is, where it is, and under which licence."""

    name: str
    title: str
    source: str
    licence: str
    format: str
    note: str


_ENTRIES = (
    Entry(
        name="cn_dbpedia",
        title="CN-DBpedia, a Chinese encyclopaedia as triples, in K-BERT's selection",
        source=(
            f"CnDbpedia.spo, which the README of {_K_BERT} links to (an external download); "
            "CN-DBpedia itself is at http://kw.fudan.edu.cn/cndbpedia"
        ),
        licence="none stated with the file; see CN-DBpedia's site for its terms",
        format=".spo: subject TAB predicate TAB object, UTF-8",
        note="5.17 million triples; without the file, a small sample made for this project is used",
    ),
    Entry(
        name=_SAMPLE,
        title="a small graph in the style of CN-DBpedia, of things of some ten kinds",
        source="ships with the package; written for this project",
        licence="Apache-2.0, as the project",
        format=".spo: subject TAB predicate TAB object, UTF-8",
        note="what cn_dbpedia stands for until its file is there; a demonstration",
    ),
    Entry(
        name="hownet",
        title="HowNet, the sememes of Chinese words, in K-BERT's selection",
        source=f"brain/kgs/HowNet.spo in {_K_BERT}",
        licence="MIT by the badge in K-BERT's README; there is no licence file",
        format=".spo: subject TAB predicate TAB object, UTF-8",
        note="52,576 triples about 45,124 words with one relation, 义原",
    ),
    Entry(
        name="medical",
        title="MedicalKG, the classes of Chinese medical terms, made by K-BERT's authors",
        source=f"brain/kgs/Medical.spo in {_K_BERT}",
        licence="MIT by the badge in K-BERT's README; there is no licence file",
        format=".spo: subject TAB predicate TAB object, UTF-8",
        note=(
            "13,864 triples about 13,553 terms with one relation, 类别, whose classes are nearly "
            "the labels of the medical NER data"
        ),
    ),
    Entry(
        name="none",
        title="the empty graph, which makes K-BERT plain BERT",
        source="built in",
        licence="none needed",
        format="none",
        note="no triples",
    ),
)

CATALOG: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in _ENTRIES})


def load(
    name_or_path: str | Path,
    *,
    on_error: OnError = "fail",
    home: Path | None = None,
    announce: Callable[[str], None] | None = None,
    languages: Sequence[str] = (),
    progress: Callable[[int], None] | None = None,
) -> TripleStore:
    """Open a graph of the catalogue by its name, or a file or compiled folder by its path.

    A name always means the catalogue, even where a file of that name stands in the current folder
    (write `./hownet` for that). It is the compiled graph `graphs/<name>` in `home` (by default
    `$KBERT_HOME`, else `~/.cache/kbert`), or the first of `graphs/<name>.<suffix>` there with a
    suffix of `graphs.readers.SUFFIXES`. What a user should know, the sample in place of a graph and
    skipped lines, goes to `announce` in one line each; without it, to standard error. `languages`
    is the preference among names and literals of a graph that has several (see `graphs.names`).
    `progress` is called with the number of bytes of each piece that is read of a file.

    Raises `GraphNotFound` for a graph whose file is not there, `UnknownGraph` for what is neither
    name nor path, and what `TripleStore.open` raises.
    """
    announce = _to_stderr if announce is None else announce
    opened = partial(
        _open, on_error=on_error, announce=announce, languages=languages, progress=progress
    )
    if not isinstance(name_or_path, str) or name_or_path not in CATALOG:
        if not is_there(name_or_path):
            raise UnknownGraph(_unknown(str(name_or_path)))
        path, named = Path(name_or_path), str(name_or_path)  # a Path loses a leading ./
        return opened(path, named)
    name = name_or_path
    if is_there(name) and name != "none":
        announce(f"{name}: this is the graph of the catalogue; for what is here write ./{name}")
    if name == "none":
        return TripleStore.from_triples((), name=name)
    if name == _SAMPLE:
        return _sample()
    folder = (_home() if home is None else home) / "graphs"
    if (found := _place(name, folder=folder)) is not None:
        return opened(found, name)
    if name == "cn_dbpedia":
        store = _sample()
        announce(
            f"cn_dbpedia: this is {_SAMPLE}, the packaged sample of {len(store)} triples, not the "
            f"full graph; to use that, save it as {folder / name}.spo (published as "
            f"{CATALOG[name].source})"
        )
        return store
    raise GraphNotFound(_not_found(CATALOG[name], folder=folder))


def check(name_or_path: str | Path, *, home: Path | None = None) -> None:
    """Raise what `load` raises for a graph that is not there; nothing is read, so it is quick."""
    if not isinstance(name_or_path, str) or name_or_path not in CATALOG:
        if not is_there(name_or_path):
            raise UnknownGraph(_unknown(str(name_or_path)))
        return
    folder = (_home() if home is None else home) / "graphs"
    if name_or_path not in _ALWAYS and _place(name_or_path, folder=folder) is None:
        raise GraphNotFound(_not_found(CATALOG[name_or_path], folder=folder))


def _place(name: str, *, folder: Path) -> Path | None:
    """Find the compiled folder, or the file, of a catalogued graph."""
    for suffix in ("", *SUFFIXES):
        path = folder / f"{name}{suffix}"
        if path.is_file() if suffix else is_compiled(path):
            return path
    return None


def _open(
    path: Path,
    name: str,
    *,
    on_error: OnError,
    announce: Callable[[str], None],
    languages: Sequence[str],
    progress: Callable[[int], None] | None,
) -> TripleStore:
    report = ReadReport()
    store = TripleStore.open(
        path,
        on_error=on_error,
        report=report,
        name=name,
        languages=languages,
        progress=progress,
    )
    if store.folder is None and len(store) >= _LARGE:
        announce(
            f"{path}: {len(store)} triples were read into memory; `python -m graphs build` makes a"
            " folder of them that opens at once"
        )
    for remark in report.remarks(path):
        announce(remark)
    if not len(store):
        raise GraphError(
            f"{path}: holds no triple ({report.skipped} lines were skipped); the empty graph is"
            " called none"
        )
    return store


def _sample() -> TripleStore:
    with as_file(files("graphs.sample") / "cn_dbpedia.spo") as path:
        return TripleStore.open(path, name=_SAMPLE)


def _home() -> Path:
    named = os.environ.get("KBERT_HOME")
    return Path(named) if named else Path.home() / ".cache" / "kbert"


def _unknown(name: str) -> str:
    known = ", ".join(CATALOG)
    return (
        f"no graph {name!r}: neither a known name ({known}) nor an existing file"
        f"{suggestion(name, CATALOG)}"
    )


def _not_found(entry: Entry, *, folder: Path) -> str:
    return (
        f"{entry.name} ({entry.title}) is not on this machine; it is published as {entry.source} "
        f"(licence: {entry.licence}); save it as {folder / entry.name}.spo"
    )


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
