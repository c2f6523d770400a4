"""Fine-tuning as a function: settings in, a run folder and its report out.

`kbert.train` is the command line over it; use it directly to run from Python.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import torch

from kbert import console, resuming
from kbert.answers.questions import QuestionExample
from kbert.builder import Data, load_data, load_given, load_graph, make_encoder
from kbert.checkpoints import Checkpoint
from kbert.data import overlap
from kbert.depths import describe, freeze
from kbert.devices import check_devices
from kbert.examples import TaggedExample, TextExample
from kbert.fingerprints import of_examples
from kbert.footprint import Load
from kbert.forms import Form, encodings, labels_of, task_of
from kbert.inject import Injector
from kbert.keeper import Keeper, about_run, keeping_of
from kbert.knowledge import make_injector, make_policy
from kbert.nn import Classifier, SpanFinder, Tagger
from kbert.nn.checkpoint import load_weights, save
from kbert.plans import lengths
from kbert.preflight import check_training
from kbert.report import RunReport, SplitReport, versions
from kbert.resuming import Resume
from kbert.run import (
    GraphRecord,
    RunRecord,
    check_output,
    new_run,
    write_report,
)
from kbert.settings import TrainSettings, peak_rate
from kbert.tasks import Encoded
from kbert.tokenizer import MANY_UNKNOWN, Tokenizer
from kbert.trainer import Loop

COMMAND: Final = "kbert.train"
_CHARACTERS = 0.99  # with this share of one-character words, words are characters


@dataclass(frozen=True, slots=True)
class _Prepared:
    """All that training needs, made from settings before a file is written."""

    record: RunRecord
    network: Classifier | SpanFinder | Tagger
    tokenizer: Tokenizer
    encoded: Mapping[str, Sequence[Encoded]]
    splits: Sequence[SplitReport]
    majority: float | None
    overlap: int
    fingerprints: Mapping[str, str]
    places: Sequence[str]


def finetune(settings: TrainSettings, *, resume: Resume = None) -> RunReport:
    """Train, test and write the run folder; `resume` is as in `kbert.resuming.going_on`.

    Raises `KbertError` or `GraphError` for whatever the user can mend; then nothing is left behind
    but a run that can be gone on with. Raises `Stopped` where it was asked to stop.
    """
    start = time.monotonic()
    check_devices(settings)
    output = Path(default_output(settings) if settings.output is None else settings.output)
    going = resuming.going_on(resume, settings=settings, output=output, command=COMMAND)
    if console.speaks():
        check_output(output, overwrite=settings.overwrite)
        resuming.note_unfinished(output, going=going)
    prepared = _prepare(settings)
    with (
        new_run(
            output, first=console.speaks(), overwrite=settings.overwrite, resume=going
        ) as folder,
        resuming.kept(folder, command=COMMAND),
    ):
        resumed = resuming.read(
            folder if going is not None else None,
            fingerprints=prepared.fingerprints,
            versions=prepared.record.versions,
        )
        report = _fit(prepared, folder=folder, start=start, resumed=resumed)
    console.say(report.kept())
    console.say(f"wrote {output}")
    return report


def default_output(settings: TrainSettings) -> str:
    """Name the run folder after data, graph and seed."""
    sources = (Path(text).absolute() for text in (settings.data, settings.kg))
    data, kg = (source.name.lstrip(".").split(".")[0] or "x" for source in sources)
    return f"runs/{data}-{kg}-seed{settings.seed}"


def _prepare(settings: TrainSettings) -> _Prepared:
    """Load everything, inject the facts, and say what that did to the texts."""
    generator = torch.Generator().manual_seed(settings.seed)
    given = load_given(settings, generator=generator)
    splits = load_data(settings)  # before the graph, which may take longer
    store = load_graph(settings)
    task = task_of(settings, labels_of(splits))
    encoder, tokenizer = make_encoder(
        settings, given, splits=splits, store=store, generator=generator
    )
    encoded = _encode(splits, task, inject=make_injector(settings, store, tokenizer))
    reports = [
        SplitReport.of(name, examples, tokenizer=tokenizer) for name, examples in encoded.items()
    ]
    for report in reports:
        console.say(report.summary(settings.max_length))
        if report.unknown_share > MANY_UNKNOWN:
            console.say(f"note: is the vocabulary for the language of {report.name}?")
    if len(store) and settings.max_facts and not reports[0].facts:
        console.say(f"note: no fact of {store.name} was injected into the training texts")
    record = RunRecord(
        task=settings.task,
        labels=task.labels,
        unit=_unit(splits),
        graph=GraphRecord.of(store),
        policy=make_policy(settings, store).describe(),
        settings=settings,
        versions=versions(),
    )
    network = task.head(encoder, dropout=settings.dropout, generator=generator)
    freeze(network, layers=settings.freeze_layers)
    _check_room(settings, network, encoded["train"])
    return _Prepared(
        record,
        network,
        tokenizer,
        encoded,
        reports,
        _majority(splits),
        overlap(splits),
        {"the graph": store.fingerprint, "the data": of_examples(splits, encoded)},
        _places(splits, encoded["train"]),
    )


def _places(splits: Data, encoded: Sequence[Encoded]) -> list[str]:
    """Name the examples that are trained on; nothing where one became several."""
    if len(splits.train) != len(encoded):
        return []
    return [example.place for example in splits.train]


def _check_room(
    settings: TrainSettings, network: Classifier | SpanFinder | Tagger, train: Sequence[Encoded]
) -> None:
    """Refuse what neither disk nor memory has room for."""
    sizes = lengths(train)
    longest = max(sizes)
    slots = max(longest, min(settings.batch_tokens, longest * len(sizes)))
    load = Load(slots=slots, length=longest, bf16=settings.precision == "bf16")
    output = Path(default_output(settings) if settings.output is None else settings.output)
    check_training(network, network.encoder.config, load, wish=settings, output=output)


def _encode(splits: Data, task: Form, *, inject: Injector) -> dict[str, list[Encoded]]:
    parts: dict[str, Sequence[TextExample | TaggedExample | QuestionExample]] = {
        "train": splits.train,
        "dev": splits.dev,
        "test": splits.test,
    }
    return {
        name: [
            encoded
            for example in console.progress(examples, about=f"injecting facts into {name}")
            for encoded in encodings(task, example, inject)
        ]
        for name, examples in parts.items()
    }


def _fit(
    prepared: _Prepared, *, folder: Path, start: float, resumed: Checkpoint | None
) -> RunReport:
    """Train, restore the best weights, test them, and write what belongs beside them."""
    record, network, settings = prepared.record, prepared.network, prepared.record.settings
    train, dev, test = (prepared.encoded[name] for name in ("train", "dev", "test"))
    keeper = _keeper(prepared, folder=folder, start=start, resumed=resumed)
    loop = _loop(prepared, keeper)
    rate = peak_rate(settings)
    padding, steps = loop.padding_share(train), loop.steps(train)
    console.say(
        f"training: {_parameters(network):,} parameters, {steps} steps, {padding:.1%} of the token"
        f" slots are padding, peak rate {rate:g}, {loop.processes.device}"
    )
    _say_what_is_special(settings, layers=network.encoder.config.layers, has_dev=bool(dev))
    module = loop.fit(network, train, dev, learning_rate=rate, total_steps=steps)
    loop.processes.barrier()
    load_weights(network, folder)
    scores = loop.evaluate(module, test) if test else {}
    report = RunReport(
        record=record,
        splits=prepared.splits,
        epochs=loop.epochs,
        best_epoch=loop.best + 1,
        main=loop.task.main,
        majority=prepared.majority,
        overlap=prepared.overlap,
        padding_share=padding,
        test_padding_share=loop.evaluation_padding_share(test) if test else 0.0,
        parameters=_parameters(network),
        learning_rate=rate,
        test=scores,
        seconds=keeper.seconds,
    )
    if loop.processes.first:
        _write(report, folder, tokenizer=prepared.tokenizer)
    loop.processes.barrier()
    return report


def _keeper(
    prepared: _Prepared, *, folder: Path, start: float, resumed: Checkpoint | None
) -> Keeper:
    record = prepared.record
    about = about_run(record.settings, prepared.fingerprints, record.versions)
    keeping = keeping_of(record.settings, start=start)
    return Keeper(folder, command=COMMAND, about=about, keeping=keeping, resumed=resumed)


def _loop(prepared: _Prepared, keeper: Keeper) -> Loop:
    record, network = prepared.record, prepared.network
    return Loop(
        record.settings,
        task=task_of(record.settings, record.labels),
        pad_id=prepared.tokenizer.pad_id,
        keeper=keeper,
        save=lambda: save(network, keeper.folder, labels=record.labels),
        places=prepared.places,
    )


def _write(report: RunReport, folder: Path, *, tokenizer: Tokenizer) -> None:
    tokenizer.save(folder)
    report.record.write(folder)
    write_report(folder, metrics=report.to_mapping(), card=report.card())


def _parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def _say_what_is_special(settings: TrainSettings, *, layers: int, has_dev: bool) -> None:
    special = describe(
        freeze_layers=settings.freeze_layers,
        unfreeze_epochs=settings.unfreeze_epochs,
        layer_decay=settings.layer_decay,
        epochs=settings.epochs,
        layers=layers,
    )
    if special:
        console.say(f"training: {special}")
    if not has_dev:
        console.say("training: no dev set, so the weights of the last epoch are kept")


def _unit(splits: Data) -> Literal["word", "character"]:
    """Say, also to the user, whether tagged words are single characters, as in Chinese data."""
    tagged = [example for example in splits.train if isinstance(example, TaggedExample)]
    sizes = [len(word) for example in tagged for word in example.words]
    if not sizes:
        return "word"
    single = sizes.count(1) >= _CHARACTERS * len(sizes)
    console.say("words: single characters" if single else "words: as split in the data")
    return "character" if single else "word"


def _majority(splits: Data) -> float | None:
    """Return the accuracy of always answering the commonest training label, on the test set."""
    train = [example.label for example in splits.train if isinstance(example, TextExample)]
    test = [example.label for example in splits.test if isinstance(example, TextExample)]
    if not train or not test:
        return None
    commonest = Counter(train).most_common(1)[0][0]
    return test.count(commonest) / len(test)
