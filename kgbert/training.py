"""Training over triples as a function: settings in, a run folder and its report out.

`kgbert.train` is the command line over it; use it directly to run from Python.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from kbert import console, resuming
from kbert.devices import check_devices
from kbert.footprint import Load
from kbert.keeper import Keeper, about_run, keeping_of
from kbert.nn.checkpoint import load_weights
from kbert.preflight import check_training
from kbert.report import versions
from kbert.resuming import Resume
from kbert.run import check_output, new_run, write_report
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

COMMAND: Final = "kgbert.train"

_SCRATCH_RATE: Final = 3e-4  # at 0.001 two layers learn the sample badly, at 0.002 not at all


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """All that training needs, made from settings before a file is written."""

    record: RunRecord
    data: KnowledgeData
    network: TripleNetwork
    tokenizer: Tokenizer


def train(settings: KnowledgeTrainSettings, *, resume: Resume = None) -> TrainingReport:
    """Train and write the run folder; `resume` is as in `kbert.resuming.going_on`.

    Raises `KbertError` or `GraphError` for whatever the user can mend; then nothing is left behind
    but a run that can be gone on with. Raises `Stopped` where it was asked to stop.
    """
    start = time.monotonic()
    check_devices(settings)
    output = Path(default_output(settings) if settings.output is None else settings.output)
    going = resuming.going_on(resume, settings=settings, output=output, command=COMMAND)
    check_output(output, overwrite=settings.overwrite)
    resuming.note_unfinished(output, going=going)
    with (
        new_run(output, first=True, overwrite=settings.overwrite, resume=going) as folder,
        resuming.kept(folder, command=COMMAND),
    ):
        report = _run(settings, folder, start=start, going=going is not None)
    console.say(report.kept())
    console.say(f"wrote {output}; measure it on test with python -m kgbert.evaluate {output}")
    return report


def default_output(settings: KnowledgeTrainSettings) -> str:
    """Name the run folder after data, task and seed."""
    name = Path(settings.dataset).absolute().name.lstrip(".").split(".")[0] or "x"
    return f"runs/{name}-{settings.task}-seed{settings.seed}"


def _run(
    settings: KnowledgeTrainSettings, folder: Path, *, start: float, going: bool
) -> TrainingReport:
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
    keeper = _keeper(settings, data, folder, start=start, going=going)
    loop = Loop(
        settings,
        lessons=lessons,
        validation=validation,
        sequences=sequences,
        pad_id=tokenizer.pad_id,
        keeper=keeper,
        save=lambda: network.save(folder, labels=labels),
        name=lambda triple: _name(data, triple),
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
    return _fit(prepared, loop, keeper)


def _keeper(
    settings: KnowledgeTrainSettings,
    data: KnowledgeData,
    folder: Path,
    *,
    start: float,
    going: bool,
) -> Keeper:
    marks = {"the data": data.fingerprint}
    resumed = resuming.read(folder if going else None, fingerprints=marks, versions=versions())
    about = about_run(settings, marks, versions())
    keeping = keeping_of(settings, start=start)
    return Keeper(folder, command=COMMAND, about=about, keeping=keeping, resumed=resumed)


def _name(data: KnowledgeData, triple: Sequence[int]) -> str:
    head, relation, tail = triple
    return f"({data.entities[head]}, {data.relations[relation]}, {data.entities[tail]})"


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


def _fit(prepared: _Prepared, loop: Loop, keeper: Keeper) -> TrainingReport:
    """Train, restore the weights that were kept, and write what belongs beside them."""
    record, network = prepared.record, prepared.network
    settings = record.settings
    rate = peak_rate(settings, from_scratch=_SCRATCH_RATE)
    padding = loop.padding_share()
    parameters = sum(p.numel() for p in network.parameters())
    console.say(
        f"training: {parameters:,} parameters, {len(loop.lessons):,} examples an epoch,"
        f" {loop.total_steps:,} steps, {padding:.1%} of the token slots are padding, peak rate"
        f" {rate:g}, {loop.processes.device}"
    )
    console.say(f"validation: {record.protocol}")
    loop.fit(network, learning_rate=rate)
    load_weights(network.classifier, keeper.folder)
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
        seconds=keeper.seconds,
    )
    _write(report, prepared, keeper.folder)
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
