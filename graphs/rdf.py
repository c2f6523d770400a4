"""Read Turtle, TriG, N3, RDF/XML and JSON-LD; the one door to rdflib.

Turtle, TriG and the Turtle part of N3 are read by `graphs.syntax.turtle`, or by pyoxigraph, in
compiled code, where it is installed: the same triples in the same order. RDF/XML and JSON-LD are
read by rdflib, held back from what it would do by itself: fetch contexts, expand entities, resolve
IRIs against this machine's folders, change the spelling of numbers, name blank nodes at random.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NoReturn

from graphs import terms
from graphs.errors import GraphError, UnknownFormat
from graphs.syntax import oxigraph
from graphs.syntax.guard import MAX_JSON, MAX_TURTLE, load_json, read_text
from graphs.syntax.rdfxml import XmlEvents, feed
from graphs.syntax.turtle import Row, read_turtle
from graphs.syntax.turtle_terms import MAX_DEPTH, MAX_LITERAL
from graphs.syntax.turtle_tokens import is_deep
from graphs.terms import SCHEME, from_rdf, is_iri, literal

if TYPE_CHECKING:
    from graphs.readers import ReadReport

Engine = Literal["auto", "own", "pyoxigraph"]
Part = tuple[str, str, str]

TURTLE_SUFFIXES = (".ttl", ".n3", ".trig")
XML_SUFFIXES = (".rdf", ".owl", ".xml")
SUFFIXES = (*TURTLE_SUFFIXES, *XML_SUFFIXES, ".jsonld")
# What rdflib resolves relative IRIs against; none that begins so leaves this file.
_NO_BASE = "http://no-base.invalid/"


def read_rdf(
    file: BinaryIO,
    *,
    path: str | Path,
    suffix: str,
    report: ReadReport | None = None,
    engine: Engine = "auto",
) -> Generator[Part, None, None]:
    """Yield the triples of `file`, whose format `suffix` names, in the order of the document.

    A triple that stands there twice is given twice. Named graphs are merged into one graph, and
    their triples counted in `report.merged`. `path` is what errors call the file. `engine` reads
    Turtle: `"auto"` takes pyoxigraph where it is installed, and gives the same triples without.

    Raises `ParseError` with the line for what cannot be read, `GraphError` where no line is known
    or the file is too large, and `UnknownFormat` for another suffix.
    """
    if engine not in ("auto", "own", "pyoxigraph"):
        raise GraphError(f"engine is {engine!r}; it must be 'auto', 'own' or 'pyoxigraph'")
    if suffix in TURTLE_SUFFIXES:
        text = read_text(file, path=path, limit=MAX_TURTLE)
        rows = _read_turtle(text, path=path, graphs=suffix == ".trig", engine=engine)
    elif suffix in XML_SUFFIXES:
        rows = _read_xml(file, path=path)
    elif suffix == ".jsonld":
        rows = _read_json(read_text(file, path=path, limit=MAX_JSON), path=path)
    else:
        raise UnknownFormat(
            f"{path}: {suffix} is no format of RDF; known are {', '.join(SUFFIXES)}"
        )
    empty = True
    for head, relation, tail, named in rows:
        empty = False
        if named and report is not None:
            report.merged += 1
        yield head, relation, tail
    if empty and suffix == ".jsonld" and report is not None:
        report.notes.append(f"{path}: no triples; keys that its @context gives no IRI hold nothing")


def is_graph(given: object) -> bool:
    """Say whether this is a graph or a data set of rdflib; rdflib is not imported for it."""
    return hasattr(given, "triples") and hasattr(given, "namespace_manager")


def read_graph(graph: Any) -> list[Part]:
    """Return the triples of a graph of rdflib, in its order, as a file's would be read.

    Blank nodes are numbered in order of first appearance, and named graphs merged. Raises
    `GraphError` for a triple that no graph of this package may hold.
    """
    sink = _Sink()
    for head, relation, tail, *_ in graph:
        try:
            sink.add((head, relation, tail))
        except ValueError as error:
            shown = " ".join(str(part) for part in (head, relation, tail))
            raise GraphError(f"rdflib graph: {shown[:120]!r}: {error}") from None
    return [row[:3] for row in sink.taken()]


def _read_turtle(
    text: str, *, path: str | Path, graphs: bool, engine: Engine
) -> Generator[Row, None, None]:
    """Yield rows by pyoxigraph, and from where it gives up by the own reader, whose word counts."""
    if engine == "pyoxigraph" and not oxigraph.is_installed():
        raise GraphError("pyoxigraph is not installed: pip install pyoxigraph")
    given = seen = 0
    if engine != "own" and oxigraph.is_installed() and not is_deep(text, most=MAX_DEPTH):
        try:
            for row in oxigraph.read_turtle(text, graphs=graphs):
                yield row
                given += 1
                seen = hash((seen, row))
            return
        except oxigraph.Unread:
            pass
    rows = read_turtle(text, path=path, graphs=graphs)
    again = 0
    for row in islice(rows, given):
        again = hash((again, row))
    if again != seen:
        raise GraphError(
            f"{path}: pyoxigraph read it otherwise; uninstall pyoxigraph and report it"
        )
    yield from rows


def _read_xml(file: BinaryIO, *, path: str | Path) -> Generator[Row, None, None]:
    from rdflib.plugins.parsers.rdfxml import RDFXMLHandler
    from rdflib.term import URIRef

    sink: Any = _Sink()
    events = XmlEvents(RDFXMLHandler(sink), path=path, iri=URIRef)
    for step in feed(file, events=events, path=path):
        with _held_back():
            step()
        yield from sink.taken()


def _read_json(text: str, *, path: str | Path) -> Generator[Row, None, None]:
    from rdflib.plugins.parsers.jsonld import to_rdf

    data = load_json(text, path=path)
    sink: Any = _Sink()
    try:
        with _held_back():
            to_rdf(data, sink, base=_NO_BASE)
    except ValueError as error:
        raise GraphError(f"{path}: {error}") from None
    except RecursionError:
        # Its own text says where the stack ended, which is another place for another caller.
        raise GraphError(
            f"{path}: terms of a @context are defined by one another, endlessly or too many in a"
            " row; write their IRIs in full"
        ) from None
    except Exception as error:
        # rdflib checks nothing: what is not JSON-LD ends in any exception there is.
        kind = type(error).__name__
        shown = " ".join(str(error).split())[:120]
        raise GraphError(f"{path}: not JSON-LD as rdflib knows it ({kind}: {shown})") from None
    yield from sink.taken()


class _Sink:
    """Take triples as an rdflib graph or data set does; keep their order, and each as a row."""

    context_aware = True

    def __init__(self, *, parent: _Sink | None = None) -> None:
        """Make an empty sink, or one for a named graph of `parent`."""
        from rdflib.term import BNode, URIRef

        self._named = parent is not None
        self._rows: list[Row] = parent._rows if parent else []
        self._names: dict[str, str] = parent._names if parent else {}
        self._is_blank, self._is_iri = BNode, URIRef

    @property
    def default_context(self) -> _Sink:
        return self

    def get_context(self, _name: object) -> _Sink:
        return self if self._named else _Sink(parent=self)

    def bind(self, *_: object, **__: object) -> None:
        """Ignore the prefixes of the document."""

    def add(self, triple: tuple[Any, Any, Any]) -> None:
        """Keep a triple; `ValueError` says which part of it no graph may hold."""
        head, relation, tail = triple
        if not isinstance(relation, self._is_iri):
            raise ValueError(f"{str(relation)[:60]!r} is no relation; it must be an IRI")
        row = (self._node(head), self._node(relation), self._tail(tail), self._named)
        self._rows.append(row)

    def taken(self) -> list[Row]:
        """Return the rows since the last call."""
        rows = self._rows.copy()
        self._rows.clear()
        return rows

    def _node(self, node: Any) -> str:
        if isinstance(node, self._is_blank):
            return self._names.setdefault(str(node), f"_:b{len(self._names)}")
        iri = str(node)
        if not isinstance(node, self._is_iri):
            raise ValueError(f"the literal {iri[:60]!r} cannot have facts; only a tail is one")
        if iri.startswith(_NO_BASE) or not is_iri(iri):
            shown = iri.removeprefix(_NO_BASE)[:60]
            raise ValueError(f"<{shown}> is no absolute IRI; write it in full, or declare a base")
        return from_rdf(iri) if iri.startswith(SCHEME) else iri

    def _tail(self, tail: Any) -> str:
        if isinstance(tail, self._is_iri | self._is_blank):
            return self._node(tail)
        text = tail.text if isinstance(tail, terms.Literal) else str(tail)
        if len(text) > MAX_LITERAL:
            raise ValueError(f"literal of more than {MAX_LITERAL} characters; shorten it")
        return literal(text, language=tail.language or "", datatype=str(tail.datatype or ""))


def _refuse(*_: object, **__: object) -> NoReturn:
    raise ValueError("a context stands elsewhere, and nothing is fetched; embed it")


_one_at_a_time = threading.Lock()


@contextmanager
def _held_back() -> Iterator[None]:
    """Let rdflib neither log, nor respell numbers, nor fetch: all three are global in it.

    `load_json` finds each context that would be fetched; this holds where it should miss one.
    """
    import rdflib
    import rdflib.plugins.shared.jsonld.context as shared

    context: Any = shared

    logger = logging.getLogger("rdflib.term")

    def silence(_record: logging.LogRecord) -> bool:
        return False

    with _one_at_a_time:
        before, fetch = rdflib.NORMALIZE_LITERALS, context.source_to_json
        logger.addFilter(silence)
        rdflib.NORMALIZE_LITERALS, context.source_to_json = False, _refuse
        try:
            yield
        finally:
            rdflib.NORMALIZE_LITERALS, context.source_to_json = before, fetch
            logger.removeFilter(silence)
