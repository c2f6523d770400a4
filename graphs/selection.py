"""Choose which facts of a mention are injected first; always deterministic.

A policy puts the facts of an entity in order of preference, and whoever injects asks for as many
from the front as a budget allows. `First`, `Rare` and `Central` order the facts of a store. Others
stand over a policy: those of `graphs.narrowing` leave facts out, and `Similar` orders facts anew by
the text that they are for. `make` puts them together: order, leave out, compare with the text, and
at last limit repetition.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from graphs.errors import GraphError, suggestion
from graphs.narrowing import ByRelation, PerRelation, Sayable, Scope, first_kept
from graphs.similar import Similar
from graphs.store import TripleStore
from graphs.triple import Fact

__all__ = [
    "ByRelation",
    "Central",
    "First",
    "PerRelation",
    "Policy",
    "Rare",
    "Sayable",
    "Scope",
    "Similar",
    "first_kept",
    "make",
]


class Policy(Protocol):
    """Order the facts of an entity by preference."""

    @property
    def contextual(self) -> bool:
        """Say whether the order depends on the text; if not, it may be remembered by entity."""
        ...

    def facts(self, entity: str, *, limit: int | None = None, text: str = "") -> Sequence[Fact]:
        """Return the facts of `entity` that may be injected into `text`, the preferred ones first.

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
class _Whole:
    """Give all facts of a store, in an order that the text does not matter for."""

    store: TripleStore

    @property
    def contextual(self) -> bool:
        """Return False: the text does not matter."""
        return False

    def heads(self) -> Sequence[str]:
        """Return all entities that have facts."""
        return self.store.heads


@dataclass(frozen=True)
class First(_Whole):
    """Prefer facts in the order of the source."""

    def facts(self, entity: str, *, limit: int | None = None, text: str = "") -> Sequence[Fact]:
        """Return the (first `limit`) facts of `entity` in source order."""
        return self.store.facts(entity, limit=limit)

    def describe(self) -> str:
        """Return `first`."""
        return "first"

    def scope(self) -> Scope:
        """Return that all facts may be given."""
        return Scope(self.store)


@dataclass(frozen=True)
class Rare(_Whole):
    """Prefer what is said of few entities, since it tells most about this one.

    The least frequent relation comes first, then the least frequent tail, then the source order.
    """

    def facts(self, entity: str, *, limit: int | None = None, text: str = "") -> Sequence[Fact]:
        """Return the (first `limit`) facts of `entity`, the rarest first."""
        return self.store.rarest_facts(entity, limit=limit)

    def describe(self) -> str:
        """Return `rare`."""
        return "rare"

    def scope(self) -> Scope:
        """Return that all facts may be given."""
        return Scope(self.store)


@dataclass(frozen=True)
class Central(_Whole):
    """Prefer facts that lead to what the graph says most about.

    The tail of the highest degree comes first: in so many triples it is the head or the tail (one
    in which it is both counts twice). Equals keep the source order.
    """

    def facts(self, entity: str, *, limit: int | None = None, text: str = "") -> Sequence[Fact]:
        """Return the (first `limit`) facts of `entity`, those with the most central tail first."""
        return self.store.central_facts(entity, limit=limit)

    def describe(self) -> str:
        """Return `central`."""
        return "central"

    def scope(self) -> Scope:
        """Return that all facts may be given."""
        return Scope(self.store)


def make(
    name: str,
    store: TripleStore,
    *,
    allow: Collection[str] = (),
    deny: Collection[str] = (),
    max_per_relation: int | None = None,
) -> Policy:
    """Return the policy called `name`: `first`, `rare`, `central` or `similar`.

    It gives facts of the allowed relations, at most `max_per_relation` of each; of a store with
    names only those that can be said in words.

    Raises `GraphError` for another name, for a relation that `store` does not have, and for a
    `max_per_relation` below 1.
    """
    if name not in _NAMES:
        known = ", ".join(_NAMES)
        raise GraphError(f"no policy {name!r}; known are {known}{suggestion(name, _NAMES)}")
    policy: Policy = _ORDERS.get(name, First)(store)
    if store.named:
        policy = Sayable(policy, store)
    if allow or deny:
        policy = ByRelation(policy, store=store, allow=allow, deny=deny)
    if name == "similar":
        policy = Similar(policy, store)
    return policy if max_per_relation is None else PerRelation(policy, limit=max_per_relation)


_ORDERS: dict[str, type[First] | type[Rare] | type[Central]] = {
    "first": First,
    "rare": Rare,
    "central": Central,
}
_NAMES = (*_ORDERS, "similar")
