r"""Read and write lines of N-Triples and N-Quads, strictly (W3C Recommendations of 2014).

A line is first matched by one regular expression that knows what is already canonical; it gives
the terms without another look. Whatever it does not match is taken apart term by term: escapes,
capitals in language tags, and every mistake, which is told with its column. White space between
terms is optional, comments follow the full stop or stand alone, and only a comment, a full stop or
a graph's name comes after the third term.

A line ends at a line feed, a carriage return or both, as in the grammar. `parse_line` takes one
line and refuses another behind it; `parse_lines` takes a text of many. A raw NUL is a character of
literals like any other, and the term has it as `\u0000`. Colons in blank node labels are refused,
as in the corrected grammar. The triple terms and directions of RDF 1.2 are refused.

Terms are as in `graphs.terms`; plain text is read from `urn:graphs:` and written so.
"""

from __future__ import annotations

import re
from typing import NoReturn

from graphs.terms import (
    BLANK,
    IRI,
    LANGUAGE,
    SCHEME,
    TAGGED,
    XSD_STRING,
    from_rdf,
    is_blank,
    literal,
    parse_literal,
    to_rdf,
    unescape,
    unescape_iri,
)

_PLAIN = r'[^"\\\x00-\x1f\x7f\ud800-\udfff]*+'
_NOT_CANONICAL = "|".join(re.escape(iri) for iri in (XSD_STRING, *TAGGED))
_CANONICAL = (
    rf'"{_PLAIN}(?:\\[tbnrf"\\]{_PLAIN})*+"'
    rf"(?:@[a-z]++(?:-[a-z0-9]++)*+(?![A-Za-z-])|\^\^<(?!(?:{_NOT_CANONICAL})>){IRI}>)?+"
)
_NODE = rf"(?:<({IRI})>|({BLANK}))"
_TRIPLE = rf"{_NODE}[ \t]*+<({IRI})>[ \t]*+(?:<({IRI})>|({BLANK}|{_CANONICAL}))[ \t]*+"
_END = r"\.[ \t]*+"
_COMMENT = r"(?:#[^\r\n]*+)?"
_triple_line = re.compile(rf"[ \t]*+(?:{_TRIPLE}{_END})?{_COMMENT}[\r\n]*+").fullmatch
_quad_line = re.compile(
    rf"[ \t]*+(?:{_TRIPLE}(?:{_NODE}[ \t]*+)?{_END})?{_COMMENT}[\r\n]*+"
).fullmatch
_line_end = re.compile(r"\r\n|[\r\n]")
_space = re.compile(r"[ \t]*+")
_iri = re.compile(r'<([^\x00-\x20<>"{}|^`]*+)>')
_not_iri = re.compile(r'[\x00-\x20<>"{}|^`]')
_blank = re.compile(BLANK)
_quoted = re.compile(r'"([^"\\\r\n]*+(?:\\.[^"\\\r\n]*+)*+)"')
_tag = re.compile(f"@({LANGUAGE})")
_TERM_STARTS = ("<", "_:", '"')

# What people write where N-Triples has no such thing, and what to do about it.
_STRANGERS = (
    ("<<", "triples within triples (RDF 1.2) are not read; leave them out"),
    ("@prefix", "@prefix belongs to Turtle; name the file .ttl"),
    ("@base", "@base belongs to Turtle; name the file .ttl"),
    ('"', "a literal can only be a tail; write an IRI"),
    ("_:", "no blank node: relations are IRIs, and a label begins with a letter, a digit or _"),
    ("'", "a literal needs double quotes"),
    ("\ufeff", "a byte order mark within the file; remove it"),
)


def parse_line(line: str) -> tuple[str, str, str] | None:
    """Return head, relation and tail of a line of N-Triples, or None if it holds no triple.

    Raises `ValueError` for a line that is not N-Triples: `column N: what is wrong; what to do`.
    """
    match = _triple_line(line)
    if match is None or SCHEME in line:
        quad = _parse_strictly(line, fourth=False)
        return quad[:3] if quad else None
    head, blank, relation, tail, other = match.groups()
    return (head or blank, relation, tail or other) if relation else None


def parse_quad(line: str) -> tuple[str, str, str, str] | None:
    """Return head, relation, tail and graph name (`""`: the default graph) of a line of N-Quads.

    None and `ValueError` are as in `parse_line`.
    """
    match = _quad_line(line)
    if match is None or SCHEME in line:
        return _parse_strictly(line, fourth=True)
    head, blank, relation, tail, other, graph, unnamed = match.groups()
    return (head or blank, relation, tail or other, graph or unnamed or "") if relation else None


