"""Write Turtle (W3C Recommendation of 2014): prefixes, and what is said of a subject in one block.

Triples keep the order of the graph, which decides what is said of an entity first; so only those
that stand in a row share a subject, and of those only the ones in a row a predicate. The prefixes
are always the same few: nothing has to be read twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from graphs.store import TripleStore
from graphs.syntax.ntriples import format_triple

PREFIXES: Final = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "owl": "http://www.w3.org/2002/07/owl#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "schema": "https://schema.org/",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_TYPE: Final = f"<{PREFIXES['rdf']}type>"
_NAMES: Final = {namespace: prefix for prefix, namespace in PREFIXES.items()}
# A namespace, and a local name that needs no escape (PN_LOCAL allows more).
_SHORT: Final = re.compile(
    f"<({'|'.join(map(re.escape, PREFIXES.values()))})([A-Za-z0-9_][A-Za-z0-9_-]*)>"
)
_DATATYPE: Final = re.compile(r'(?<="\^\^)<[^<>"]*>$')


def turtle_lines(store: TripleStore) -> Iterator[str]:
    """Yield the document of `store`, line by line without line feeds."""
    for prefix, namespace in PREFIXES.items():
        yield f"@prefix {prefix}: <{namespace}> ."
    subject = predicate = ""
    line = ""  # what was written last, as long as it is open how it ends
    for triple in store:
        # Which part is an IRI, a blank node or a literal is decided in one place.
        head, relation, rest = format_triple(*triple).split(" ", 2)
        tail = _term(rest.removesuffix(".").rstrip(" "))
        if head != subject:
            if line:
                yield f"{line} ."
            yield ""
            line = f"{_term(head)} {_verb(relation)} {tail}"
        elif relation != predicate:
            yield f"{line} ;"
            line = f"    {_verb(relation)} {tail}"
        else:
            yield f"{line} ,"
            line = f"        {tail}"
        subject, predicate = head, relation
    if line:
        yield f"{line} ."


def _verb(term: str) -> str:
    return "a" if term == _TYPE else _term(term)


def _term(term: str) -> str:
    """Shorten an IRI, or the datatype of a literal, with a prefix where one fits."""
    if term.startswith("<"):
        return _shorten(term)
    return _DATATYPE.sub(lambda match: _shorten(match[0]), term) if term.endswith(">") else term


def _shorten(iri: str) -> str:
    match = _SHORT.fullmatch(iri)
    return f"{_NAMES[match[1]]}:{match[2]}" if match else iri
