"""Say in words what a graph says: the names of its entities and relations, and who bears a name."""

from __future__ import annotations

from functools import cached_property

from graphs.content import Content
from graphs.names import is_naming
from graphs.terms import parse_literal
from graphs.triple import Fact


class Wording:
    """Answer what a graph calls its entities and relations; a part of `TripleStore`."""

    def __init__(self, content: Content) -> None:
        """Take the names from `content`, if it has any."""
        self._content = content
        self._entities = content.entities
        self._relations = content.relations

    @property
    def named(self) -> bool:
        """Say whether entities have names apart from their strings: RDF, or names were given."""
        return self._content.names is not None

    @property
    def languages(self) -> tuple[str, ...]:
        """Return the preference of languages among names and literals."""
        return () if self._content.names is None else self._content.names.languages

    @cached_property
    def naming(self) -> frozenset[str]:
        """Return the relations that only say what an entity is called."""
        return is_naming(self._relations) if self.named else frozenset()

    def name_of(self, entity: str) -> str:
        """Return what people call `entity`; what the graph does not know is called as it is.

        A blank node, and a text in a language that is not wanted, are called `""`.
        """
        known, number = self._content.names, self._entities.number(entity)
        return entity if known is None or number < 0 else known.first(number)

    def names_of(self, entity: str) -> tuple[str, ...]:
        """Return all names of `entity`, the preferred one first."""
        known, number = self._content.names, self._entities.number(entity)
        return (entity,) if known is None or number < 0 else tuple(known.get(number))

    def relation_name(self, relation: str) -> str:
        """Return what people call `relation`."""
        number = self._relations.number(relation)
        return relation if not self.named or number < 0 else self._content.relation_names[number]

    def candidates(self, name: str) -> tuple[str, ...]:
        """Return the entities called `name`, most likely first; also the one whose id it is.

        First those whose preferred name it is, then those who have it as an alias, then those of
        whom it is a guess, from what their IRI ends in; among these those with more facts that
        there are words for (see `readable`), then the source. The text of a literal names nobody.
        """
        known = self._content.names
        called = [] if known is None else self._entities.take(known.candidates(name))
        found = [entity for entity in called if parse_literal(entity) is None]
        if name not in found and self._entities.number(name) >= 0:
            found.append(name)
        return tuple(found)

    def readable(self, fact: Fact) -> Fact | None:
        """Return `fact` with names in place of ids; None where there is nothing to say.

        That is a fact which only names its entity, and one whose tail has no name.
        """
        if not self.named:
            return fact
        tail = "" if fact.relation in self.naming else self.name_of(fact.tail)
        return Fact(self.relation_name(fact.relation), tail) if tail else None