def parse_lines(text: str) -> list[tuple[str, str, str]]:
    """Return the triples of a text of N-Triples, whose lines end at LF, CR or CR LF.

    Raises `ValueError`: `line N, column M: …`, where lines are counted from 1 in `text`.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    triples = []
    for number, line in enumerate(lines, start=1):
        try:
            triple = parse_line(line)
        except ValueError as error:
            raise ValueError(f"line {number}, {error}") from None
        if triple is not None:
            triples.append(triple)
    return triples


def format_triple(head: str, relation: str, tail: str) -> str:
    """Return the line of N-Triples, without its end, from which `parse_line` gives these parts.

    Raises `ValueError` for a part that no graph holds: blank, or with NUL or a lone surrogate.
    """
    return f"{_node(head)} <{to_rdf(relation)}> {_tail(tail)} ."


def format_quad(head: str, relation: str, tail: str, graph: str) -> str:
    """Return a line of N-Quads, as `format_triple` does; `""` is the default graph."""
    name = f"{_node(graph)} " if graph else ""
    return f"{_node(head)} <{to_rdf(relation)}> {_tail(tail)} {name}."


def _node(term: str) -> str:
    return term if is_blank(term) else f"<{to_rdf(term)}>"


def _tail(term: str) -> str:
    parts = parse_literal(term)
    if parts is None:
        return _node(term)
    text, language, datatype = parts
    # Only the canonical form is read back as it stands; another is written as plain text is.
    return term if literal(text, language=language, datatype=datatype) == term else _node(term)


def _parse_strictly(line: str, *, fourth: bool) -> tuple[str, str, str, str] | None:
    """Return the parts of a line, term by term; with `fourth`, a graph's name may follow."""
    text = line.rstrip("\r\n")
    if end := _line_end.search(text):
        _fail(end.start(), f"{end[0]!r} ends a line within this one; end lines with line feeds")
    at = _skip(text, 0)
    if text[at : at + 1] in ("", "#"):
        return None
    head, at = _read_term(text, at, role="head")
    relation, at = _read_term(text, at, role="relation")
    tail, at = _read_term(text, at, role="tail")
    graph = ""
    if fourth and text.startswith(_TERM_STARTS, at):
        graph, at = _read_term(text, at, role="graph name")
    if text[at : at + 1] != ".":
        _fail(at, _missing_stop(text, at, fourth=fourth))
    at = _skip(text, at + 1)
    if text[at : at + 1] not in ("", "#"):
        _fail(at, f"{_show(text, at)} after the full stop; begin a new line there")
    return head, relation, tail, graph


def _read_term(text: str, at: int, *, role: str) -> tuple[str, int]:
    """Return the term that begins at offset `at`, and the offset of what follows."""
    first = text[at : at + 1]
    if first == "<" and not text.startswith("<<", at):
        iri, end = _read_iri(text, at)
        return from_rdf(iri), _skip(text, end)
    if first == "_" and role != "relation" and (match := _blank.match(text, at)):
        return match[0], _skip(text, match.end())
    if first == '"' and role == "tail":
        return _read_literal(text, at)
    if not first:
        _fail(at, f"the line ends before the {role}; write head, relation, tail and a full stop")
    for start, message in _STRANGERS:
        if text.startswith(start, at):
            _fail(at, message)
    _fail(at, f"{_show(text, at)} is no {role}; write an IRI as <http://…>")


def _read_iri(text: str, at: int) -> tuple[str, int]:
    match = _iri.match(text, at)
    if match is None:
        wrong = _not_iri.search(text, at + 1)
        if wrong is None:
            _fail(at, "the IRI is not closed; write > at its end")
        _fail(wrong.start(), f"{wrong[0]!r} is not allowed in an IRI; percent-encode it")
    try:
        return unescape_iri(match[1]), match.end()
    except ValueError as error:
        _fail(at, str(error))


def _read_literal(text: str, at: int) -> tuple[str, int]:
    match = _quoted.match(text, at)
    if match is None:
        _fail(at, 'the literal is not closed; write " at its end, and \\" for a quote within')
    end = _skip(text, match.end())
    language = datatype = ""
    if text.startswith("@", end):
        tag = _tag.match(text, end)
        if tag is None:
            _fail(end, f"{_show(text, end)} is no language tag; write it as @en or @zh-hant")
        language, end = tag[1], _skip(text, tag.end())
    elif text.startswith("^^", end):
        end = _skip(text, end + 2)
        if not text.startswith("<", end):
            _fail(end, "a datatype is an IRI; write ^^<http://…>")
        datatype, end = _read_iri(text, end)
        end = _skip(text, end)
    try:
        return literal(unescape(match[1]), language=language, datatype=datatype), end
    except ValueError as error:
        _fail(at, str(error))


def _missing_stop(text: str, at: int, *, fourth: bool) -> str:
    if at == len(text):
        return "the line ends without a full stop; write one, or the rest of a broken line"
    if text.startswith("--", at):
        return "a direction of the text (RDF 1.2) is not read; leave it out"
    if text[at] in ",;":
        return f"{text[at]!r} belongs to Turtle; name the file .ttl"
    if text.startswith(_TERM_STARTS, at) and not fourth:
        return "a fourth term; a file with graph names is N-Quads: name it .nq"
    return f"{_show(text, at)} instead of a full stop; end the statement with one"


def _skip(text: str, at: int) -> int:
    match = _space.match(text, at)
    return match.end() if match else at


def _show(text: str, at: int) -> str:
    return repr(text[at : at + 20])


def _fail(at: int, message: str) -> NoReturn:
    raise ValueError(f"column {at + 1}: {message}")
