"""Policies over policies: they leave out facts of another one, and keep its order.

`Sayable` leaves out what has no readable text, `ByRelation` what a list of relations excludes, and
`PerRelation` what repeats a relation. Each knows in closed form which entities are left with a fact
(`Scope`), as long as those below it do, so that a million of them are not asked one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from graphs.errors import GraphError, suggestion
from graphs.store import TripleStore
from graphs.triple import Fact

if TYPE_CHECKING:
    from graphs.selection import Policy

T = TypeVar("T")

_GROWTH = 8  # so many times more facts are read where too many of them were left out


class Scope(NamedTuple):
    """Say which facts of `store` a policy may give: of `relations` (None: any), sayable or all."""

    store: TripleStore
    relations: frozenset[str] | None = None
    sayable: bool = False

    def heads(self) -> Sequence[str]:
        """Return the entities with such a fact, in the store's order."""
        if self.relations is None and not self.sayable:
            return self.store.heads
        return self.store.heads_where(relations=self.relations, sayable=self.sayable)


@dataclass(frozen=True)
class Sayable:
    """Keep the facts of `policy` that `store` can say in words, in its order.

    In an RDF graph these are the facts whose tail has a name, without those that only name.
    """

    policy: Policy
    store: TripleStore

    @property
    def contextual(self) -> bool:
        """Say whether the inner policy looks at the text."""
        return self.policy.contextual

    def facts(self, entity: str, *, limit: int | None = None, text: str = "") -> Sequence[Fact]:
        """Return the (first `limit`) facts of `entity` that can be said."""
        return first_kept(self._sayable, entity, policy=self.policy, limit=limit, text=text)

    def heads(self) -> Sequence[str]:
        """Return the entities of which such a fact is left, in the store's order."""
        return heads_left(self)

    def describe(self) -> str:
        """Return the inner policy's text, and the languages in which facts are said."""
        languages = f"={list(self.store.languages)}" if self.store.languages else ""
        return f"{self.policy.describe()} sayable{languages}"

    def scope(self) -> Scope | None:
        """Return the inner policy's scope without what cannot be said."""
        inner = scope_of(self.policy)
        return None if inner is None else inner._replace(sayable=True)

    def _sayable(self, fact: Fact) -> Fact | None:
        return None if self.store.readable(fact) is None else fact


@dataclass(frozen=True)
class ByRelation:
    """Keep the facts of `policy` whose relation is allowed and not denied, in its order.

    An empty `allow` allows every relation; `deny` wins. Raises `GraphError` for a relation that
    `store` does not have: a misspelt name would filter nothing, or everything. A store without any
    triple takes every name, so that one recipe serves with a graph and, as `none`, without.
    """

    policy: Policy
    _: KW_ONLY
    store: TripleStore
    allow: Collection[str] = ()
    deny: Collection[str] = ()

    def __post_init__(self) -> None:
        """Check the relations and keep them as frozen sets."""
        for option, names in (("allow", self.allow), ("deny", self.deny)):
            known = _known_relations(names, store=self.store, option=option)
            object.__setattr__(self, option, known)

    @property
    def contextual(self) -> bool:
        """Say whether the inner policy looks at the text."""
        return self.policy.contextual

    def facts(self, entity: str, *, limit: int | None = None, text: str = "") -> Sequence[Fact]:
        """Return the (first `limit`) allowed facts of `entity` in the inner policy's order."""
        return first_kept(self._allowed, entity, policy=self.policy, limit=limit, text=text)

    def heads(self) -> Sequence[str]:
        """Return the entities of which an allowed fact is left, in the store's order.

        A name that has nothing to say would only hide a shorter one that has.
        """
        return heads_left(self)

    def describe(self) -> str:
        """Return the inner policy's text, then the relations allowed and denied, sorted."""
        text = self.policy.describe()
        if self.allow:
            text += f" allow={sorted(self.allow)}"
        if self.deny:
            text += f" deny={sorted(self.deny)}"
        return text

    def scope(self) -> Scope | None:
        """Return the inner policy's scope with the relations that are left."""
        inner = scope_of(self.policy)
        if inner is None or not (self.allow or self.deny):
            return inner
        relations = inner.store.relations if inner.relations is None else inner.relations
        left = {relation for relation in relations if self._allows(relation)}
        return inner._replace(relations=frozenset(left))

    def _allowed(self, fact: Fact) -> Fact | None:
        return fact if self._allows(fact.relation) else None

    def _allows(self, relation: str) -> bool:
        return (not self.allow or relation in self.allow) and relation not in self.deny


