"""Read Turtle, TriG and the Turtle part of N3: strict, verbatim, in the order of the document.

The grammar is that of RDF 1.1 Turtle (section 6.5) and TriG (section 5). Numbers keep their
spelling, `007` stays `007`; language tags become lower-case, as everywhere in this package. Blank
nodes are named `_:b0`, `_:b1`, … in the order in which triples first hold them. A triple is given
when its last part is known, so what is said in brackets comes before the triple that holds them.

A relative IRI without `@base` is refused: the place of a file is no part of what it says.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from graphs.syntax.turtle_terms import MAX_DEPTH, Cursor
from graphs.syntax.turtle_tokens import Kind

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_FIRST, _REST, _NIL, _TYPE = RDF + "first", RDF + "rest", RDF + "nil", RDF + "type"

Row = tuple[str, str, str, bool]


def read_turtle(text: str, *, path: str | Path, graphs: bool) -> Generator[Row, None, None]:
    """Yield head, relation, tail of each triple, and whether it stands in a named graph.

    `graphs` says that the text is TriG. Raises `ParseError` with the line of `path` for what is
    not Turtle, a literal of more than MAX_LITERAL characters, and brackets deeper than MAX_DEPTH.
    """
    return _Document(text, path=path, graphs=graphs).statements()


class _Document:
    """Read one document: where it is, how deep, in which graph, and the rows not yet given."""

    def __init__(self, text: str, *, path: str | Path, graphs: bool) -> None:
        self._at = Cursor(text, path=path)
        self._graphs = graphs
        self._names: dict[str, str] = {}
        self._made = 0
        self._depth = 0
        self._named = False
        self._rows: list[Row] = []
        self._completed: list[tuple[str, str, str]] = []

    def statements(self) -> Generator[Row, None, None]:
        self._at.advance()
        while self._at.token.kind is not Kind.END:
            if not self._directive():
                if self._graphs:
                    yield from self._block()
                else:
                    self._triples(None)
                    self._expect(".")
                yield from self._taken()

    def _taken(self) -> list[Row]:
        rows, self._rows = self._rows, []
        return rows

    def _advance(self) -> None:
        """Pass the token, and give the triples that it completed, the last one first.

        One token completes two triples where a list or brackets hold a literal. Any order would
        do; this one is that of pyoxigraph, so that a graph does not depend on what is installed.
        """
        self._give()
        self._at.advance()

    def _give(self) -> None:
        while self._completed:
            head, relation, tail = self._completed.pop()
            self._rows.append((self._name(head), relation, self._name(tail), self._named))

    def _is(self, mark: str) -> bool:
        token = self._at.token
        return token.kind is Kind.MARK and token.value == mark

    def _take(self, mark: str) -> bool:
        if not self._is(mark):
            return False
        self._advance()
        return True

    def _expect(self, mark: str) -> None:
        if not self._take(mark):
            self._at.fail(f"{self._at.found()} where {mark!r} is expected")

    def _directive(self) -> bool:
        """Read `@prefix`, `@base` or `@version`, also as SPARQL writes them, if one is here."""
        token = self._at.token
        if token.kind not in (Kind.AT, Kind.WORD):
            return False
        word = token.value if token.kind is Kind.AT else token.value.lower()
        if word not in ("prefix", "base", "version"):
            return False
        self._advance()
        if word == "prefix":
            self._at.declare_prefix()
        elif word == "base":
            self._at.declare_base()
        elif self._at.token.kind is not Kind.TEXT:
            self._at.fail(f'{self._at.found()} where a version is expected, as in "1.1"')
        self._advance()
        if token.kind is Kind.AT:
            self._expect(".")
        return True

    def _block(self) -> Generator[Row, None, None]:
        """Read a graph of TriG, `{…}` with or without a name, or a statement outside of one."""
        token = self._at.token
        subject = None
        if token.kind is Kind.WORD and token.value.lower() == "graph":
            self._advance()
            if self._label() is None:
                self._at.fail(f"{self._at.found()} where a graph's name is expected")
            self._named = True
        elif not self._is("{"):
            subject = self._label()
            if subject is None or not self._is("{"):
                self._triples(subject)
                self._expect(".")
                return
            self._named = True
        self._expect("{")
        while not self._is("}"):
            self._triples(None)
            if not self._take(".") and not self._is("}"):
                self._at.fail(f"{self._at.found()} where '.' or '}}' is expected")
            yield from self._taken()
        self._advance()
        self._named = False

    def _label(self) -> str | None:
        """Read what may name a graph, an IRI, a blank node or `[]`, or return None."""
        if self._at.token.kind in (Kind.IRI, Kind.NAME, Kind.BLANK):
            return self._node()
        if self._is("["):
            following = self._at.peek()
            if following.kind is Kind.MARK and following.value == "]":
                return self._node()
        return None

    def _triples(self, subject: str | None) -> None:
        """Read a statement up to its full stop; its `subject` may have been read before."""
        complete = False
        if subject is None:
            given = len(self._rows)
            bracketed = self._is("[")
            subject = self._collection(None) if self._is("(") else self._node()
            # Brackets that say something may stand alone.
            complete = bracketed and len(self._rows) > given
        if not complete or not (self._is(".") or self._is("}")):
            self._properties(subject)

    def _properties(self, subject: str) -> None:
        while True:
            relation = self._verb()
            self._object(subject, relation)
            while self._take(","):
                self._object(subject, relation)
            if not self._is(";"):
                return
            while self._take(";"):
                pass
            if self._at.token.kind in (Kind.MARK, Kind.END):
                return

    def _verb(self) -> str:
        token = self._at.token
        if token.kind is Kind.WORD and token.value == "a":
            self._advance()
            return _TYPE
        if token.kind not in (Kind.IRI, Kind.NAME):
            self._at.fail(f"{self._at.found()} where a relation is expected: an IRI, or a")
        return self._node()

    def _object(self, subject: str, relation: str) -> None:
        kind = self._at.token.kind
        if kind is Kind.TEXT:
            self._give()
            tail, ended = self._at.text()
            self._completed.append((subject, relation, tail))
            if ended:
                self._advance()
        elif self._is("("):
            self._collection((subject, relation))
        elif self._is("["):
            self._brackets((subject, relation))
        else:
            is_node = kind in (Kind.IRI, Kind.NAME, Kind.BLANK, Kind.MARK)
            tail = self._at.term() if is_node else self._at.number()
            self._completed.append((subject, relation, tail))
            self._advance()

    def _node(self) -> str:
        """Read an IRI, a prefixed name, a blank node or what stands in brackets."""
        if self._is("["):
            return self._brackets(None)
        node = self._at.term()
        self._advance()
        return node

    def _brackets(self, owner: tuple[str, str] | None) -> str:
        """Read `[…]`, which `owner`, a head and a relation, holds; return its blank node."""
        node = self._fresh()
        self._enter()
        if not self._is("]"):
            self._properties(node)
        if owner is not None:
            self._completed.append((*owner, node))
        self._leave("]")
        return node

    def _collection(self, owner: tuple[str, str] | None) -> str:
        """Read a list, which `owner`, a head and a relation, holds; return its first cell."""
        self._enter()
        first, link = "", owner
        while not self._is(")"):
            cell = self._fresh()
            first = first or cell
            if link is not None:
                self._completed.append((*link, cell))
            self._object(cell, _FIRST)
            link = (cell, _REST)
        if link is not None:
            self._completed.append((*link, _NIL))
        self._leave(")")
        return first or _NIL

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._at.fail(f"brackets more than {MAX_DEPTH} deep; name the blank nodes instead")
        self._advance()

    def _leave(self, mark: str) -> None:
        self._depth -= 1
        self._expect(mark)

    def _fresh(self) -> str:
        """Return a blank node that no label of the document is, for a label holds no space."""
        self._made += 1
        return f"_: {self._made}"

    def _name(self, node: str) -> str:
        if not node.startswith("_:"):
            return node
        return self._names.get(node) or self._names.setdefault(node, f"_:b{len(self._names)}")
