"""From a run's settings to its graph, its policy of facts and its injector.

Training and prediction both come here, so that a text is given the same facts by either.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import graphs
from graphs import MentionIndex, TripleStore, selection
from graphs.catalog import CATALOG
from graphs.errors import GraphError
from kbert.errors import RunError
from kbert.inject import Injector
from kbert.knowledge_settings import KnowledgeSettings
from kbert.run import RunRecord
from kbert.settings import TrainSettings
from kbert.tokenizer import Tokenizer


def make_policy(settings: KnowledgeSettings, store: TripleStore) -> selection.Policy:
    """Build the policy that settings describe. Raises `GraphError` for an unknown relation."""
    return selection.make(
        settings.selection,
        store,
        allow=settings.allow_relations,
        deny=settings.deny_relations,
        max_per_relation=settings.max_per_relation,
    )


def make_injector(settings: TrainSettings, store: TripleStore, tokenizer: Tokenizer) -> Injector:
    """Build the injector that settings describe; training and prediction share it.

    Raises `GraphError` for a relation that the graph does not have.
    """
    return injector_for(settings, store, tokenizer, max_length=settings.max_length)


def injector_for(
    settings: KnowledgeSettings, store: TripleStore, tokenizer: Tokenizer, *, max_length: int
) -> Injector:
    """Build the injector for sequences of `max_length`; raises as `make_injector` does."""
    policy = make_policy(settings, store)
    restricted = bool(settings.allow_relations or settings.deny_relations or store.named)
    return Injector(
        store,
        tokenizer,
        max_facts=settings.max_facts,
        max_length=max_length,
        max_branches=settings.max_branches,
        max_fact_share=settings.max_fact_share,
        repeat_mentions=settings.repeat_mentions,
        policy=policy,
        index=MentionIndex(
            store,
            only=policy.heads() if restricted else None,
            min_length=settings.min_name_length,
            stop_names=settings.stop_names,
            case_fold=settings.fold_case,
            nfkc=settings.nfkc,
        ),
        relation_text=settings.relation_text,
    )


def load_recorded(
    record: RunRecord,
    *,
    kg: str | TripleStore | None,
    folder: Path,
    announce: Callable[[str], None] | None,
) -> TripleStore:
    """Load the graph of a run in `folder`, or `kg` in its place, as the run's settings say.

    Whether it is the same graph is not asked here. Raises `RunError` if the run's own is not where
    it was, and what `graphs.load` raises for `kg`.
    """
    settings = record.settings
    source = _recorded(record) if kg is None else kg
    if isinstance(source, TripleStore):
        return source
    try:
        return graphs.load(
            source,
            on_error=settings.kg_on_error,
            announce=announce,
            languages=settings.kg_languages,
        )
    except GraphError as error:
        if kg is not None:
            raise
        hint = "say where it is with --kg, or kg=…"
        raise RunError(f"{folder}: the graph it was trained with: {error} ({hint})") from None


def _recorded(record: RunRecord) -> str:
    """Name the graph of a run, wherever we are now; the fingerprint is checked later."""
    if record.graph.name in CATALOG:  # for cn_dbpedia the packaged sample may have stood
        return record.graph.name
    given = record.settings.kg
    return record.graph.path if record.graph.path and not Path(given).exists() else given
