"""Pass the events of an RDF/XML document on to a handler, checked: no DOCTYPE, nothing too large.

Without a DOCTYPE there are no entities but XML's own, so that nothing can be expanded or fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn
from xml.sax import SAXParseException, make_parser
from xml.sax.handler import (
    ContentHandler,
    feature_external_ges,
    feature_external_pes,
    feature_namespaces,
    property_lexical_handler,
)

from graphs.errors import ParseError
from graphs.syntax.iri import resolve
from graphs.syntax.turtle_terms import MAX_DEPTH, MAX_LITERAL
from graphs.terms import Literal, is_iri

# Markup within a literal is put together piece by piece, in a time that grows with its square.
MAX_MARKUP = 1 << 16
_PIECE = 1 << 16
_XML = "http://www.w3.org/XML/1998/namespace"
_MARKUP = "http://www.w3.org/1999/02/22-rdf-syntax-ns#XMLLiteral"


class XmlEvents(ContentHandler):
    """Check each event, and hand it to `inner`, rdflib's handler of RDF/XML.

    `inner` is kept from making literals itself, because it would respell numbers and parse markup
    anew for each line of it, and from resolving IRIs, which it does not by RFC 3986.
    """

    def __init__(self, inner: Any, *, path: str | Path, iri: Callable[[str], Any]) -> None:
        """Take `iri`, which makes an IRI as `inner` knows it."""
        super().__init__()
        self._inner = inner
        self._path = path
        self._iri = iri
        self._text: list[str] = []
        self._size = 0
        self._depth = 0
        self.count = 0
        inner.absolutize = self._absolutize
        inner.error = self.fail
        inner.startPrefixMapping("xml", _XML)

    def fail(self, message: str) -> NoReturn:
        """Raise `ParseError` with the line where the document is read."""
        line = self._inner.locator.getLineNumber() or 1
        raise ParseError(message, file=self._path, line=line)

    def setDocumentLocator(self, locator: Any) -> None:
        """Remember where lines are asked."""
        self._inner.setDocumentLocator(locator)

    def startDTD(self, *_: object) -> NoReturn:
        """Refuse a DOCTYPE."""
        self.fail("DOCTYPE: entities are not read; write them out and remove the declaration")

    def endDTD(self) -> None:
        """Ignore an event that never comes."""

    def comment(self, _text: str) -> None:
        """Ignore a comment."""
        self.count += 1

    def startCDATA(self) -> None:
        """Ignore how text is quoted."""

    def endCDATA(self) -> None:
        """Ignore how text is quoted."""

    def startPrefixMapping(self, prefix: str | None, uri: str | None) -> None:
        """Hand on a prefix."""
        self._inner.startPrefixMapping(prefix, uri)

    def endPrefixMapping(self, prefix: str | None) -> None:
        """Hand on the end of a prefix."""
        self._inner.endPrefixMapping(prefix)

    def characters(self, content: str) -> None:
        """Gather text, which comes in pieces."""
        self.count += 1
        self._size += len(content)
        if self._size > MAX_LITERAL:
            self.fail(f"literal of more than {MAX_LITERAL} characters; shorten it")
        self._text.append(content)

    def startElementNS(self, name: Any, qname: Any, attrs: Any) -> None:
        """Hand on the beginning of an element."""
        self.count += 1
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.fail(f"elements more than {MAX_DEPTH} deep; name the blank nodes instead")
        self._flush()
        self._checked(self._inner.startElementNS, name, qname, attrs)
        current = self._inner.current
        if getattr(current.object, "datatype", None) is not None:
            current.object = ""

    def endElementNS(self, name: Any, qname: Any) -> None:
        """Hand on the end of an element, with the literal that it holds."""
        self.count += 1
        self._depth -= 1
        self._flush()
        current = self._inner.current
        if current.object is not None and (current.data or "").strip():
            self.fail(f"the text {current.data.strip()[:40]!r} stands beside an element; keep one")
        if current.data is not None and current.object is None:
            datatype = str(current.datatype or "")
            language = "" if datatype else current.language or ""
            current.object, current.data = Literal(current.data, language, datatype), None
        elif type(current.object) is str and getattr(current, "predicate", None) is not None:
            current.object = Literal(current.object, "", _MARKUP)
        self._checked(self._inner.endElementNS, name, qname)
        self._check_markup()

    def _flush(self) -> None:
        if self._text:
            text = "".join(self._text)
            if self._inner.current.char is None and not text.isspace():
                self.fail(f"the text {text.strip()[:40]!r} belongs to no relation; remove it")
            self._inner.characters(text)
            self._check_markup()
            self._text.clear()
            self._size = 0

    def _check_markup(self) -> None:
        markup = self._inner.current.object if self._depth else None
        if type(markup) is str and len(markup) > MAX_MARKUP:
            self.fail(f"markup of more than {MAX_MARKUP} characters in a literal; shorten it")

    def _checked(self, event: Callable[..., None], *arguments: Any) -> None:
        try:
            event(*arguments)
        except ParseError:
            raise
        except Exception as error:
            # rdflib checks little: what is not RDF/XML ends in any exception there is.
            shown = " ".join(str(error).split())[:160]
            self.fail(shown if isinstance(error, ValueError) else f"not RDF/XML: {shown}")

    def _absolutize(self, reference: str) -> Any:
        if is_iri(reference):
            return self._iri(reference)
        base = self._inner.current.base
        if not base or not is_iri(base):
            shown = reference[:60]
            self.fail(f"<{shown}> is no absolute IRI; write it in full, or give xml:base")
        return self._iri(resolve(base, reference))


def feed(
    file: BinaryIO, *, events: XmlEvents, path: str | Path
) -> Generator[Callable[[], None], None, None]:
    """Yield steps, each of which reads a piece of `file`; call every one before the next.

    A step raises `ParseError` with the line for what is not XML, a DOCTYPE, and a tag, comment or
    text of more than MAX_LITERAL bytes.
    """
    parser: Any = make_parser()
    parser.setFeature(feature_namespaces, True)
    parser.setFeature(feature_external_ges, False)
    parser.setFeature(feature_external_pes, False)
    parser.setContentHandler(events)
    events.setDocumentLocator(parser)
    parser.setProperty(property_lexical_handler, events)
    seen = silent = 0

    def step(data: bytes, *, last: bool) -> None:
        try:
            parser.close() if last else parser.feed(data)
        except SAXParseException as error:
            message = f"not XML: {error.getMessage()}"
            raise ParseError(message, file=path, line=error.getLineNumber() or 1) from None
        except (LookupError, ValueError) as error:
            # Only an encoding that Python does not know, or not as one of text, comes to this.
            message = f"{error}; save the file as UTF-8"
            raise ParseError(message, file=path, line=parser.getLineNumber() or 1) from None

    yield lambda: step(b"", last=False)
    while data := file.read(_PIECE):
        yield lambda data=data: step(data, last=False)  # type: ignore[misc]
        silent = silent + len(data) if events.count == seen else 0
        seen = events.count
        if silent > MAX_LITERAL:
            events.fail(f"tag or comment of more than {MAX_LITERAL} bytes; shorten it")
    yield lambda: step(b"", last=True)