@dataclass(frozen=True)
class PerRelation:
    """Keep at most the first `limit` facts of `policy` with the same relation, in its order.

    So the few facts of a mention differ in kind. Raises `GraphError` for a limit below 1.
    """

    policy: Policy
    _: KW_ONLY
    limit: int

    def __post_init__(self) -> None:
        """Check the limit."""
        if self.limit < 1:
            raise GraphError(f"limit is {self.limit}; it must be at least 1 fact per relation")

    @property
    def contextual(self) -> bool:
        """Say whether the inner policy looks at the text."""
        return self.policy.contextual

    def facts(self, entity: str, *, limit: int | None = None, text: str = "") -> Sequence[Fact]:
        """Return the (first `limit`) facts of `entity` that do not repeat a relation too often."""
        seen: Counter[str] = Counter()

        def fresh(fact: Fact) -> Fact | None:
            seen[fact.relation] += 1
            return fact if seen[fact.relation] <= self.limit else None

        return first_kept(fresh, entity, policy=self.policy, limit=limit, text=text)

    def heads(self) -> Sequence[str]:
        """Return the inner policy's entities: each keeps its first fact."""
        return self.policy.heads()

    def describe(self) -> str:
        """Return the inner policy's text and the limit."""
        return f"{self.policy.describe()} per_relation={self.limit}"

    def scope(self) -> Scope | None:
        """Return the inner policy's scope: of each relation a fact is left."""
        return scope_of(self.policy)


def first_kept(
    convert: Callable[[Fact], T | None],
    entity: str,
    *,
    policy: Policy,
    limit: int | None,
    text: str = "",
) -> list[T]:
    """Convert the facts of `entity` in order, each once, and return the first `limit` not None.

    Of an entity with very many facts no more are converted than needed, and not many more read.
    """
    kept: list[T] = []
    read, size = 0, limit
    while limit is None or len(kept) < limit:
        facts = policy.facts(entity, limit=size, text=text)
        for fact in facts[read:]:
            result = convert(fact)
            if result is not None:
                kept.append(result)
                if len(kept) == limit:
                    break
        if size is None or len(facts) < size:
            break
        read, size = len(facts), size * _GROWTH
    return kept


def scope_of(policy: Policy) -> Scope | None:
    """Return which facts `policy` may give, or None for a policy that does not say.

    A subclass that does not say it anew may leave out more than the class it is made from.
    """
    if "scope" not in vars(type(policy)):
        return None
    scope: Scope | None = policy.scope()  # type: ignore[attr-defined]
    return scope


def heads_left(policy: Sayable | ByRelation) -> Sequence[str]:
    """Return the entities of which `policy` gives a fact, in the store's order."""
    scope = scope_of(policy)
    if scope is not None:
        return scope.heads()
    return [entity for entity in policy.policy.heads() if policy.facts(entity, limit=1)]


def _known_relations(names: Collection[str], *, store: TripleStore, option: str) -> frozenset[str]:
    if isinstance(names, str):
        raise GraphError(f"{option} is the text {names!r}; give a list of relations")
    relations = store.relations
    unknown = sorted(set(names).difference(relations)) if relations else []
    if unknown:
        listed = ", ".join(repr(name) + _advice(name, store) for name in unknown)
        raise GraphError(
            f"{option} (--{option}-relations): graph {store.name!r} has no relation {listed}"
        )
    return frozenset(names)


def _advice(name: str, store: TripleStore) -> str:
    for relation in store.relations if store.named else ():
        if store.relation_name(relation) == name:
            return f"; {relation!r} is called so"
    return suggestion(name, store.relations)
