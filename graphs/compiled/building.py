"""Compile a graph: read sources once, in bounded memory, and leave a folder to be mapped.

All is written to a scratch folder beside the target and takes its place at the end, whole: a new
folder by one rename, a new graph in an old folder by replacing the manifest (see
`graphs.compiled.sealing`). Meanwhile one process holds a lock; another one that wants to build
there waits, and takes what the first has built if that is the graph it wants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from graphs.compiled.compiler import Compiler, Plan
from graphs.compiled.folder import Folder, Version, is_compiled, read_manifest
from graphs.compiled.intake import sha256, source_file
from graphs.compiled.locking import building_alone
from graphs.compiled.sealing import put, scratch_beside
from graphs.disk import reason
from graphs.errors import GraphError
from graphs.languages import preference
from graphs.normal import NormalForm
from graphs.opening import is_there
from graphs.progress import Progress
from graphs.readers import OnError
from graphs.store import TripleStore

_MAX_SOURCES = (1 << 16) - 1
_EXACT = NormalForm(case_fold=False, nfkc=False)


def compile(
    sources: Sequence[str | Path],
    folder: str | Path,
    *,
    languages: Sequence[str] = (),
    aliases: Sequence[str | Path] = (),
    forms: Sequence[NormalForm] = (),
    on_error: OnError = "fail",
    overwrite: bool = False,
    name: str | None = None,
    announce: Callable[[str], None] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> TripleStore:
    """Build the compiled graph `folder` from `sources`, files or folders, and open it.

    Several sources become one graph; of each triple it is known which brought it first. `aliases`
    are files of names: id TAB name TAB alias and so on. `languages` is the preference among names
    and literals (see `graphs.names`). Names are indexed as they are written and in the further
    `forms`, which `MentionIndex` then need not build. `name` is the folder's unless given.
    `announce` takes a line that a user should know, `progress` how far a stage has come.

    Memory: in proportion to the distinct strings and to the names of entities with facts (their
    trie) rather than to the triples; `benchmarks/results/graph_scale.json` says what two graphs of
    millions took. Disk: the result and as much again. On any failure nothing of it is left, and
    what stood there before still does.

    Raises `GraphError` for what cannot be read or written, for sources without any triple, and
    where `folder` is there already, unless it is a compiled graph and `overwrite` is set.
    """
    target = Path(folder)
    plan = Plan(
        sources=tuple(map(Path, _listed(sources, what="sources"))),
        aliases=tuple(map(Path, _listed(aliases, what="aliases"))),
        languages=preference(languages),
        forms=tuple(dict.fromkeys((_EXACT, *forms))),
        on_error=on_error,
        name=target.name if name is None else name,
    )
    announce = _silent if announce is None else announce
    _check_sources(plan)
    before = _check_target(target, overwrite=overwrite)
    with building_alone(target, announce=announce) as waited:
        if (waited or _version(target) != before) and _is_built(plan, target):
            announce(f"{folder}: was built from the same sources meanwhile; taking that")
            return TripleStore.open(target)
        _check_target(target, overwrite=overwrite)
        with _as_graph_error(target), scratch_beside(target) as scratch:
            Compiler(plan, scratch, announce=announce, progress=progress or _silent).run()
            put(scratch / "result", target)
    return TripleStore.open(target)


def _listed(values: Sequence[str | Path], *, what: str) -> list[str]:
    if isinstance(values, str | Path):
        raise GraphError(f"{what} is {str(values)!r}; give a list")
    return [str(value) for value in values]


def _silent(_: object) -> None:
    """Say nothing."""


def _check_sources(plan: Plan) -> None:
    """Refuse, before any work, what cannot become a graph."""
    if not plan.sources:
        raise GraphError("no sources; name at least one file of triples")
    if len(plan.sources) > _MAX_SOURCES:
        raise GraphError(f"{len(plan.sources)} sources, {_MAX_SOURCES} at most; join some of them")
    for path in (*plan.sources, *plan.aliases):
        if not is_there(path):
            raise GraphError(f"{path}: there is no such file")
        if not path.is_file() and not path.is_dir():  # it is read twice, which a pipe cannot be
            raise GraphError(f"{path}: is no file; save what it gives as one")


def _check_target(target: Path, *, overwrite: bool) -> Version | None:
    """Refuse what may not be replaced; return what stands in `target`."""
    if target.name in ("", "..") or "\0" in str(target):
        raise GraphError(f"{str(target)!r}: is no name for a new folder")
    before = _version(target)
    if before is not None and not overwrite:
        raise GraphError(f"{target}: is there already; replace it with --overwrite")
    is_there = target.exists() or target.is_symlink()
    # A manifest alone may be that of something else altogether.
    if is_there and not (is_compiled(target) and any(target.glob("data-*"))):
        raise GraphError(f"{target}: is there already and was not made by build; name a new folder")
    return before


def _version(target: Path) -> Version | None:
    return read_manifest(target) if is_compiled(target) else None


def _is_built(plan: Plan, target: Path) -> bool:
    """Say whether a compiled graph in `target` is what `plan` would make of the same sources."""
    try:
        manifest = Folder.open(target).manifest
    except GraphError:
        return False
    known = [(source["path"], source["sha256"]) for source in manifest["sources"]]
    return manifest["plan"] == plan.to_dict() and known == [
        (str(path), sha256(source_file(path))) for path in plan.sources
    ]


@contextmanager
def _as_graph_error(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = reason(error, at=target)
        raise GraphError(f"{target}: cannot be written: {why}; nothing was changed") from None
    except OverflowError as error:
        raise GraphError(f"{target}: {error}") from None
