"""Pre-training as a function: settings in, a run folder and its report out.

`kbert.pretrain` is the command line over it; use it directly to run from Python. The run folder is
a model that `transformers` reads and that `--init` of `kbert.train` takes; beside it are

    run.json      settings, corpus and graph with fingerprints    config.yaml   the settings again
    metrics.json  figures of the run                              metrics.csv   its curves
    samples.txt   what the model makes of masked tokens           README.md     its model card
"""

from __future__ import annotations

import functools
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch.utils.checkpoint import checkpoint

from kbert import console, resuming
from kbert.devices import check_compiler, check_devices
from kbert.errors import Diverged
from kbert.fingerprints import fingerprint
from kbert.keeper import Keeper, about_run, keeping_of
from kbert.nn import LanguageModel
from kbert.nn.checkpoint import load_language_model, save
from kbert.pretraining.curves import FILE, check_tensorboard
from kbert.pretraining.held_out import Part, split
from kbert.pretraining.knowledge import open_knowledge
from kbert.pretraining.links import Links
from kbert.pretraining.loads import check_room
from kbert.pretraining.parts import make_network, open_corpus
from kbert.pretraining.relations import RELATIONS
from kbert.pretraining.report import PretrainReport, write_run
from kbert.pretraining.samples import samples
from kbert.pretraining.settings import PretrainSettings
from kbert.pretraining.shards import Corpus
from kbert.pretraining.training import Training
from kbert.report import versions
from kbert.resuming import Resume
from kbert.run import check_output, new_run

COMMAND: Final = "kbert.pretrain"
_SCRATCH: Final = "corpus"
_LINKS: Final = "links"


def pretrain(settings: PretrainSettings, *, resume: Resume = None) -> PretrainReport:
    """Train and write the run folder; `resume` is as in `kbert.resuming.going_on`.

    Raises `KbertError` for whatever the user can mend. Then nothing is left behind, but for a run
    that can be gone on with, and for a training that diverged after weights were kept: these are
    written before `Diverged` is raised. Raises `Stopped` where it was asked to stop.
    """
    start = time.monotonic()
    check_devices(settings)
    if settings.compile:
        check_compiler(settings)
    if settings.tensorboard:
        check_tensorboard()
    output = Path(default_output(settings) if settings.output is None else settings.output)
    going = resuming.going_on(resume, settings=settings, output=output, command=COMMAND)
    if console.speaks():
        check_output(output, overwrite=settings.overwrite)
        resuming.note_unfinished(output, going=going)
    with (
        new_run(
            output, first=console.speaks(), overwrite=settings.overwrite, resume=going
        ) as folder,
        resuming.kept(folder, command=COMMAND),
    ):
        report = _run(settings, folder, start=start, going=going is not None)
    console.say(f"wrote {output}, the weights of step {report.step}")
    if report.diverged:
        raise Diverged(f"{report.diverged}; the weights of step {report.step} are in {output}")
    return report


def default_output(settings: PretrainSettings) -> str:
    """Name the run folder after corpus and seed."""
    source = Path(settings.corpus or settings.texts[0]).absolute()
    return f"runs/pretrain-{source.name.lstrip('.').split('.')[0] or 'x'}-seed{settings.seed}"


