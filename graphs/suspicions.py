"""Point out names that a graph was probably not meant to have, and facts that say nothing.

Nothing is repaired, and none of it need be wrong: a person looks at the examples and decides. One
pass over the names, in the order of the store; memory is eight bytes an entity.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs.store import TripleStore

EXAMPLES: Final = 5
LONG: Final = 50  # characters; longer names are hardly ever found in running text
_CHUNK: Final = 1 << 14


class Suspicion(NamedTuple):
    """Count what is suspicious in one way; `examples` are the first entities of that kind."""

    kind: str
    meaning: str
    cases: int
    examples: tuple[str, ...]


# What any name may show. U+200C and U+200D join letters in Persian, Hindi and others, and emoji.
_CONTROL: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
_ESCAPED: Final = re.compile(
    r"\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\[nrt]|&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z]{2,8});"
    r"|(?:%[0-9A-Fa-f]{2}){2}"
)
_IRI: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://|www\.|<[^<>]+>$|_:")
_ODD: Final = re.compile(rf"{_CONTROL.pattern}|[\\&%\ufffd]|^\s|\s$|://|^www\.|^<|^_:")
_WORD: Final = re.compile(r"[^\W\d_]")

_MEANINGS: Final = {
    "unnamed": "heads without a name: no text can mention them",
    "short": "heads of one character: not found unless the least length is 1",
    "wordless": "heads without a letter: numbers and dates are found wherever they stand",
    "long": f"heads of more than {LONG} characters: hardly ever found in text",
    "alike": "heads that differ in case or width alone: --case-fold or --nfkc confuses them",
    "shared": "heads whose name others have too: a mention takes the first of them",
    "control": "line breaks, control or zero-width characters in the name",
    "padded": "white space before or after the name: not found where it is missing",
    "escaped": "what looks like an escape (&amp; \\u4e2d %E4%B8): texts have the character",
    "broken": "U+FFFD in the name: bytes were lost when it was decoded",
    "address": "what looks like an IRI or a blank node, not like a name",
    "relation": "entities that are relations as well",
    "loop": "triples whose head is their tail",
}


def find_suspicions(store: TripleStore) -> list[Suspicion]:
    """Return the kinds that occur, in a fixed order."""
    found = _Found()
    heads = np.bincount(store.rows[0], minlength=len(store.entities)) > 0
    hashes = _scan(store, heads, found)
    _find_repeated(store, heads, hashes, found)
    if not store.named:
        for relation in store.relations:
            if store.number(relation) >= 0:
                found.add("relation", relation)
    loops = store.rows[0][store.rows[0] == store.rows[2]]
    found.add_all("loop", [store.entities[i] for i in loops[:EXAMPLES].tolist()], len(loops))
    return [
        Suspicion(kind, meaning, found.counts[kind], tuple(found.examples[kind]))
        for kind, meaning in _MEANINGS.items()
        if kind in found.counts
    ]


class _Found:
    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.examples: dict[str, list[str]] = {}

    def add(self, kind: str, entity: str) -> None:
        count = self.counts[kind] = self.counts.get(kind, 0) + 1
        if count <= EXAMPLES:
            self.examples.setdefault(kind, []).append(entity)

    def add_all(self, kind: str, examples: list[str], count: int) -> None:
        if count:
            self.counts[kind], self.examples[kind] = count, examples


def _scan(store: TripleStore, heads: NDArray[np.bool_], found: _Found) -> NDArray[np.int64]:
    """Look at every name; return a hash of each, (E,) int64."""
    named = store.named
    hashes = np.zeros(len(store.entities), dtype=np.int64)
    key: Callable[[str], str] = str if named else _folded
    start = 0
    for chunk in _chunks(iter(store.entities)):
        names = list(map(store.name_of, chunk)) if named else chunk
        is_head = heads[start : start + len(chunk)].tolist()
        hashes[start : start + len(chunk)] = [hash(key(name)) for name in names]
        for entity, name, head in zip(chunk, names, is_head, strict=True):
            if head and not (1 < len(name) <= LONG and _WORD.match(name)):
                _look_at_head(entity, name, found)
            if _ODD.search(name):
                _look_at_text(entity, name, found, plain=not named)
        start += len(chunk)
    return hashes


def _chunks(entities: Iterator[str]) -> Iterator[list[str]]:
    while chunk := list(islice(entities, _CHUNK)):
        yield chunk


def _folded(name: str) -> str:
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _look_at_head(entity: str, name: str, found: _Found) -> None:
    if not name:
        found.add("unnamed", entity)
        return
    if len(name) == 1:
        found.add("short", entity)
    if len(name) > LONG:
        found.add("long", entity)
    if not _WORD.search(name):
        found.add("wordless", entity)


def _look_at_text(entity: str, name: str, found: _Found, *, plain: bool) -> None:
    if _CONTROL.search(name):
        found.add("control", entity)
    if name != name.strip():
        found.add("padded", entity)
    if _ESCAPED.search(name):
        found.add("escaped", entity)
    if "\ufffd" in name:
        found.add("broken", entity)
    if plain and _IRI.match(name):
        found.add("address", entity)


def _find_repeated(
    store: TripleStore, heads: NDArray[np.bool_], hashes: NDArray[np.int64], found: _Found
) -> None:
    """Find the heads whose hash another head has; two different names hardly ever share one."""
    numbers = np.flatnonzero(heads)
    _, inverse, counts = np.unique(hashes[numbers], return_inverse=True, return_counts=True)
    repeated = numbers[counts[inverse] > 1]
    kind, key = ("shared", store.name_of) if store.named else ("alike", _folded)
    if store.named:  # having none is no name to share
        unnamed = hash("")
        repeated = repeated[hashes[repeated] != unnamed]
    # The first examples should belong together: one group after the other, by their first entity.
    groups: dict[str, list[str]] = {}
    for number in repeated[: 1 << 10].tolist():
        entity = store.entities[number]
        groups.setdefault(key(entity), []).append(entity)
    examples = [entity for group in groups.values() for entity in group][:EXAMPLES]
    found.add_all(kind, examples, len(repeated))
