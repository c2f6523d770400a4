"""Read Turtle and TriG with pyoxigraph, which is optional: the same rows, by compiled code.

It reads what `graphs.syntax.turtle` reads and gives the rows of its `read_turtle` in the same order
under the same blank nodes, or it gives up: the two are tested against each other.
"""

from __future__ import annotations

from collections.abc import Generator
from importlib.util import find_spec

from graphs.syntax.turtle import Row
from graphs.syntax.turtle_terms import MAX_LITERAL
from graphs.terms import SCHEME, from_rdf, is_iri, literal


class Unread(Exception):
    """Say that pyoxigraph does not read a document to its end; another reader may."""


def is_installed() -> bool:
    """Say whether pyoxigraph can be imported."""
    return find_spec("pyoxigraph") is not None


def read_turtle(text: str, *, graphs: bool) -> Generator[Row, None, None]:
    """Yield the rows of a document of Turtle, or with `graphs` of TriG.

    Raises `Unread` where pyoxigraph gives up, after the rows before that place.
    """
    import pyoxigraph

    syntax = pyoxigraph.RdfFormat.TRIG if graphs else pyoxigraph.RdfFormat.TURTLE
    names: dict[str, str] = {}
    iris: dict[str, str] = {}

    def node(term: object) -> str:
        if isinstance(term, pyoxigraph.NamedNode):
            return iris.get(term.value) or iris.setdefault(term.value, _iri(term.value))
        if isinstance(term, pyoxigraph.BlankNode):
            return names.get(term.value) or names.setdefault(term.value, f"_:b{len(names)}")
        raise Unread("a triple term")

    try:
        for quad in pyoxigraph.parse(text, format=syntax):
            tail = quad.object
            head, relation = node(quad.subject), node(quad.predicate)
            written = _literal(tail) if isinstance(tail, pyoxigraph.Literal) else node(tail)
            named = graphs and not isinstance(quad.graph_name, pyoxigraph.DefaultGraph)
            yield head, relation, written, named
    except (SyntaxError, ValueError, MemoryError) as error:
        # MemoryError is how pyoxigraph says that a token is longer than its buffer.
        raise Unread(str(error)) from None


def _iri(iri: str) -> str:
    if not is_iri(iri):
        raise Unread(iri)
    return from_rdf(iri) if iri.startswith(SCHEME) else iri


def _literal(term: object) -> str:
    text: str = term.value  # type: ignore[attr-defined]
    language: str | None = term.language  # type: ignore[attr-defined]
    if len(text) > MAX_LITERAL or getattr(term, "direction", None) is not None:
        raise Unread("a literal")
    if language:
        return literal(text, language=language)
    return literal(text, datatype=term.datatype.value)  # type: ignore[attr-defined]