def _run(settings: PretrainSettings, folder: Path, *, start: float, going: bool) -> PretrainReport:
    generator = torch.Generator().manual_seed(settings.seed)
    corpus = open_corpus(settings, scratch=folder / _SCRATCH)
    knowledge = open_knowledge(settings, corpus, scratch=folder / _LINKS)
    train, held_out = _parts(settings, corpus, knowledge.links)
    network = make_network(settings, corpus, generator=generator)
    check_room(settings, network, output=folder)
    marks = {"the corpus": corpus.seal, "the graph": _mark(knowledge.record)}
    keeper = _keeper(settings, marks, folder, start=start, going=going)
    training = Training(
        settings,
        corpus=corpus,
        train=train,
        held_out=held_out,
        keeper=keeper,
        save=lambda whole: save(whole, folder, labels=_labels(settings)),
        links=knowledge.links,
    )
    parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    console.say(
        f"training: {parameters:,} parameters, {settings.total_steps:,} steps of"
        f" {settings.accumulate * settings.devices * settings.batch_tokens:,} tokens,"
        f" {training.processes.device}"
    )
    _prepare(network, settings)
    ended = _fit(training, network)
    shown = _samples(training, folder, corpus) if training.processes.first else []
    report = PretrainReport(
        settings=settings,
        corpus=_describe(corpus, held_out),
        knowledge=knowledge.record or {},
        parameters=parameters,
        step=training.saved_step,
        measures=training.measures,
        samples=shown,
        tokens=training.tokens,
        slots=training.slots,
        training_seconds=training.seconds,
        seconds=keeper.seconds,
        diverged="" if ended is None else str(ended).partition("; the last good checkpoint")[0],
    )
    if training.processes.first:
        corpus.tokenizer().save(folder)
        write_run(report, folder)
        for scratch in (_SCRATCH, _LINKS):
            shutil.rmtree(folder / scratch, ignore_errors=True)
    if ended is None:
        training.processes.barrier()
    return report


def _keeper(
    settings: PretrainSettings, marks: Mapping[str, str], folder: Path, *, start: float, going: bool
) -> Keeper:
    resumed = resuming.read(folder if going else None, fingerprints=marks, versions=versions())
    return Keeper(
        folder,
        command=COMMAND,
        about=about_run(settings, marks, versions()),
        keeping=keeping_of(settings, start=start),
        resumed=resumed,
        appended=(FILE,),
    )


def _mark(record: Mapping[str, Any] | None) -> str:
    return fingerprint([json.dumps(record, sort_keys=True).encode()])


def _fit(training: Training, network: LanguageModel) -> Diverged | None:
    """Train; return how it diverged, if weights had been kept by then."""
    try:
        training.fit(network)
    except Diverged as error:
        if not training.saved_step:
            raise
        return error
    training.processes.barrier()
    return None


def _parts(
    settings: PretrainSettings, corpus: Corpus, links: Links | None
) -> tuple[Part, Part | None]:
    train, held_out = split(
        sentences=corpus.sentences if links is None else links.sentences,
        documents=corpus.documents,
        share=settings.held_out,
        relation=settings.relation,
    )
    counts = corpus.counts
    kept = 0 if held_out is None else len(held_out)
    console.say(
        f"corpus: {counts.tokens:,} tokens, {counts.documents:,} documents, {kept:,} of them held"
        f" out; {corpus.vocab_size:,} pieces"
    )
    if settings.held_out and held_out is None:
        console.say("note: too few documents to hold any out; nothing will be validated")
    alone = counts.one_sentence / max(1, counts.documents)
    if settings.relation == "sop" and alone == 1.0:
        console.say("note: every document has one sentence, so there is no order to learn")
    return train, held_out


def _prepare(network: LanguageModel, settings: PretrainSettings) -> None:
    """Change how the encoder computes, but not what."""
    if settings.checkpoint_layers:
        for layer in network.encoder.layers:
            again: Any = functools.partial(checkpoint, layer.forward, use_reentrant=False)
            layer.forward = again
    if settings.compile:
        network.encoder.compile(dynamic=False if settings.packing else None)


def _samples(training: Training, folder: Path, corpus: Corpus) -> list[str]:
    """Ask the weights that were kept, on the CPU."""
    return samples(
        load_language_model(folder),
        training.shown(),
        tokenizer=corpus.tokenizer(),
        most=training.settings.samples,
    )


def _labels(settings: PretrainSettings) -> tuple[str, ...] | None:
    relation = RELATIONS.get(settings.relation)
    return None if relation is None else relation.ways


def _describe(corpus: Corpus, held_out: Part | None) -> dict[str, Any]:
    return {
        "path": str(corpus.path),
        "seal": corpus.seal,
        "vocabulary": corpus.fingerprint,
        **corpus.counts._asdict(),
        "held_out": 0 if held_out is None else len(held_out),
    }
