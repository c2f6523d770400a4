"""Answer what an entity is called, and who is called so: the likeliest meant first.

What the names are, `graphs.names` finds out. Several entities may bear the same one; no text is
looked at to choose between them, so their order is part of the graph.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graphs.groups import Groups
from graphs.names import Graph, is_naming
from graphs.strings import Strings

# How much less likely an entity is meant by its alias; more than any number of facts.
ALIAS = 1 << 40

_CHUNK = 1 << 16


class Names:
    """Say what entities are called, and who is called so."""

    def __init__(
        self,
        strings: Strings,
        *,
        of_entity: Groups,
        entities: Groups,
        standing: NDArray[np.int64],
        languages: tuple[str, ...],
    ) -> None:
        """Take the distinct names, those of each entity, and the entities of each name.

        `standing` (E,) is how likely an entity is meant by its name, see `standing_of`.
        """
        self.strings = strings
        self.standing = standing
        self.of_entity = of_entity
        self.entities = entities
        self.languages = languages

    def get(self, entity: int) -> list[str]:
        """Return the names of the entity of this number, the preferred one first."""
        return self.strings.take(self.of_entity.get(entity))

    def first(self, entity: int) -> str:
        """Return the preferred name, or `""`."""
        offsets = self.of_entity.offsets
        start, stop = offsets.item(entity), offsets.item(entity + 1)
        return self.strings.take([self.of_entity.values.item(start)])[0] if start < stop else ""

    def candidates(self, name: str) -> list[int]:
        """Return the entities of this name: see `by_name` for their order."""
        number = self.strings.number(name)
        return [] if number < 0 else self.entities.get(number)

    def said(self, entity: int) -> int:
        """Return how many facts of an entity there are words for, see `standing_of`."""
        standing = self.standing.item(entity)
        return -standing if standing <= 0 else 2 * ALIAS - standing

    def has_name(self) -> NDArray[np.bool_]:
        """Say of each entity (E,) whether it has a name."""
        return np.diff(self.of_entity.offsets) > 0


def standing_of(graph: Graph, of_entity: Groups, guessed: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return for each entity (E,) a number that is the lower, the likelier it is meant by a name.

    That is the number of its facts that there are words for, negative: those that do more than name
    it, and whose tail has a name. Entities whose name is a guess come after all others, also after
    those that have the name as an alias.
    """
    heads, relations, tails = graph.rows
    has_name = np.diff(of_entity.offsets) > 0
    says = np.ones(len(graph.relations), dtype=np.bool_)
    says[[graph.relations.number(relation) for relation in is_naming(graph.relations)]] = False
    standing = np.zeros(len(graph.entities), dtype=np.int64)
    for start in range(0, len(heads), _CHUNK):
        part = slice(start, start + _CHUNK)
        said = says[relations[part]] & has_name[tails[part]]
        np.subtract.at(standing, heads[part][said], 1)
    standing[guessed] += 2 * ALIAS
    return standing


def by_name(of_entity: Groups, *, names: int, standing: NDArray[np.int64]) -> Groups:
    """Return the entities of each of `names` names, the likeliest meant first.

    First those whose preferred name it is, then those who have it as an alias, then those of whom
    it is a guess; among these by `standing` (E,), then in the order of the source.
    """
    owners = np.repeat(
        np.arange(len(of_entity.offsets) - 1, dtype=np.int32), np.diff(of_entity.offsets)
    )
    places = np.arange(len(owners), dtype=np.int64) - of_entity.offsets[owners]
    order = np.lexsort((owners, standing[owners] + ALIAS * (places > 0), of_entity.values))
    return Groups.of(of_entity.values[order], owners[order], count=names)
