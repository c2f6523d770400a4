"""Bring the content of a graph into being from a path: read files, or map a compiled folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from graphs import content, folders
from graphs.compiled import mapping
from graphs.compiled.folder import Folder, is_compiled
from graphs.content import Content
from graphs.errors import GraphError
from graphs.languages import preference
from graphs.readers import OnError, ReadReport, is_rdf, read_triples


class Loaded(NamedTuple):
    """A graph's content, and the folder that it is mapped from; None if it was read."""

    content: Content
    folder: Folder | None


def load(
    path: str | Path,
    *,
    on_error: OnError,
    report: ReadReport | None,
    name: str | None,
    languages: Sequence[str],
    progress: Callable[[int], None] | None,
) -> Loaded:
    """Map or read `path`: see `TripleStore.open`, whose arguments these are."""
    if is_compiled(path):
        folder = Folder.open(path)
        _check_languages(folder, languages, path=path)
        return Loaded(mapping.read(folder, name=name or str(path)), folder)
    report = ReadReport() if report is None else report
    is_folder = Path(path).is_dir()
    found = content.from_triples(
        read_triples(path, on_error=on_error, report=report, progress=progress),
        name=str(path) if name is None else name,
        report=report,
        is_rdf=is_rdf(path),
        languages=languages,
        given=tuple(folders.read_names(path)) if is_folder else (),
        given_relations=tuple(folders.read_relation_names(path)) if is_folder else (),
    )
    return Loaded(found, None)


def reload(path: Path, *, seal: str, name: str) -> Loaded:
    """Map a compiled folder again, in another process; raises `GraphError` if it was changed."""
    folder = Folder.open(path, seal=seal)
    return Loaded(mapping.read(folder, name=name), folder)


def _check_languages(folder: Folder, languages: Sequence[str], *, path: str | Path) -> None:
    """Refuse another preference of languages than that with which names were chosen."""
    wanted, built = preference(languages), tuple(folder.manifest["languages"])
    if wanted and wanted != built and folder.manifest["named"]:
        known = " ".join(built) or "none"
        raise GraphError(
            f"{path}: was built with the languages {known}; build it with"
            f" --language {' '.join(languages)}, or ask for no languages"
        )
