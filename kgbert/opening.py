"""Open a run of `kgbert.train`, or a model folder, as a `TripleScorer`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kbert.devices import check_device
from kbert.errors import DataError, RunError
from kbert.nn.hub import resolve
from kbert.tokenizer import Tokenizer
from kgbert.calibration import Calibrator
from kgbert.dataset import KnowledgeData
from kgbert.graph_objects import is_graph, store_of
from kgbert.graph_texts import entity_wording, learnable, relation_wording
from kgbert.names import Names
from kgbert.network import TripleNetwork
from kgbert.record import RUN, unfinished
from kgbert.run import Run
from kgbert.scorer import TripleScorer
from kgbert.stored_thresholds import StoredThresholds
from kgbert.text_engine import TextEngine

if TYPE_CHECKING:
    from graphs.store import TripleStore
    from kgbert.engine import Precision

    Texts = KnowledgeData | Mapping[str, str] | TripleStore | Any | None


class _Known(NamedTuple):
    entities: Names
    relations: Names
    thresholds: StoredThresholds | None = None  # by the numbers of `relations`


def open_scorer(
    source: str | Path,
    *,
    texts: Texts,
    relation_texts: Mapping[str, str],
    device: str,
    precision: Precision,
    batch_tokens: int,
    allow_other_graph: bool,
    announce: Callable[[str], None] | None,
) -> TripleScorer:
    """Open `source` as `TripleScorer.from_pretrained` says."""
    check_device(device)
    if not Path(source).exists() and (hint := unfinished(Path(source))):
        raise RunError(f"{source}: no such run folder{hint}")
    folder = resolve(source)
    run = Run.open(folder) if (folder / RUN).is_file() else None
    known = _known(
        run, texts, allow_other_graph=allow_other_graph, announce=announce or (lambda note: None)
    )
    network = TripleNetwork.from_pretrained(folder) if run is None else run.network()
    if run is not None and run.record.settings.form == "pair":
        if known.relations.ids != run.relations or relation_texts:
            raise RunError(f"{folder}: knows only the relations that it was trained on")
    elif network.labels != 2:
        raise RunError(
            f"{folder}: has {network.labels} labels and no {RUN} that names them; a model without a"
            " run must have two, false and true"
        )
    engine = TextEngine(
        network.to(device),
        Tokenizer.from_pretrained(folder),
        max_length=(
            network.encoder.config.max_positions if run is None else run.record.settings.max_length
        ),
        form="triple" if run is None else run.record.settings.form,
        truncation="longest" if run is None else run.record.settings.truncation,
        precision=precision,
        batch_tokens=batch_tokens,
    )
    return TripleScorer(
        engine,
        entities=known.entities,
        relations=known.relations.having(relation_texts),
        thresholds=known.thresholds,
        calibrator=Calibrator.read(folder),
        announce=announce,
    )


def _known(
    run: Run | None,
    texts: Texts,
    *,
    allow_other_graph: bool,
    announce: Callable[[str], None],
) -> _Known:
    """Return what has ids: of the run, and of the texts that were given."""
    if isinstance(texts, KnowledgeData):
        if run is not None and texts.fingerprint != run.record.data.fingerprint:
            if not allow_other_graph:
                run.check_data(texts)
            announce(f"{texts.name} is not the data that {run.folder} was trained on")
        return _of_data(run, texts)
    if run is None:
        known = _Known(Names(what="entity"), Names(what="relation"))
    else:
        known = _Known(
            Names(run.entities, run.texts.entities, what="entity"),
            Names(run.relations, run.texts.relations, what="relation"),
            run.thresholds,
        )
    if texts is None or isinstance(texts, Mapping):
        return known._replace(entities=known.entities.having(texts or {}))
    if not is_graph(texts):
        raise DataError(
            f"texts is a {type(texts).__name__}; give texts by id, a data set of kgbert.load_data,"
            " a TripleStore or a graph of rdflib"
        )
    return _with_graph(run, known, store_of(texts), announce=announce)


def _of_data(run: Run | None, data: KnowledgeData) -> _Known:
    """Return what has ids in a data set; a relation keeps its threshold, whatever its number."""
    numbers = {key: number for number, key in enumerate(data.relations)}
    stored = None if run is None else run.thresholds
    if run is not None and stored is not None:
        places = {old: numbers[key] for old, key in enumerate(run.relations) if key in numbers}
        stored = replace(stored, thresholds=stored.thresholds.renumbered(places))
    return _Known(
        Names(data.entities, data.texts.entities, what="entity"),
        Names(data.relations, data.texts.relations, what="relation"),
        stored,
    )


def _with_graph(
    run: Run | None,
    known: _Known,
    store: TripleStore,
    *,
    announce: Callable[[str], None],
) -> _Known:
    """Add what a graph has words for; what the run knows keeps the text that was learnt.

    Relations are added unless the run is one of relation prediction, which knows no others.
    """
    mode = "name" if run is None else run.record.settings.texts
    facts, _ = learnable(store)
    wording = entity_wording(store, tuple(facts.entities), mode=mode, required=False)
    entities = wording.texts
    for note in wording.notes:
        announce(note)
    relations = relation_wording(store, tuple(facts.relations)).texts
    if run is not None and run.record.settings.form == "pair":
        relations = {}
    return known._replace(
        entities=known.entities.having(_new(entities, known.entities)),
        relations=known.relations.having(_new(relations, known.relations)),
    )


def _new(texts: Mapping[str, str], names: Names) -> dict[str, str]:
    return {key: text for key, text in texts.items() if names.number(key) is None}
