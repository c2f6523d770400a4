"""Cut a text of Turtle or TriG into tokens, by the terminals of RDF 1.1 Turtle (section 6.5).

Every quantifier of the expression is possessive, so that no character is tried twice in one way:
the time is linear in the length of the text, whatever the text is.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

_BASE = (
    "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c-\u200d"
    "\u2070-\u218f\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_CHARS = _BASE + "_0-9\u00b7\u0300-\u036f\u203f-\u2040\\-"
_ESCAPED = r"%[0-9A-Fa-f]{2}|\\[_~.\-!$&'()*+,;=/?#@%]"
_EXPONENT = r"[eE][+\-]?+[0-9]++"


class Kind(Enum):
    """Name the kinds of token."""

    IRI = "an IRI"
    NAME = "a prefixed name"
    BLANK = "a blank node"
    TEXT = "a literal"
    DOUBLE = "a double"
    DECIMAL = "a decimal"
    INTEGER = "an integer"
    AT = "a language tag or directive"
    WORD = "a word"
    MARK = "a mark"
    END = "the end of the file"


_TERMINALS: tuple[tuple[Kind, str], ...] = (
    (Kind.IRI, r'<((?:[^\x00-\x20<>"{}|^`\\]++|\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8})*+)>'),
    (
        Kind.NAME,
        rf"(?P<prefix>(?:[{_BASE}][{_CHARS}]*+(?:\.++[{_CHARS}]++)*+)?+):"
        rf"((?:(?:[{_BASE}_0-9:]|{_ESCAPED})(?:\.*+(?:[{_CHARS}:]++|{_ESCAPED}))*+)?+)",
    ),
    (Kind.BLANK, rf"(_:[{_BASE}_0-9][{_CHARS}]*+(?:\.++[{_CHARS}]++)*+)"),
    (Kind.TEXT, r'"""((?:[^"\\]++|\\.|"(?!""))*+)"""'),
    (Kind.TEXT, r"'''((?:[^'\\]++|\\.|'(?!''))*+)'''"),
    (Kind.TEXT, r'"(?!"")((?:[^"\\\r\n]++|\\[^\r\n])*+)"'),
    (Kind.TEXT, r"'(?!'')((?:[^'\\\r\n]++|\\[^\r\n])*+)'"),
    (Kind.DOUBLE, rf"([+\-]?+(?:[0-9]++\.[0-9]*+|\.?+[0-9]++){_EXPONENT})"),
    (Kind.DECIMAL, r"([+\-]?+[0-9]*+\.[0-9]++)"),
    (Kind.INTEGER, r"([+\-]?+[0-9]++)"),
    (Kind.AT, r"@([A-Za-z]++(?:-[A-Za-z0-9]++)*+)"),
    (Kind.WORD, r"([A-Za-z]++)"),
    (Kind.MARK, r"(\^\^|[\[\](){}.,;])"),
    (Kind.END, r"(\Z)"),
)
_SPACE = r"(?:[ \t\r\n]++|#[^\r\n]*+)*+"
_token = re.compile(
    _SPACE + "(?:" + "|".join(source for _, source in _TERMINALS) + ")", re.DOTALL
).match
_space = re.compile(_SPACE).match
_bracket = re.compile(
    r"""(?:[^"'<#\\\[\]()]++|\\.|<[^<>\s]*+>|#[^\r\n]*+|\"""(?:[^"\\]++|\\.|"(?!""))*+\"""|"""
    r"""'''(?:[^'\\]++|\\.|'(?!''))*+'''|"(?:[^"\\\r\n]++|\\.)*+"|'(?:[^'\\\r\n]++|\\.)*+'|"""
    r"""["'<\\])*+([\[\]()])""",
    re.DOTALL,
).match


def _kinds() -> tuple[Kind, ...]:
    """Return the kind of token by the number of the last group that matched."""
    kinds = [Kind.END]
    for kind, source in _TERMINALS:
        kinds += [kind] * re.compile(source).groups
    return tuple(kinds)


_KINDS = _kinds()


class Token(NamedTuple):
    """Hold a token: its kind, what it says, its prefix if it is a name, and where it is."""

    kind: Kind
    value: str
    prefix: str
    start: int
    end: int


def next_token(text: str, at: int) -> Token:
    """Return the token at offset `at` of `text` or after the space and comments there.

    Raises `BadToken` where none begins.
    """
    match = _token(text, at)
    if match is None:
        space = _space(text, at)
        raise BadToken(text, space.end() if space else at)
    last = match.lastindex or 0
    kind = _KINDS[last]
    value = match[last]
    prefix = match["prefix"] if kind is Kind.NAME else ""
    return Token(kind, value, prefix, match.start(last), match.end())


class BadToken(Exception):
    """Say what is wrong at offset `at` of a text, where no token begins."""

    def __init__(self, text: str, at: int) -> None:
        """Find the words for what stands at `at`."""
        super().__init__(_explain(text, at))
        self.at = at


def _explain(text: str, at: int) -> str:
    shown = repr(text[at : at + 20])
    if text.startswith("<<", at):
        return "<< begins a triple term of RDF 1.2, which is not read; leave it out"
    if text[at] == "<":
        return f"{shown} is no IRI; write <http://…> without spaces, percent-encoded"
    if text[at] in "\"'":
        return f"the literal {shown} is not closed as it was opened; check its quotes"
    if text[at] in "=?!":
        return f"{shown} is N3, not Turtle; only the Turtle part of N3 is read"
    return f"{shown} is no Turtle; check the line, and escape marks within prefixed names"


def is_deep(text: str, *, most: int) -> bool:
    """Say whether brackets in `text` are more than `most` deep; strings and comments do not count.

    What is no Turtle may be told wrongly. Brackets of RDF 1.2 are counted, not followed.
    """
    if text.count("<<") + text.count("{|") > most:
        return True
    if text.count("[") + text.count("(") <= most:
        return False
    depth = at = 0
    while match := _bracket(text, at):
        at = match.end()
        depth += 1 if match[1] in "[(" else -1
        if depth > most:
            return True
    return False
