"""Read the terms of Turtle from its tokens: IRIs against prefixes and base, literals, numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

from graphs.errors import ParseError
from graphs.syntax.iri import resolve
from graphs.syntax.turtle_tokens import BadToken, Kind, Token, next_token
from graphs.terms import SCHEME, from_rdf, is_iri, literal, unescape

MAX_DEPTH = 128
MAX_LITERAL = 1 << 20

_XSD = "http://www.w3.org/2001/XMLSchema#"
_NUMBERS = {
    Kind.INTEGER: _XSD + "integer",
    Kind.DECIMAL: _XSD + "decimal",
    Kind.DOUBLE: _XSD + "double",
}
_backslash = re.compile(r"\\(.)")


class Cursor:
    """Stand at one token of a text, and know the prefixes and the base declared before it."""

    def __init__(self, text: str, *, path: str | Path) -> None:
        """Stand before the first token of `text`, the contents of the file `path`."""
        self._text = text
        self._path = path
        self._base = ""
        self._namespaces: dict[str, str] = {}
        self._iris: dict[str, str] = {}
        self.token = Token(Kind.END, "", "", 0, 0)

    def advance(self) -> None:
        """Go to the next token; every error of this class is a `ParseError`."""
        self.token = self.peek()

    def peek(self) -> Token:
        """Return the next token without going there."""
        try:
            return next_token(self._text, self.token.end)
        except BadToken as error:
            self.fail(str(error), at=error.at)

    def fail(self, message: str, *, at: int | None = None) -> NoReturn:
        """Raise `ParseError` with the line of offset `at`, or of the token."""
        place = self.token.start if at is None else at
        line = self._text.count("\n", 0, place) + 1
        raise ParseError(message, file=self._path, line=line)

    def found(self) -> str:
        """Return what to call the token in a message."""
        if self.token.kind is Kind.END:
            return "the file ends"
        return repr(self._text[self.token.start :][:20].split("\n")[0])

    def declare_base(self) -> None:
        """Take the IRI that the token is for the base."""
        self._base = self.absolute()
        self._iris.clear()

    def declare_prefix(self) -> None:
        """Take the token for a prefix and the next one for its IRI."""
        token = self.token
        if token.kind is not Kind.NAME or token.value:
            self.fail(f"{self.found()} where a prefix is expected, as in dc:")
        self.advance()
        self._namespaces[token.prefix] = self.absolute()

    def absolute(self) -> str:
        """Return the IRI that the token is, resolved against the base."""
        if self.token.kind is not Kind.IRI:
            self.fail(f"{self.found()} where an IRI is expected, as in <http://…>")
        raw = self.token.value
        if (known := self._iris.get(raw)) is not None:
            return known
        try:
            iri = unescape(raw)
            if not is_iri(iri):
                if not self._base:
                    self.fail(f"<{raw[:60]}> is no absolute IRI; write it in full, or give @base")
                iri = resolve(self._base, iri)
        except ValueError as error:
            self.fail(str(error))
        if not is_iri(iri):
            self.fail(f"<{raw[:60]}> holds a character that no IRI may hold; percent-encode it")
        self._iris[raw] = iri
        return iri

    def expanded(self) -> str:
        """Return the IRI that the token, a prefixed name, stands for."""
        prefix, local = self.token.prefix, self.token.value
        namespace = self._namespaces.get(prefix)
        if namespace is None:
            self.fail(f"the prefix {prefix}: is not declared; declare it with @prefix")
        return namespace + (_backslash.sub(r"\1", local) if "\\" in local else local)

    def term(self) -> str:
        """Return the IRI or the blank node, with its label, that the token is."""
        kind = self.token.kind
        if kind is Kind.NAME:
            iri = self.expanded()
        elif kind is Kind.IRI:
            iri = self.absolute()
        elif kind is Kind.BLANK:
            return self.token.value
        elif kind is Kind.MARK and self.token.value == "{":
            self.fail("{ begins a formula of N3 or a graph of TriG; only .trig files hold graphs")
        else:
            self.fail(f"{self.found()} where an IRI or a blank node is expected")
        return from_rdf(iri) if iri.startswith(SCHEME) else iri

    def number(self) -> str:
        """Return the number or truth value that the token is, spelt as it stands."""
        kind, value = self.token.kind, self.token.value
        if kind in _NUMBERS:
            return literal(value, datatype=_NUMBERS[kind])
        if kind is Kind.WORD and value in ("true", "false"):
            return literal(value, datatype=_XSD + "boolean")
        self.fail(f"{self.found()} where a tail is expected: an IRI, a blank node or a literal")

    def _datatype(self) -> str:
        return self.expanded() if self.token.kind is Kind.NAME else self.absolute()

    def text(self) -> tuple[str, bool]:
        """Return the literal that begins at the token, and whether a tag or datatype ends it.

        The token is then the tag or datatype, or else the one that follows the literal.
        """
        token = self.token
        self.advance()
        language = datatype = ""
        if self.token.kind is Kind.AT:
            language = self.token.value
        elif self.token.kind is Kind.MARK and self.token.value == "^^":
            self.advance()
            datatype = self._datatype()
        if len(token.value) > MAX_LITERAL:
            self.fail(f"literal of more than {MAX_LITERAL} characters; shorten it", at=token.start)
        try:
            written = literal(unescape(token.value), language=language, datatype=datatype)
        except ValueError as error:
            self.fail(str(error), at=token.start)
        return written, bool(language or datatype)
