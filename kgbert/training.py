"""Training over triples as a function: settings in, a run folder and its report out.

`kgbert.train` is the command line over it; use it directly to run from Python.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from kbert import console
from kbert.devices import check_devices
from kbert.footprint import Load
from kbert.nn.checkpoint import load_weights
from kbert.preflight import check_training
from kbert.report import versions
from kbert.run import check_output, new_run, unfinished, write_report
from kbert.settings import peak_rate
from kbert.tokenizer import Tokenizer
from kgbert.classification import ClassificationMetrics, classification_metrics
from kgbert.dataset import PARTS, KnowledgeData
from kgbert.engine import ScoringEngine
from kgbert.module import Loop
from kgbert.network import TripleNetwork
from kgbert.parts import (
    labels_of,
    load_given,
    make_lessons,
    make_network,
    make_tokenizer,
    make_validation,
)
from kgbert.record import DataRecord, RunRecord
from kgbert.run import load_dataset, sequences_of, write_texts
from kgbert.scores import scores_of
from kgbert.settings import KnowledgeTrainSettings
from kgbert.stored_thresholds import StoredThresholds
from kgbert.thresholds import Thresholds
from kgbert.training_report import TrainingReport
from kgbert.validation import labelled_dev


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """All that training needs, made from settings before a file is written."""

    record: RunRecord
    data: KnowledgeData
    network: TripleNetwork
    tokenizer: Tokenizer


def train(settings: KnowledgeTrainSettings) -> TrainingReport:
    """Train and write the run folder.

    Raises `KbertError` or `GraphError` for whatever the user can mend; then nothing is left behind.
    """
    start = time.perf_counter()
    check_devices(settings)
    output = Path(default_output(settings) if settings.output is None else settings.output)
    check_output(output, overwrite=settings.overwrite)
    for folder in unfinished(output):
        console.say(f"note: {folder} is of a run that is going on, or was killed")
    with new_run(output, first=True, overwrite=settings.overwrite) as folder:
        report = _run(settings, folder, start=start)
    console.say(report.kept())
    console.say(f"wrote {output}; measure it on test with python -m kgbert.evaluate {output}")
    return report


def default_output(settings: KnowledgeTrainSettings) -> str:
    """Name the run folder after data, task and seed."""
    name = Path(settings.dataset).absolute().name.lstrip(".").split(".")[0] or "x"
    return f"runs/{name}-{settings.task}-seed{settings.seed}"


def _run(settings: KnowledgeTrainSettings, folder: Path, *, start: float) -> TrainingReport:
    generator = torch.Generator().manual_seed(settings.seed)
    given = load_given(settings)
    data = _load(settings)
    lessons, validation = make_lessons(settings, data), make_validation(settings, data)
    tokenizer = make_tokenizer(given, settings, data)
    labels = labels_of(settings, data)
    network = make_network(settings, tokenizer, labels=len(labels), generator=generator)
    sequences = sequences_of(data.texts, settings=settings, tokenizer=tokenizer)
    longest = int(sequences.lengths(lessons.given.triples).max())
    slots, bf16 = settings.batch_size * longest, settings.precision == "bf16"
    load = Load(slots=slots, length=longest, bf16=bf16)
    check_training(network, network.encoder.config, load, wish=settings, output=folder)
    loop = Loop(
        settings,
        lessons=lessons,
        validation=validation,
        sequences=sequences,
        pad_id=tokenizer.pad_id,
        folder=folder,
        save=lambda: network.save(folder, labels=labels),
    )
    protocol = "no dev set, so nothing is measured" if validation is None else validation.protocol
    chosen = settings.keep == "best" and validation is not None
    protocol += f"; the weights of the {'best' if chosen else 'last'} epoch are kept"
    used = len(lessons.given.triples)
    record = RunRecord(
        task=settings.task,
        labels=labels,
        data=DataRecord.of(data, used=used),
        protocol=protocol,
        settings=settings,
        versions=versions(),
    )
    prepared = _Prepared(record, data, network, tokenizer)
    return _fit(prepared, loop, folder=folder, start=start)


def _load(settings: KnowledgeTrainSettings) -> KnowledgeData:
    """Load the data set, and say what it holds."""
    if settings.dataset == "sample":
        console.say("data: the packaged sample, a demonstration (name your own with --dataset)")
    else:
        console.say(f"data: reading {settings.dataset}")
    data = load_dataset(settings)
    sizes = "/".join(f"{len(data.triples(part)):,}" for part in PARTS)
    console.say(
        f"data: {sizes} triples for train/dev/test, {len(data.entities):,} entities,"
        f" {len(data.relations):,} relations"
    )
    for note in data.notes:
        console.say(f"note: {note}")
    return data


def _fit(prepared: _Prepared, loop: Loop, *, folder: Path, start: float) -> TrainingReport:
    """Train, restore the weights that were kept, and write what belongs beside them."""
    record, network, settings = prepared.record, prepared.network, prepared.record.settings
    torch.manual_seed(settings.seed)
    rate, padding = peak_rate(settings), loop.padding_share()
    parameters = sum(p.numel() for p in network.parameters())
    console.say(
        f"training: {parameters:,} parameters, {len(loop.lessons):,} examples an epoch,"
        f" {loop.total_steps:,} steps, {padding:.1%} of the token slots are padding, peak rate"
        f" {rate:g}, {loop.processes.device}"
    )
    console.say(f"validation: {record.protocol}")
    loop.fit(network, learning_rate=rate)
    load_weights(network.classifier, folder)
    network.to(loop.device)
    thresholds, dev = _decide(prepared, loop.engine(network))
    report = TrainingReport(
        record=record,
        epochs=loop.epochs,
        best_epoch=loop.best + 1,
        main=loop.main,
        parameters=parameters,
        learning_rate=rate,
        padding_share=padding,
        dev=dev,
        thresholds=thresholds,
        seconds=time.perf_counter() - start,
    )
    _write(report, prepared, folder)
    return report


def _decide(
    prepared: _Prepared, engine: ScoringEngine
) -> tuple[StoredThresholds | None, ClassificationMetrics | None]:
    """Choose thresholds on all of dev, and measure there how triples are told apart from 0.5 on."""
    if prepared.record.task == "relation-prediction":
        return None, None
    labelled = labelled_dev(prepared.data)
    if labelled is None:
        return None, None
    triples, targets = labelled.examples
    logits = engine.logits(triples)
    thresholds = Thresholds.fit(scores_of(logits), targets, relations=triples[:, 1], neutral=0.0)
    stored = StoredThresholds("difference", len(targets), labelled.source, thresholds)
    return stored, classification_metrics(targets, scores_of(logits, kind="probability"))


def _write(report: TrainingReport, prepared: _Prepared, folder: Path) -> None:
    prepared.tokenizer.save(folder)
    prepared.record.write(folder)
    write_texts(folder, prepared.data)
    if report.thresholds is not None:
        report.thresholds.write(folder)
    (folder / "metrics.csv").write_text(report.curves(), encoding="utf-8")
    write_report(folder, metrics=report.to_mapping(), card=report.card())
