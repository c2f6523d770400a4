r"""Write the terms of RDF as strings, in one form, so that every reader gives the same graph.

    IRI          bare: http://schema.org/Person
    blank node   _:label
    literal      "text", "text"@en, "42"^^<http://www.w3.org/2001/XMLSchema#integer>
    plain text   whatever else a .spo, .tsv or .csv file holds

A literal is written as canonical N-Triples do (RDF 1.1 N-Triples, section 4): a quote, a backslash
and control characters are escaped, `\t` rather than `\u0009`; all else stands for itself; language
tags are lower-case, and the datatype `xsd:string` is left out. So no term holds a tab, a line feed
or a carriage return.

Plain text in RDF is an IRI of the scheme `urn:graphs:`, percent-encoded; reading undoes that.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

from graphs.triple import is_text

XSD_STRING = "http://www.w3.org/2001/XMLSchema#string"
# Only a literal with a language, or with a direction as well, is of these datatypes.
TAGGED = (
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#dirLangString",
)
SCHEME = "urn:graphs:"

# Sources of regular expressions. Each quantifier is possessive, so that none is tried twice: the
# time to match is linear in the length of the line.
IRI = r'[A-Za-z][A-Za-z0-9+.\-]*+:[^\x00-\x20<>"{}|^`\\\ud800-\udfff]*+'
LANGUAGE = r"[A-Za-z]++(?:-[A-Za-z0-9]++)*+"
_START = (
    "A-Za-z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c-\u200d"
    "\u2070-\u218f\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff0-9"
)
_WITHIN = _START + "\u00b7\u0300-\u036f\u203f-\u2040\\-"
BLANK = f"_:[{_START}][{_WITHIN}]*+(?:\\.++[{_WITHIN}]++)*+"

_ESCAPES = {
    "\t": r"\t",
    "\b": r"\b",
    "\n": r"\n",
    "\r": r"\r",
    "\f": r"\f",
    '"': r"\"",
    "\\": r"\\",
}
_UNESCAPES = {written[1]: char for char, written in _ESCAPES.items()} | {"'": "'"}

_is_iri = re.compile(IRI).fullmatch
_is_blank = re.compile(BLANK).fullmatch
_is_language = re.compile(LANGUAGE).fullmatch
_special = re.compile(r'[\x00-\x1f"\\\x7f\ud800-\udfff]')
_escape = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([tbnrf\"'\\])|)")
_literal = re.compile(
    rf'"([^"\\\n\r]*+(?:\\.[^"\\\n\r]*+)*+)"(?:@({LANGUAGE})|\^\^<([^<>]*+)>)?'
).fullmatch
_no_iri_escape = re.compile(r"\\[^uU]|\\$").search
_forbidden = re.compile(r'[\x00-\x20<>"{}|^`\\\ud800-\udfff]').search
_percent = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_control = re.compile(r"[\x00-\x1f\x7f-\x9f]").search
_camel = re.compile(r"[a-z]{2,}[A-Za-z0-9]*").fullmatch
_hump = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Literal(NamedTuple):
    """Hold the parts of a literal; no datatype means `xsd:string`, or a text in `language`."""

    text: str
    language: str = ""
    datatype: str = ""


def literal(text: str, *, language: str = "", datatype: str = "") -> str:
    """Return the term of a literal, in the canonical form.

    Raises `ValueError` for a lone surrogate in `text`, for a `language` that is no language tag, a
    `datatype` that is no absolute IRI or that of a tagged text, and for both at once.
    """
    quoted = f'"{_special.sub(_write, text)}"' if _special.search(text) else f'"{text}"'
    if language and datatype:
        raise ValueError("a literal has a language or a datatype, not both")
    if language:
        if not _is_language(language):
            raise ValueError(f"{language[:60]!r} is no language tag; write it as in en or zh-Hant")
        return f"{quoted}@{language.lower()}"
    if not datatype or datatype == XSD_STRING:
        return quoted
    if datatype in TAGGED:
        raise ValueError(f"the datatype {datatype} needs a language tag")
    if not _is_iri(datatype):
        raise ValueError(f"the datatype {datatype[:60]!r} is no absolute IRI")
    return f"{quoted}^^<{datatype}>"


def _write(match: re.Match[str]) -> str:
    char = match[0]
    if "\ud800" <= char <= "\udfff":
        raise ValueError(f"lone surrogate U+{ord(char):04X} in a literal; it is no character")
    return _ESCAPES.get(char) or f"\\u{ord(char):04X}"


def parse_literal(term: str) -> Literal | None:
    """Return the parts of `term`, or None if it is not exactly one literal in N-Triples' form."""
    if not term.startswith('"') or (match := _literal(term)) is None:
        return None
    text, language, datatype = match.groups()
    try:
        text = unescape(text)
        datatype = "" if datatype is None else unescape_iri(datatype)
    except ValueError:
        return None
    if datatype in TAGGED:
        return None
    return Literal(text, (language or "").lower(), "" if datatype == XSD_STRING else datatype)


