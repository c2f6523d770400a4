"""From settings to a linked corpus: the graph, which facts, and where they stand."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

from graphs.progress import Stages
from kbert import console
from kbert.builder import load_graph
from kbert.errors import DataError
from kbert.knowledge import injector_for, make_policy
from kbert.pretraining.linking import link
from kbert.pretraining.links import Links
from kbert.pretraining.settings import PretrainSettings
from kbert.pretraining.shards import Corpus
from kbert.run import GraphRecord

_RECORD: Final = "graph.json"


class Knowledge(NamedTuple):
    """A linked corpus, and what a run records of its graph; without a graph there is neither."""

    links: Links | None = None
    record: dict[str, Any] | None = None


def open_knowledge(settings: PretrainSettings, corpus: Corpus, *, scratch: Path) -> Knowledge:
    """Load the graph that settings name, and link the corpus with it, into `scratch`.

    Only the first process of a run links; the others find what it wrote. Raises `DataError` for a
    corpus without texts, and what `graphs.load` raises.
    """
    if settings.kg == "none":
        return Knowledge()
    if not corpus.keeps_text:
        message = "holds no texts, in which --kg looks for names; build it again with --keep-text"
        raise DataError(message, file=corpus.path)
    if console.speaks() and not (scratch / _RECORD).is_file():
        shutil.rmtree(scratch, ignore_errors=True)  # what a run that is gone on with lost
        return _link(settings, corpus, scratch=scratch)
    return Knowledge(Links.open(scratch), json.loads((scratch / _RECORD).read_bytes()))


def _link(settings: PretrainSettings, corpus: Corpus, *, scratch: Path) -> Knowledge:
    store = load_graph(settings)
    injector = injector_for(
        settings,
        store,
        corpus.tokenizer(),
        # A sentence with its facts is to fit into any sequence, which may have one [SEP] more.
        max_length=min(phase.max_length for phase in settings.plan) - 1,
    )
    with Stages(say=console.say) as stages:
        links = link(
            corpus,
            scratch,
            injector=injector,
            entities=settings.unit == "entity",
            workers=max(1, settings.workers),
            progress=stages,
        )
    counts, tokens = links.counts, corpus.counts.tokens
    share = counts.fact_tokens / (tokens + counts.fact_tokens)
    console.say(
        f"facts: {counts.facts:,} at {counts.mentions:,} mentions, {share:.1%} of the tokens;"
        f" {counts.omitted:,} facts did not fit"
    )
    if settings.unit == "entity":
        console.say(f"names: {counts.named:,} of entities, each a unit of masking")
    if len(store) and settings.max_facts and not counts.facts:
        console.say(f"note: no fact of {store.name} was injected into the corpus")
    record: dict[str, Any] = {"graph": asdict(GraphRecord.of(store))}
    record |= {"policy": make_policy(settings, store).describe(), "facts": counts._asdict()}
    (scratch / _RECORD).write_text(json.dumps(record), encoding="utf-8")
    return Knowledge(links, record)
