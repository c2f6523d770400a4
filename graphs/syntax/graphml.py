"""Write a graph as GraphML: what programs that draw and measure networks read.

Nodes come first, `n0`, `n1`, … in the order of `store.entities`, each with its `entity` and, in a
graph with names, its `name`; then one directed edge a triple, in source order, with its `relation`.
Numbers are used as identifiers because GraphML allows no spaces in them
(http://graphml.graphdrawing.org/xmlns/1.0: `id` is an NMTOKEN).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from graphs.errors import GraphError
from graphs.store import TripleStore

# XML 1.0, section 2.2: no other control character can stand in a document, not even escaped.
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
# A carriage return that is not escaped is read as a line feed.
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_SHOWN: Final = 60

_KEYS: Final = (
    '  <key id="entity" for="node" attr.name="entity" attr.type="string"/>',
    '  <key id="name" for="node" attr.name="name" attr.type="string"/>',
    '  <key id="relation" for="edge" attr.name="relation" attr.type="string"/>',
)


def check_graphml(store: TripleStore) -> None:
    """Raise `GraphError`, naming the first, where a text has a character that XML cannot hold."""
    _check(store.entities)
    _check(store.relations)
    if store.named:  # a literal writes control characters as escapes, its name as they are
        _check(map(store.name_of, store.entities))


def _check(names: Iterable[str]) -> None:
    for name in names:
        if found := _FORBIDDEN.search(name):
            shown = name if len(name) <= _SHOWN else name[: _SHOWN - 1] + "…"
            raise GraphError(
                f"graphml cannot hold the character U+{ord(found[0]):04X}, which {shown!r} has; "
                "write it as nt or parquet instead"
            )


def graphml_lines(store: TripleStore) -> Iterator[str]:
    """Yield the document without line feeds between its lines."""
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
    yield from _KEYS
    yield '  <graph edgedefault="directed">'
    for number, entity in enumerate(store.entities):
        name = store.name_of(entity) if store.named else ""
        called = f'<data key="name">{name.translate(_ESCAPES)}</data>' if name else ""
        said = f'<data key="entity">{entity.translate(_ESCAPES)}</data>'
        yield f'    <node id="n{number}">{said}{called}</node>'
    yield from _edges(store)
    yield "  </graph>"
    yield "</graphml>"


def _edges(store: TripleStore) -> Iterator[str]:
    relations = [relation.translate(_ESCAPES) for relation in store.relations]
    rows = store.rows
    step = 1 << 14
    for start in range(0, len(store), step):
        heads, said, tails = rows[:, start : start + step].tolist()
        for head, relation, tail in zip(heads, said, tails, strict=True):
            data = f'<data key="relation">{relations[relation]}</data>'
            yield f'    <edge source="n{head}" target="n{tail}">{data}</edge>'