def unescape(text: str) -> str:
    r"""Return `text` without the escapes of N-Triples (`\n`, `\"`, `\u00E9`, `\U0001F600`, …).

    Raises `ValueError` for any other escape and for the code of no character.
    """
    return _escape.sub(_read, text) if "\\" in text else text


def unescape_iri(text: str) -> str:
    r"""Return the absolute IRI that stands between `<` and `>` as `text`, without its escapes.

    Raises `ValueError` for an escape other than `\\u` and `\\U`, for a character that no IRI may
    hold, escaped or not, and for a relative IRI.
    """
    iri = text
    if "\\" in text:
        if match := _no_iri_escape(text):
            raise ValueError(f"{match[0]} is no escape of an IRI; write \\u or \\U and hex digits")
        iri = unescape(text)
    if _is_iri(iri):
        return iri
    if match := _forbidden(iri):
        raise ValueError(f"{match[0]!r} is not allowed in an IRI; percent-encode it")
    raise ValueError(f"<{iri[:60]}> is a relative IRI; write it in full, with its scheme")


def _read(match: re.Match[str]) -> str:
    short, long, char = match.groups()
    if char:
        return _UNESCAPES[char]
    if not short and not long:
        raise ValueError(f"{match.string[match.start() :][:2]} is no escape; write \\\\ for a \\")
    code = int(short or long, 16)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise ValueError(f"{match[0]} is no character; write the character itself")
    return chr(code)


def is_iri(term: str) -> bool:
    """Say whether `term` is an absolute IRI: a scheme, a colon, and no character IRIs forbid."""
    return _is_iri(term) is not None


def is_blank(term: str) -> bool:
    """Say whether `term` is a blank node, `_:` and a label of N-Triples."""
    return _is_blank(term) is not None


def readable(term: str) -> str:
    """Return what a person calls `term`: of an IRI its local name, of a literal its text.

    The local name is what stands behind the last `#`, or else the last `/`, or else the last `:`,
    percent-decoded where that gives UTF-8, with spaces for `_`. A name in camel case, which
    begins with two small letters, is split: `birthPlace` gives `birth place`. Names that begin
    with a capital are left whole (`YouTube`). A blank node has no name (`""`); plain text is its
    own. A NUL in a literal becomes U+FFFD.
    """
    if term.startswith('"') and (parts := parse_literal(term)) is not None:
        return parts.text.replace("\0", "\ufffd")
    if term.startswith("_:") and is_blank(term):
        return ""
    if not is_iri(term):
        return term
    name = _percent.sub(_decode, _local_name(term)).replace("_", " ").strip()
    if _camel(name):
        name = " ".join(
            word.lower() if word[1:].islower() or len(word) == 1 else word
            for word in _hump.split(name)
        )
    return name or term


def _local_name(iri: str) -> str:
    whole = iri.rstrip("#/")
    for mark in "#/:":
        _before, found, name = whole.rpartition(mark)
        if found:
            return name
    return whole


def _decode(match: re.Match[str]) -> str:
    try:
        text = bytes.fromhex(match[0].replace("%", "")).decode("utf-8")
    except UnicodeDecodeError:
        return match[0]
    return match[0] if _control(text) else text


def to_rdf(term: str) -> str:
    """Return an IRI for a term: an IRI is its own, and plain text is put into `urn:graphs:`.

    A text that begins with `urn:graphs:` is encoded as well, so that `from_rdf` gives back every
    text. Raises `ValueError` for what no graph holds: an empty or blank text, NUL, a surrogate.
    """
    if _is_iri(term) and not term.startswith(SCHEME):
        return term
    if not is_text(term) or not term or term.isspace():
        raise ValueError(f"{term[:60]!r} cannot be written as an IRI; it is empty or no text")
    return SCHEME + quote(term, safe="")


def from_rdf(iri: str) -> str:
    """Return the text that `to_rdf` wrote as `iri`; an IRI that it did not write stays as it is."""
    if not iri.startswith(SCHEME):
        return iri
    text = unquote(iri[len(SCHEME) :], errors="replace")
    try:
        return text if to_rdf(text) == iri else iri
    except ValueError:
        return iri
