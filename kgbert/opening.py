"""Open a run of `kgbert.train`, or a model folder, as a `TripleScorer`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kbert.devices import check_device
from kbert.errors import DataError, RunError
from kbert.nn.hub import resolve
from kbert.tokenizer import Tokenizer
from kgbert.calibration import Calibrator
from kgbert.dataset import KnowledgeData
from kgbert.names import Names
from kgbert.network import TripleNetwork
from kgbert.record import RUN
from kgbert.run import Run
from kgbert.scorer import TripleScorer
from kgbert.text_engine import TextEngine

if TYPE_CHECKING:
    from kgbert.engine import Precision


class _Known(NamedTuple):
    entities: Names
    relations: Names


def open_scorer(
    source: str | Path,
    *,
    texts: KnowledgeData | Mapping[str, str] | None,
    relation_texts: Mapping[str, str],
    device: str,
    precision: Precision,
    batch_tokens: int,
    allow_other_graph: bool,
    announce: Callable[[str], None] | None,
) -> TripleScorer:
    """Open `source` as `TripleScorer.from_pretrained` says."""
    check_device(device)
    folder = resolve(source)
    run = Run.open(folder) if (folder / RUN).is_file() else None
    network = TripleNetwork.from_pretrained(folder) if run is None else run.network()
    known = _known(run, texts, allow_other_graph=allow_other_graph, announce=announce)
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
        thresholds=None if run is None else run.thresholds,
        calibrator=Calibrator.read(folder),
        announce=announce,
    )


def _known(
    run: Run | None,
    texts: KnowledgeData | Mapping[str, str] | None,
    *,
    allow_other_graph: bool,
    announce: Callable[[str], None] | None,
) -> _Known:
    """Return what has ids: of the run, and of the texts that were given."""
    if isinstance(texts, KnowledgeData):
        if run is not None and texts.fingerprint != run.record.data.fingerprint:
            if not allow_other_graph:
                run.check_data(texts)
            if announce is not None:
                announce(f"{texts.name} is not the data that {run.folder} was trained on")
        return _Known(
            Names(texts.entities, texts.texts.entities, what="entity"),
            Names(texts.relations, texts.texts.relations, what="relation"),
        )
    if texts is not None and not isinstance(texts, Mapping):
        raise DataError(
            f"texts is a {type(texts).__name__}; give texts by id, or a data set of"
            " kgbert.load_data"
        )
    if run is None:
        entities, relations = Names(what="entity"), Names(what="relation")
    else:
        entities = Names(run.entities, run.texts.entities, what="entity")
        relations = Names(run.relations, run.texts.relations, what="relation")
    return _Known(entities.having(texts or {}), relations)
