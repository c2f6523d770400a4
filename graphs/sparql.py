"""Ask a SPARQL endpoint for triples, on the user's request only: a CONSTRUCT query, N-Triples back.

An answer is fetched whole, into memory or a temporary file, before its first triple is given, so
half an answer is never half a graph. How long that may take and how large it may be is bounded.
Nothing is tried twice.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from tempfile import SpooledTemporaryFile
from typing import IO

from graphs.errors import GraphError, ParseError
from graphs.fetching import fetch
from graphs.opening import MAX_LINE, line_text
from graphs.syntax.ntriples import parse_line
from graphs.terms import is_blank
from graphs.triple import Triple, is_text

MAX_BYTES = 1 << 30
_IN_MEMORY = 1 << 24
# Older endpoints call N-Triples plain text.
_TYPES = ("application/n-triples", "text/plain")

_construct = re.compile(r"\bCONSTRUCT\b", re.IGNORECASE).search
_ordered = re.compile(r"\bORDER\s+BY\b", re.IGNORECASE).search


def read_endpoint(
    url: str,
    query: str,
    *,
    timeout: float = 300.0,
    page_size: int | None = None,
    max_bytes: int = MAX_BYTES,
) -> Generator[Triple, None, None]:
    """Yield the triples that the endpoint at `url` constructs for `query`, in its order.

    Each answer must be there, whole, within `timeout` seconds; all answers together may hold
    `max_bytes`. With `page_size` the query is asked again and again with `LIMIT page_size` and a
    growing `OFFSET` after it (SPARQL 1.1, section 15) until a page holds no triple; the query needs
    an `ORDER BY`, without which pages may overlap or leave something out. Blank nodes of page N
    become `_:pN_…`, as those of different answers are never the same.

    Raises `GraphError` at once for what can be no such request; while iterating for an endpoint
    that cannot be reached, refuses, redirects to another scheme, takes too long, or answers too
    much or something else, and `ParseError` (`URL:LINE: …`) for a line that is not N-Triples.
    """
    if not re.match(r"https?://[^/?#@\s]+(?:[/?#]\S*)?$", url, re.IGNORECASE):
        raise GraphError(f"{url!r} is no endpoint; give http://… or https://…, without a password")
    if not is_text(query) or not _construct(query):
        raise GraphError("the query constructs no triples; write CONSTRUCT { … } WHERE { … }")
    if page_size is not None and page_size < 1:
        raise GraphError(f"page_size is {page_size}; it must be at least 1")
    if page_size is not None and not _ordered(query):
        raise GraphError("page_size needs an ORDER BY in the query: without it pages may overlap")
    if not timeout > 0 or max_bytes < 1:
        raise GraphError(f"timeout is {timeout} and max_bytes {max_bytes}; both must be above 0")
    return _read(url, query, timeout=timeout, page_size=page_size, max_bytes=max_bytes)


def _read(
    url: str, query: str, *, timeout: float, page_size: int | None, max_bytes: int
) -> Generator[Triple, None, None]:
    page, last, left = 0, "", max_bytes
    while True:
        asked = f"{query}\nLIMIT {page_size} OFFSET {page * page_size}" if page_size else query
        found = False
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
            form = {"query": asked}
            answer = fetch(url, form=form, types=_TYPES, timeout=timeout, limit=left, into=file)
            if page_size and answer.size and answer.sha256 == last:
                raise GraphError(
                    f"{url}: gives page {page} again for {page + 1}; OFFSET is ignored"
                )
            file.seek(0)
            page, last, left = page + 1, answer.sha256, left - answer.size
            for head, relation, tail in _parse(file, url=url):
                found = True
                if page_size:
                    head, tail = _of_page(head, page), _of_page(tail, page)
                yield Triple(head, relation, tail)
        if not page_size or not found:
            return


def _parse(file: IO[bytes], *, url: str) -> Iterator[tuple[str, str, str]]:
    number = 1
    while raw := file.readline(MAX_LINE + 1):
        try:
            triple = parse_line(line_text(raw, first=number == 1, allow_nul=True))
        except ValueError as error:
            raise ParseError(str(error), file=url, line=number) from None
        if triple is not None:
            yield triple
        number += 1


def _of_page(term: str, page: int) -> str:
    return f"_:p{page}_{term[2:]}" if is_blank(term) else term
