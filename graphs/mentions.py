"""Find the names of entities in raw text: leftmost, longest, at word boundaries.

From left to right, the longest name that starts at a character wins, and the search goes on at its
end. No match begins or ends between two characters of a word (see `graphs.writing`), which matters
only in scripts with spaces. Optionally text and names are compared in a normal form. Several
entities may have a name; the likeliest is the mention's, and `candidates` tells all. Nothing here
knows the context: a name is found wherever it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs.errors import GraphError
from graphs.known_names import MIN_LENGTH, KnownNames, of_content, of_names
from graphs.name_trie import LONG, PADDING
from graphs.normal import NormalForm
from graphs.store import TripleStore
from graphs.strings import Chosen
from graphs.triple import is_text
from graphs.writing import spaced_table

_FEW = 64

_AFTER = "\0" * PADDING


class Mention(NamedTuple):
    """Locate a name: characters `start` to `end` (half-open) of the raw text name `entity`."""

    start: int
    end: int
    entity: str


class MentionIndex:
    """Find the entities of a graph, or any names, in text."""

    def __init__(
        self,
        names: TripleStore | Iterable[str],
        *,
        min_length: int = MIN_LENGTH,
        stop_names: Iterable[str] = (),
        case_fold: bool = False,
        nfkc: bool = False,
        only: Sequence[str] | None = None,
    ) -> None:
        """Index `names`; of a store those of its `heads`, or of those of them that are in `only`.

        An entity without facts has nothing to say and would only hide a shorter name that has.
        Names of fewer than `min_length` characters and `stop_names` are left out. With `case_fold`
        and `nfkc` text and names are compared in that normal form, cluster by cluster (see
        `graphs.normal`); lengths and stop names count in the normal form, too. The index of a
        compiled graph is mapped, if it was built in this form.

        Raises `GraphError` for a `min_length` below 1 and for names that are not texts.
        """
        if min_length < 1:
            raise GraphError(f"min_length is {min_length}; it must be at least 1")
        self._form = NormalForm(case_fold=case_fold, nfkc=nfkc)
        self._min_length = min_length
        self._stopped = {self._form.apply(name) for name in _checked(stop_names, what="stop_names")}
        if isinstance(names, TripleStore):
            self._known = of_content(
                names.content, folder=names.folder, form=self._form, min_length=min_length
            )
        else:
            listed = _checked(names, what="names")
            self._known = of_names(listed, form=self._form, min_length=min_length)
        self._store = names if isinstance(names, TripleStore) and names.folder else None
        self._only = None if only is None else _mask(only, self._known)
        self._trie = self._known.trie
        self._longest = self._trie.longest
        # A name that nobody shares, that is written as its entity, and is of all that are looked
        # for needs no second look.
        self._plain = self._form.is_identity and not self._known.named and only is None

    @cached_property
    def excluded(self) -> int:
        """Count the names left out: too short, or stopped."""
        everything = self._known.count(self._only)
        return everything - len(self)

    @cached_property
    def entity_count(self) -> int:
        """Count the entities that can be found."""
        return len(np.unique(self._trie.entities.values[self._found]))

    @cached_property
    def _size(self) -> int:
        return int(np.count_nonzero(self._found))

    @property
    def _found(self) -> NDArray[np.bool_]:
        """Say of each name of each entity, as the trie lists them, whether it is looked for."""
        entities = self._trie.entities
        found = np.repeat(
            self._trie.lengths >= min(self._min_length, LONG), np.diff(entities.offsets)
        )
        if self._only is not None:
            found &= self._only[entities.values]
        for name in self._stopped:
            number = self._trie.number(name)
            if number >= 0:
                found[entities.offsets[number] : entities.offsets[number + 1]] = False
        return found

    def __len__(self) -> int:
        """Return how many names can be found; one that two entities share counts twice."""
        return self._size

    def __getstate__(self) -> dict[str, Any]:
        """Pickle what the store does not have; a mapped store pickles as its path."""
        state = self.__dict__.copy()
        if self._store is not None:
            state["_known"] = None
            state["_trie"] = None if self._known.mapped else self._trie
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the rest from the store."""
        self.__dict__.update(state)
        if self._store is None:
            return
        content, trie = self._store.content, self._trie
        if trie is None:
            self._known = of_content(
                content, folder=self._store.folder, form=self._form, min_length=self._min_length
            )
            self._trie = self._known.trie
        else:
            self._known = KnownNames(trie, content.entities, content.names, content.heads)

    def __repr__(self) -> str:
        """Show the sizes."""
        return f"MentionIndex({len(self)} names, {self.excluded} excluded)"

    def find(self, text: str) -> list[Mention]:
        """Return the mentions in `text`, left to right, none overlapping another."""
        if self._form.is_identity:
            found = self._search(text, origins=None)
            if self._plain:
                return [Mention(start, end, text[start:end]) for start, end, _ in found]
            return [
                Mention(start, end, self._entity(number, spelling=text[start:end]))
                for start, end, number in found
            ]
        normal, origins = self._form.trace(text)
        mentions = []
        for start, end, number in self._search(normal, origins=origins):
            raw_start, raw_end = int(origins[start]), int(origins[end])
            entity = self._entity(number, spelling=text[raw_start:raw_end])
            mentions.append(Mention(raw_start, raw_end, entity))
        return mentions

    def candidates(self, name: str) -> tuple[str, ...]:
        """Return all entities that `find` could mean by `name`, the one it does mean first.

        Ambiguity is not resolved: spelt exactly so comes first, then whose preferred name it is,
        then with more facts, then the source.
        """
        key = self._form.apply(name)
        number = self._trie.number(key)
        if number < 0 or len(key) < self._min_length or key in self._stopped:
            return ()
        entities = list(map(int, self._eligible(number)))
        spelt = [entity for entity in entities if self._known.is_spelt(entity, name)]
        # Once each: two names of an entity may be one in the normal form.
        return tuple(self._known.entities.take(dict.fromkeys([*spelt, *entities])))

    def _eligible(self, number: int) -> list[int] | NDArray[np.int32]:
        """Return the entities of a name that are looked for."""
        entities, only = self._trie.entities, self._only
        start, stop = entities.offsets.item(number), entities.offsets.item(number + 1)
        if stop - start > _FEW:  # a list of all who bear a common name takes too long
            many = entities.values[start:stop]
            return many if only is None else many[only[many]]
        few: list[int] = entities.values[start:stop].tolist()
        return few if only is None else [entity for entity in few if only[entity]]

    def _entity(self, number: int, *, spelling: str) -> str:
        """Return the entity of a name: spelt like the text, else the first."""
        entities = self._eligible(number)
        if len(entities) > 1 and self._known.has_spelling(spelling):
            for entity in entities:
                if self._known.is_spelt(int(entity), spelling):
                    return self._known.entities[int(entity)]
        return self._known.entities[int(entities[0])]

    def _search(self, text: str, *, origins: NDArray[np.intp] | None) -> list[tuple[int, int, int]]:
        """Return the matches in `text`, offsets and the name's number (-1 where none is needed).

        None splits a cluster of `origins`.
        """
        if not text or not len(self._trie):
            return []
        # One character before and some after, so that every position has a boundary and keys.
        padded = f"\0{text}{_AFTER}".encode("utf-32-le", "surrogatepass")
        codes = np.frombuffer(padded, dtype="<u4")
        spaced = spaced_table().take(codes)
        inside = spaced[:-1] & spaced[1:]  # inside[i]: no match begins or ends before character i
        if origins is not None:
            inside[: len(origins)] |= origins < 0
        reach = self._trie.reach.look_up(codes[1:])
        reach[inside[: len(text)]] = 0
        reach[reach < min(self._min_length, LONG)] = 0
        candidates = reach.nonzero()[0].tolist()
        if not candidates:
            return []
        matches = []
        reaches, closed, position = reach.tobytes(), inside.tobytes(), 0
        for start in candidates:
            if start >= position:
                length = reaches[start]
                stop = start + (length if length < LONG else self._longest)
                found = self._longest_at(text, start, stop, closed)
                if found is not None:
                    matches.append(found)
                    position = found[1]
        return matches

    def _longest_at(
        self, text: str, start: int, stop: int, closed: bytes
    ) -> tuple[int, int, int] | None:
        """Return the longest name that `text[start:stop]` starts with and that may stand there."""
        if self._plain:
            for name in reversed(self._trie.prefix_names(text[start:stop])):
                end = start + len(name)
                if not closed[end] and self._allows(name):
                    return start, end, -1
            return None
        for name, number in reversed(self._trie.prefixes(text[start:stop])):
            end = start + len(name)
            if not closed[end] and self._allows(name) and len(self._eligible(number)):
                return start, end, number
        return None

    def _allows(self, name: str) -> bool:
        return len(name) >= self._min_length and name not in self._stopped


def _mask(only: Sequence[str], known: KnownNames) -> NDArray[np.bool_]:
    """Return for each entity (E,) whether it is in `only`; raise GraphError for a text."""
    if isinstance(only, str):
        raise GraphError(f"only is the text {only!r}; give a list of entities")
    mask = np.zeros(len(known.entities), dtype=np.bool_)
    if isinstance(only, Chosen) and only.strings is known.entities:
        mask[only.numbers] = True
    else:
        numbers = np.array([known.entities.number(entity) for entity in only], dtype=np.int64)
        mask[numbers[numbers >= 0]] = True
    return mask


def _checked(names: Iterable[str], *, what: str) -> list[str]:
    """Return `names` as a list; raise GraphError where one is not a text."""
    if isinstance(names, str):
        raise GraphError(f"{what} is the text {names!r}; give a list of names")
    checked = list(names)
    for name in checked:
        if not is_text(name):
            raise GraphError(f"{what} holds {name!r}, which is no text")
    return checked
