"""Pre-training as a function: settings in, a run folder and its report out.

`kbert.pretrain` is the command line over it; use it directly to run from Python. The run folder is
a model that `transformers` reads and that `--init` of `kbert.train` takes; beside it are

    run.json      settings, corpus and graph with fingerprints    config.yaml   the settings again
    metrics.json  figures of the run                              metrics.csv   its curves
    samples.txt   what the model makes of masked tokens           README.md     its model card
"""

from __future__ import annotations

import functools
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch.utils.checkpoint import checkpoint

from kbert import console
from kbert.devices import check_compiler, check_devices
from kbert.errors import Diverged
from kbert.nn import LanguageModel
from kbert.nn.checkpoint import load_language_model, save
from kbert.plans import dropout_seed
from kbert.pretraining.curves import check_tensorboard
from kbert.pretraining.held_out import Part, split
from kbert.pretraining.knowledge import open_knowledge
from kbert.pretraining.links import Links
from kbert.pretraining.objectives import described
from kbert.pretraining.parts import make_network, open_corpus
from kbert.pretraining.relations import RELATIONS
from kbert.pretraining.samples import samples
from kbert.pretraining.settings import PretrainSettings
from kbert.pretraining.shards import Corpus
from kbert.pretraining.training import Training
from kbert.pretraining.watch import Measure
from kbert.report import hardware, versions
from kbert.run import FORMAT, check_output, new_run, unfinished, write_json, write_report

KIND: Final = "pretraining"
_SCRATCH: Final = "corpus"
_LINKS: Final = "links"


@dataclass(frozen=True, slots=True)
class PretrainReport:
    """What a run came to; `step` is that of the weights that were kept."""

    settings: PretrainSettings
    corpus: dict[str, Any]
    knowledge: dict[str, Any]
    parameters: int
    step: int
    measures: Sequence[Measure]
    samples: Sequence[str]
    tokens: int
    training_seconds: float
    seconds: float
    diverged: str = ""
    interrupted: bool = False

    def to_mapping(self) -> dict[str, Any]:
        """List the figures for `metrics.json`."""
        return {
            "parameters": self.parameters,
            "step": self.step,
            "diverged": self.diverged,
            "interrupted": self.interrupted,
            "held_out": [
                {
                    "step": measure.step,
                    "loss": measure.loss,
                    **described(measure.scores),
                }
                for measure in self.measures
            ],
            "tokens": self.tokens,
            "training_seconds": self.training_seconds,
            "tokens_per_second": self.tokens / max(1e-9, self.training_seconds),
            "seconds": self.seconds,
            "hardware": hardware(),
        }

    def table(self) -> str:
        """Draw the last validation for the terminal."""
        if not self.measures:
            return "no held-out texts, so nothing was measured"
        lines = [f"{'held out':10} {'loss':>8} {'accuracy':>9} {'targets':>9}"]
        for name, score in self.measures[-1].scores.items():
            lines.append(f"{name:10} {score.loss:8.4f} {score.accuracy:9.4f} {score.targets:9,}")
        return "\n".join(lines)

    def _graph(self) -> list[str]:
        """Say in a line of the model card which graph there was."""
        if not self.knowledge:
            return []
        graph, found = self.knowledge["graph"], self.knowledge["facts"]
        return [
            f"Graph: {graph['name']} ({graph['triples']:,} triples), {found['facts']:,} facts in"
            f" the corpus; masked was: {self.settings.mask_where}."
        ]

    def card(self) -> str:
        """Write the model card."""
        settings, corpus = self.settings, self.corpus
        phases = ", then ".join(f"{p.steps:,} of length {p.max_length}" for p in settings.plan)
        lines = [
            "# A BERT pre-trained with kbert.pretrain",
            "",
            f"{self.parameters:,} parameters; weights of step {self.step:,} of"
            f" {settings.total_steps:,} ({phases}).",
            f"Corpus: {corpus['tokens']:,} tokens in {corpus['documents']:,} documents, of which"
            f" {corpus['held_out']:,} were held out. Sentence relation: {settings.relation}."
            f" {_asked(settings)}",
            *self._graph(),
            "",
            "```",
            self.table(),
            "```",
            "",
            "Fine-tune it with `python -m kbert.train --init FOLDER`.",
        ]
        if self.diverged or self.interrupted:
            lines += ["", f"Its training ended early: {self.diverged or 'it was interrupted'}"]
        return "\n".join(lines) + "\n"


