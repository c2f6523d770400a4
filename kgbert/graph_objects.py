"""A knowledge graph that a user has in hand: a `graphs.TripleStore`, or a graph of rdflib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphs.languages import preference
from graphs.store import TripleStore
from kbert.errors import SettingsError


def is_graph(given: object) -> bool:
    """Say whether this is a graph in hand; neither library is imported for it."""
    from graphs import rdf

    return isinstance(given, TripleStore) or rdf.is_graph(given)


def store_of(given: Any, *, languages: Sequence[str] = ()) -> TripleStore:
    """Return the store itself, or make one of a graph of rdflib.

    Raises `SettingsError` where a store is to have other languages than it was opened with, and
    `GraphError` for a graph that no file of RDF could hold.
    """
    if not isinstance(given, TripleStore):
        return TripleStore.from_rdflib(given, languages=languages)
    if given.named and languages and preference(languages) != given.languages:
        known = " ".join(given.languages) or "no languages"
        raise SettingsError(
            f"{given.name}: was opened with {known}; ask for {' '.join(languages)} where it is"
            " opened, or leave languages out"
        )
    return given
