"""Fine-tuning as a function: settings in, a run folder and its report out.

`kbert.train` is the command line over it; use it directly to run from Python.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Literal

import torch

import graphs
from graphs import TripleStore
from kbert import console
from kbert.data import Columns, label_names, load_splits, overlap
from kbert.errors import SettingsError
from kbert.examples import Splits, TaggedExample, TextExample
from kbert.nn import Encoder, EncoderConfig
from kbert.nn.checkpoint import load_weights, save
from kbert.report import RunReport, SplitReport, versions
from kbert.run import GraphRecord, RunRecord, check_output, make_injector, new_run, write_json
from kbert.settings import TrainSettings
from kbert.tasks import Encoded, Task, make_task
from kbert.tokenizer import Tokenizer
from kbert.trainer import Loop, check_devices

Data = Splits[TextExample] | Splits[TaggedExample]
_TRIPLES_FOR_VOCABULARY = 200_000  # a learnt vocabulary reads this many triples of the graph
_SCRATCH_RATE, _PRETRAINED_RATE = 1e-3, 5e-5


def finetune(settings: TrainSettings) -> RunReport:
    """Train, test and write the run folder.

    Raises `KbertError` or `GraphError` for whatever the user can mend; then nothing is left behind.
    """
    start = time.perf_counter()
    check_devices(settings)
    output = Path(settings.output or default_output(settings))
    if console.speaks():
        check_output(output, overwrite=settings.overwrite)
    store = load_graph(settings)
    splits = load_data(settings)
    task = make_task(settings.task, label_names(splits))
    encoder, tokenizer = make_encoder(settings, splits, store)
    inject = make_injector(settings, store, tokenizer)
    encoded = {
        name: [task.encode(example, inject) for example in examples]
        for name, examples in _named(splits).items()
    }
    reports = [_split_report(name, examples) for name, examples in encoded.items()]
    for split in reports:
        console.say(split.summary(settings.max_length))
    record = RunRecord(
        task=settings.task,
        labels=task.labels,
        unit=_unit(splits),
        graph=GraphRecord.of(store),
        settings=settings,
        versions=versions(),
    )
    with new_run(output, first=console.speaks()) as folder:
        report = _fit(
            record,
            encoder,
            task,
            encoded,
            reports,
            folder=folder,
            tokenizer=tokenizer,
            majority=_majority(splits),
            overlap=overlap(splits),
            start=start,
        )
    console.say(f"wrote {output}")
    return report


def _fit(
    record: RunRecord,
    encoder: Encoder,
    task: Task,
    encoded: dict[str, list[Encoded]],
    splits: Sequence[SplitReport],
    *,
    folder: Path,
    tokenizer: Tokenizer,
    majority: float | None,
    overlap: int,
    start: float,
) -> RunReport:
    settings = record.settings
    generator = torch.Generator().manual_seed(settings.seed)
    network = task.head(encoder, dropout=settings.dropout, generator=generator)
    loop = Loop(
        settings,
        task=task,
        pad_id=tokenizer.pad_id,
        folder=folder,
        save=lambda: save(network, folder, labels=record.labels),
    )
    torch.manual_seed(settings.seed + loop.rank)  # dropout
    rate = settings.learning_rate
    if rate is None:
        rate = _SCRATCH_RATE if settings.init == "none" else _PRETRAINED_RATE
    parameters = sum(p.numel() for p in network.parameters())
    padding = loop.padding_share(encoded["train"])
    console.say(
        f"training: {parameters:,} parameters, {loop.steps(encoded['train'])} steps,"
        f" {padding:.1%} of the token slots are padding, peak rate {rate:g}, {loop.device}"
    )
    if not encoded["dev"]:
        console.say("training: no dev set, so the weights of the last epoch are kept")
    module = loop.fit(network, encoded["train"], encoded["dev"], learning_rate=rate)
    loop.barrier()
    load_weights(network, folder)
    test = loop.evaluate(module, encoded["test"]) if encoded["test"] else {}
    report = RunReport(
        record=record,
        splits=splits,
        epochs=loop.epochs,
        best_epoch=loop.best + 1,
        main=task.main,
        majority=majority,
        overlap=overlap,
        padding_share=padding,
        test_padding_share=loop.padding_share(encoded["test"]) if encoded["test"] else 0.0,
        parameters=parameters,
        learning_rate=rate,
        test=test,
        seconds=time.perf_counter() - start,
    )
    if loop.first:
        tokenizer.save(folder)
        record.write(folder)
        write_json(folder / "metrics.json", report.to_mapping())
        (folder / "README.md").write_text(report.card(), encoding="utf-8")
    loop.barrier()
    return report


def default_output(settings: TrainSettings) -> str:
    """Name the run folder after data, graph and seed."""
    data, kg = (Path(text).name.split(".")[0] for text in (settings.data, settings.kg))
    return f"runs/{data}-{kg}-seed{settings.seed}"


def load_graph(settings: TrainSettings) -> TripleStore:
    """Load the graph that settings name, and say what it holds."""
    store = graphs.load(settings.kg, on_error=settings.kg_on_error, announce=console.say)
    console.say(
        f"graph: {store.name}, {len(store)} triples, {len(store.heads)} entities with facts,"
        f" {store.duplicates} duplicate lines left out"
    )
    return store


def load_data(settings: TrainSettings) -> Data:
    """Read the labelled splits that settings name; `sample` is the packaged task."""
    source = settings.data
    if source == "sample":
        if settings.task != "classification":
            raise SettingsError("the packaged sample is a classification task; name your --data")
        source = str(resources.files("kbert.sample"))
        console.say("data: the packaged sample, a demonstration (name your own with --data)")
    return load_splits(
        source,
        task=settings.task,
        columns=Columns(settings.text_column, settings.pair_column, settings.label_column),
        config=settings.data_config,
        announce=console.say,
    )


def make_encoder(
    settings: TrainSettings, splits: Data, store: TripleStore
) -> tuple[Encoder, Tokenizer]:
    """Load the pre-trained encoder and its tokeniser, or make a small one from scratch."""
    if settings.init != "none":
        encoder = Encoder.from_pretrained(settings.init, add_pooler=True)
        tokenizer = Tokenizer.from_pretrained(settings.init)
        if settings.max_length > encoder.config.max_positions:
            raise SettingsError(
                f"--max-length {settings.max_length}: {settings.init} has only"
                f" {encoder.config.max_positions} positions"
            )
        return encoder, tokenizer
    if settings.vocab is not None:
        tokenizer = Tokenizer.from_vocab(settings.vocab, lowercase=not settings.cased)
    else:
        tokenizer = Tokenizer.train(_vocabulary_texts(splits, store), lowercase=not settings.cased)
        console.say(f"vocabulary: {len(tokenizer)} pieces learnt from the training texts and graph")
    config = EncoderConfig(
        vocab_size=len(tokenizer),
        width=settings.width,
        layers=settings.layers,
        heads=settings.heads,
        feed_forward=settings.feed_forward,
        max_positions=max(512, settings.max_length),
        dropout=settings.dropout,
        attention_dropout=settings.dropout,
        pad_id=tokenizer.pad_id,
    )
    return Encoder(config, generator=torch.Generator().manual_seed(settings.seed)), tokenizer


def _vocabulary_texts(splits: Data, store: TripleStore) -> Iterator[str]:
    for example in splits.train:
        if isinstance(example, TaggedExample):
            yield " ".join(example.words)
        else:
            yield example.text
            yield example.pair or ""
    for triple in islice(store, _TRIPLES_FOR_VOCABULARY):
        yield " ".join(triple)


def _named(splits: Data) -> dict[str, tuple[TextExample | TaggedExample, ...]]:
    return {"train": splits.train, "dev": splits.dev, "test": splits.test}


def _unit(splits: Data) -> Literal["word", "character"]:
    """Say whether tagged words are single characters, as in Chinese data."""
    tagged = [example for example in splits.train if isinstance(example, TaggedExample)]
    words = [word for example in tagged for word in example.words]
    return "character" if words and all(len(word) == 1 for word in words) else "word"


def _majority(splits: Data) -> float | None:
    """Return the accuracy of always answering the commonest training label, on the test set."""
    train = [example.label for example in splits.train if isinstance(example, TextExample)]
    test = [example.label for example in splits.test if isinstance(example, TextExample)]
    if not train or not test:
        return None
    commonest = Counter(train).most_common(1)[0][0]
    return test.count(commonest) / len(test)


def _split_report(name: str, encoded: Sequence[Encoded]) -> SplitReport:
    return SplitReport(
        name=name,
        examples=len(encoded),
        tokens=sum(example.array.shape[1] for example in encoded),
        facts=sum(example.facts for example in encoded),
        with_facts=sum(example.facts > 0 for example in encoded),
        omitted_facts=sum(example.omitted for example in encoded),
        cut_examples=sum(example.cut > 0 for example in encoded),
    )
