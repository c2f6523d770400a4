"""Check a document before a library reads it: its size, its text, its depth, what it would fetch.

Nothing is fetched for a document, ever: a JSON-LD context that stands elsewhere is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from math import isinf
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from graphs.errors import GraphError, ParseError
from graphs.syntax.turtle_terms import MAX_DEPTH
from graphs.terms import LANGUAGE

MAX_TURTLE = 256 << 20
MAX_JSON = 64 << 20
_BOM = b"\xef\xbb\xbf"
_LARGEST_INTEGER = 10**21
_no_iri = re.compile(r'[\x00-\x20<>"{}|^`\\\ud800-\udfff]').search
_language = re.compile(LANGUAGE).fullmatch
_bracket = re.compile(r'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+"|")*+([\[\]{}])', re.DOTALL)


class Double(float):
    """Hold a number of JSON as JSON-LD writes it: `5.5` is `5.5E0` (JSON-LD 1.1 API, 8.6)."""

    def __str__(self) -> str:
        """Return the canonical form of `xsd:double`."""
        mantissa, _, exponent = f"{self:.15E}".partition("E")
        whole, _, part = mantissa.partition(".")
        return f"{whole}.{part.rstrip('0') or '0'}E{int(exponent)}"


def read_text(file: BinaryIO, *, path: str | Path, limit: int) -> str:
    """Return what is left of `file` as text, without a byte order mark.

    Raises `GraphError` for more than `limit` bytes, `ParseError` for NUL and what is not UTF-8.
    """
    data = file.read(limit + 1)
    if len(data) > limit:
        raise GraphError(
            f"{path}: larger than {limit >> 20} MiB, which this format is read in at most; "
            "convert it to N-Triples (.nt), which has no limit"
        )
    data = data.removeprefix(_BOM)
    if (at := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, at) + 1
        raise ParseError("NUL byte; is this a text file?", file=path, line=line)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise ParseError(message, file=path, line=line) from None


def load_json(text: str, *, path: str | Path) -> Any:
    """Return the JSON of `text` once nothing in it is deep, ambiguous or elsewhere.

    Raises `ParseError` for what is not JSON, brackets deeper than MAX_DEPTH and a context given by
    address or imported; `GraphError` for a key that one object has twice, and for numbers that
    JSON does not have.
    """
    _check_depth(text, path=path)
    try:
        data = json.loads(
            text,
            object_pairs_hook=lambda pairs: _unique(pairs, path=path),
            parse_float=_number,
            parse_int=_number,
            parse_constant=lambda name: _no_number(name, path=path),
        )
    except json.JSONDecodeError as error:
        raise ParseError(f"not JSON: {error.msg}", file=path, line=error.lineno) from None
    except ValueError as error:
        raise GraphError(f"{path}: not JSON: {error}") from None
    for message, value in _faults(data):
        at = text.find(json.dumps(value, ensure_ascii=False))
        raise ParseError(message, file=path, line=text.count("\n", 0, max(at, 0)) + 1)
    return data


def _check_depth(text: str, *, path: str | Path) -> None:
    depth = at = 0
    while match := _bracket.match(text, at):
        at = match.end()
        depth += 1 if match[1] in "[{" else -1
        if depth > MAX_DEPTH:
            line = text.count("\n", 0, at) + 1
            raise ParseError(f"more than {MAX_DEPTH} levels deep", file=path, line=line)


def _unique(pairs: list[tuple[str, Any]], *, path: str | Path) -> dict[str, Any]:
    object_ = dict(pairs)
    if len(object_) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise GraphError(f"{path}: an object has the key {twice[:60]!r} twice; keep one")
    return object_


def _number(written: str) -> int | Double:
    value = Double(written)
    if isinf(value):
        raise ValueError(f"the number {written[:20]}… is too large; write it as a string")
    if abs(value) < _LARGEST_INTEGER and value.is_integer():
        return int(value) if "." in written or "e" in written.lower() else int(written)
    return value


def _no_number(name: str, *, path: str | Path) -> NoReturn:
    raise GraphError(f"{path}: {name} is no number of JSON; leave it out")


def _faults(data: Any) -> Iterator[tuple[str, Any]]:
    """Yield what is wrong, and the value: what rdflib would fetch, or drop in silence."""
    waiting = [data]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        if not isinstance(part, dict):
            continue
        for address in _flat([part.get("@context"), part.get("@import")]):
            if isinstance(address, str):
                shown = repr(address[:60])
                yield (
                    f"the context {shown} stands elsewhere, and nothing is fetched; embed it",
                    address,
                )
        name = part.get("@id")
        if name is not None and (not isinstance(name, str) or _no_iri(name)):
            yield f"@id is {repr(name)[:60]}, no IRI; percent-encode what no IRI may hold", name
        language = part.get("@language")
        if isinstance(language, str) and not _language(language):
            yield f"{language[:60]!r} is no language tag; write it as in en or zh-Hant", language
        waiting += part.values()


def _flat(values: list[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from _flat(value)
        else:
            yield value