def pretrain(settings: PretrainSettings) -> PretrainReport:
    """Train and write the run folder.

    Raises `KbertError` for whatever the user can mend. Then nothing is left behind, but for a
    training that diverged, or was interrupted, after weights were kept: these are written before
    `Diverged` or `KeyboardInterrupt` is raised.
    """
    start = time.perf_counter()
    check_devices(settings)
    if settings.compile:
        check_compiler(settings)
    if settings.tensorboard:
        check_tensorboard()
    output = Path(default_output(settings) if settings.output is None else settings.output)
    if console.speaks():
        check_output(output, overwrite=settings.overwrite)
        for folder in unfinished(output):
            console.say(f"note: {folder} is of a run that is going on, or was killed")
    with new_run(output, first=console.speaks(), overwrite=settings.overwrite) as folder:
        report = _run(settings, folder, start=start)
    console.say(f"wrote {output}, the weights of step {report.step}")
    if report.diverged:
        raise Diverged(f"{report.diverged}; the weights of step {report.step} are in {output}")
    if report.interrupted:
        raise KeyboardInterrupt
    return report


def default_output(settings: PretrainSettings) -> str:
    """Name the run folder after corpus and seed."""
    source = Path(settings.corpus or settings.texts[0]).absolute()
    return f"runs/pretrain-{source.name.lstrip('.').split('.')[0] or 'x'}-seed{settings.seed}"


def _run(settings: PretrainSettings, folder: Path, *, start: float) -> PretrainReport:
    generator = torch.Generator().manual_seed(settings.seed)
    corpus = open_corpus(settings, scratch=folder / _SCRATCH)
    knowledge = open_knowledge(settings, corpus, scratch=folder / _LINKS)
    train, held_out = _parts(settings, corpus, knowledge.links)
    network = make_network(settings, corpus, generator=generator)
    training = Training(
        settings,
        corpus=corpus,
        train=train,
        held_out=held_out,
        folder=folder,
        save=lambda whole: save(whole, folder, labels=_labels(settings)),
        links=knowledge.links,
    )
    torch.manual_seed(dropout_seed(settings.seed, rank=training.processes.share.rank))
    parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    console.say(
        f"training: {parameters:,} parameters, {settings.total_steps:,} steps of"
        f" {settings.accumulate * settings.devices * settings.batch_tokens:,} tokens,"
        f" {training.processes.device}"
    )
    _prepare(network, settings)
    ended: BaseException | None = None
    try:
        training.fit(network)
    except (Diverged, KeyboardInterrupt) as error:
        if not training.saved_step:
            raise
        ended = error
    else:
        training.processes.barrier()
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
        training_seconds=training.seconds,
        seconds=time.perf_counter() - start,
        diverged=str(ended) if isinstance(ended, Diverged) else "",
        interrupted=isinstance(ended, KeyboardInterrupt),
    )
    if training.processes.first:
        corpus.tokenizer().save(folder)
        _write(report, folder)
        for scratch in (_SCRATCH, _LINKS):
            shutil.rmtree(folder / scratch, ignore_errors=True)
    if ended is None:
        training.processes.barrier()
    return report


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


def _asked(settings: PretrainSettings) -> str:
    """Say what was to be predicted, for the model card."""
    masked = f"Masked: {settings.mask_rate:.0%} of the tokens, by {settings.unit}."
    if settings.causal_share == 0:
        return masked
    load = "`BertLMHeadModel.from_pretrained(FOLDER, is_decoder=True)` of transformers reads so"
    if settings.causal_share == 1:
        return f"Read left to right, each next token predicted: {load}. `[MASK]` was never seen."
    return f"{masked} Read left to right instead: {settings.causal_share:.0%} of sequences; {load}."


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


def _write(report: PretrainReport, folder: Path) -> None:
    settings = report.settings
    content = {"format": FORMAT, "task": KIND, "corpus": report.corpus}
    content |= report.knowledge
    content |= {"settings": settings.to_mapping(), "versions": versions()}
    write_json(folder / "run.json", content)
    (folder / "config.yaml").write_text(settings.to_yaml(), encoding="utf-8")
    (folder / "samples.txt").write_text(
        "".join(f"{line}\n" for line in report.samples), encoding="utf-8"
    )
    for line in report.samples:
        console.say(f"sample: {line}")
    write_report(folder, metrics=report.to_mapping(), card=report.card())
