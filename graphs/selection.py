"""Choose which facts of a mention are injected first; always deterministic.

A policy puts the facts of an entity in order of preference, and whoever injects asks for as many
from the front as a budget allows. Policies compose: `ByRelation` filters what another one orders.
None of them looks at the sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Protocol, TypeVar

from graphs.errors import GraphError, suggestion
from graphs.store import TripleStore
from graphs.triple import Fact

T = TypeVar("T")

_GROWTH = 8  # so many times more facts are read where too many of them were left out


class Policy(Protocol):
    """Order the facts of an entity by preference."""

    def facts(self, entity: str, *, limit: int | None = None) -> Sequence[Fact]:
        """Return the facts of `entity` that may be injected, the preferred ones first.

        With a `limit` they are the first so many of them.
        """
        ...

    def heads(self) -> Sequence[str]:
        """Return the entities of which a fact may be injected, in the store's order."""
        ...

    def describe(self) -> str:
        """Return the policy in one stable text, which a run records."""
        ...


@dataclass(frozen=True)
class First:
    """Prefer facts in the order of the source."""

    store: TripleStore

    def facts(self, entity: str, *, limit: int | None = None) -> Sequence[Fact]:
        """Return the (first `limit`) facts of `entity` in source order."""
        return self.store.facts(entity, limit=limit)

    def heads(self) -> Sequence[str]:
        """Return all entities that have facts."""
        return self.store.heads

    def describe(self) -> str:
        """Return `first`."""
        return "first"


@dataclass(frozen=True)
class Rare:
    """Prefer what is said of few entities, since it tells most about this one.

    The least frequent relation comes first, then the least frequent tail, then the source order.
    """

    store: TripleStore

    def facts(self, entity: str, *, limit: int | None = None) -> Sequence[Fact]:
        """Return the (first `limit`) facts of `entity`, the rarest first."""
        return self.store.rarest_facts(entity, limit=limit)

    def heads(self) -> Sequence[str]:
        """Return all entities that have facts."""
        return self.store.heads

    def describe(self) -> str:
        """Return `rare`."""
        return "rare"


@dataclass(frozen=True)
class ByRelation:
    """Keep the facts of `policy` whose relation is allowed and not denied, in its order.

    An empty `allow` allows every relation; `deny` wins. Raises `GraphError` for a relation that
    `store` does not have: a misspelt name would filter nothing, or everything. A store without any
    triple takes every name, so that one recipe serves with a graph and, as `none`, without.
    """

    policy: Policy
    _: KW_ONLY
    store: InitVar[TripleStore]
    allow: Collection[str] = ()
    deny: Collection[str] = ()

    def __post_init__(self, store: TripleStore) -> None:
        """Check the relations and keep them as frozen sets."""
        for option, names in (("allow", self.allow), ("deny", self.deny)):
            object.__setattr__(self, option, _known_relations(names, store=store, option=option))

    def facts(self, entity: str, *, limit: int | None = None) -> Sequence[Fact]:
        """Return the (first `limit`) allowed facts of `entity` in the inner policy's order."""
        return first_kept(self._allowed, entity, policy=self.policy, limit=limit)

    def heads(self) -> Sequence[str]:
        """Return the entities of which an allowed fact is left, in the store's order.

        A name that has nothing to say would only hide a shorter one that has.
        """
        return [entity for entity in self.policy.heads() if self.facts(entity, limit=1)]

    def describe(self) -> str:
        """Return the inner policy's text, then the relations allowed and denied, sorted."""
        text = self.policy.describe()
        if self.allow:
            text += f" allow={sorted(self.allow)}"
        if self.deny:
            text += f" deny={sorted(self.deny)}"
        return text

    def _allowed(self, fact: Fact) -> Fact | None:
        allowed = not self.allow or fact.relation in self.allow
        return fact if allowed and fact.relation not in self.deny else None


def first_kept(
    convert: Callable[[Fact], T | None], entity: str, *, policy: Policy, limit: int | None
) -> list[T]:
    """Convert the facts of `entity` in order, and return the first `limit` that are not None.

    Of an entity with very many facts no more are converted than needed, and not many more read.
    """
    kept: list[T] = []
    read, size = 0, limit
    while limit is None or len(kept) < limit:
        facts = policy.facts(entity, limit=size)
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


def make(
    name: str, store: TripleStore, *, allow: Collection[str] = (), deny: Collection[str] = ()
) -> Policy:
    """Return the policy called `name`: `first` or `rare`, over the allowed relations.

    Raises `GraphError` for another name, and for a relation that `store` does not have.
    """
    if name not in _POLICIES:
        known = ", ".join(_POLICIES)
        raise GraphError(f"no policy {name!r}; known are {known}{suggestion(name, _POLICIES)}")
    policy = _POLICIES[name](store)
    if not allow and not deny:
        return policy
    return ByRelation(policy, store=store, allow=allow, deny=deny)


_POLICIES: dict[str, type[First] | type[Rare]] = {"first": First, "rare": Rare}


def _known_relations(names: Collection[str], *, store: TripleStore, option: str) -> frozenset[str]:
    if isinstance(names, str):
        raise GraphError(f"{option} is the text {names!r}; give a list of relations")
    relations = store.relations
    unknown = sorted(set(names).difference(relations)) if relations else []
    if unknown:
        listed = ", ".join(repr(name) + suggestion(name, relations) for name in unknown)
        raise GraphError(
            f"{option} (--{option}-relations): graph {store.name!r} has no relation {listed}"
        )
    return frozenset(names)
