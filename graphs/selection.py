"""Choose which facts of a mention are injected first; always deterministic.

A policy puts all facts of an entity in order of preference, and whoever injects takes as many from
the front as a budget allows. Policies compose: `ByRelation` filters what another one orders. None
of them looks at the sentence.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Protocol

from graphs.errors import GraphError, suggestion
from graphs.store import TripleStore
from graphs.triple import Fact


class Policy(Protocol):
    """Order the facts of an entity by preference."""

    def facts(self, entity: str) -> Sequence[Fact]:
        """Return the facts of `entity` that may be injected, the preferred ones first."""
        ...

    def describe(self) -> str:
        """Return the policy in one stable text, which a run records."""
        ...


@dataclass(frozen=True)
class First:
    """Prefer facts in the order of the source."""

    store: TripleStore

    def facts(self, entity: str) -> Sequence[Fact]:
        """Return the facts of `entity` in source order."""
        return self.store.facts(entity)

    def describe(self) -> str:
        """Return `first`."""
        return "first"


@dataclass(frozen=True)
class Rare:
    """Prefer what is said of few entities, since it tells most about this one.

    The least frequent relation comes first, then the least frequent tail, then the source order.
    """

    store: TripleStore

    def facts(self, entity: str) -> Sequence[Fact]:
        """Return the facts of `entity`, the rarest first."""
        return sorted(self.store.facts(entity), key=self._frequency)

    def describe(self) -> str:
        """Return `rare`."""
        return "rare"

    def _frequency(self, fact: Fact) -> tuple[int, int]:
        return self.store.relation_count(fact.relation), self.store.tail_count(fact.tail)


@dataclass(frozen=True)
class ByRelation:
    """Keep the facts of `policy` whose relation is allowed and not denied, in its order.

    An empty `allow` allows every relation; `deny` wins. Raises `GraphError` for a relation that
    `store` does not have: a misspelt name would filter nothing, or everything.
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

    def facts(self, entity: str) -> Sequence[Fact]:
        """Return the allowed facts of `entity` in the inner policy's order."""
        return [
            fact
            for fact in self.policy.facts(entity)
            if (not self.allow or fact.relation in self.allow) and fact.relation not in self.deny
        ]

    def describe(self) -> str:
        """Return the inner policy's text, then the relations allowed and denied, sorted."""
        text = self.policy.describe()
        if self.allow:
            text += f" allow={sorted(self.allow)}"
        if self.deny:
            text += f" deny={sorted(self.deny)}"
        return text


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
    unknown = sorted(set(names).difference(relations))
    if unknown:
        listed = ", ".join(repr(name) + suggestion(name, relations) for name in unknown)
        raise GraphError(f"{option}: graph {store.name!r} has no relation {listed}")
    return frozenset(names)
