"""From settings to parts: the graph, the labelled data, the encoder with its tokeniser.

Settings go no further than here and `kbert.knowledge`; the parts take plain values. Each
part says in a line what it is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from itertools import islice
from typing import NamedTuple, TypeAlias

import torch

import graphs
from graphs import Fact, TripleStore
from graphs.catalog import check as check_graph
from graphs.normal import NormalForm
from graphs.progress import reading
from graphs.terms import parse_literal
from kbert import console
from kbert.answers.questions import QuestionExample
from kbert.answers.reading import load_questions
from kbert.data import Columns, load_splits
from kbert.depths import check_layers
from kbert.errors import SettingsError
from kbert.examples import Splits, TaggedExample, TextExample
from kbert.knowledge_settings import KnowledgeSettings
from kbert.nn import Encoder, EncoderConfig
from kbert.preflight import check_sizes
from kbert.settings import TrainSettings
from kbert.tokenizer import Tokenizer

Data: TypeAlias = Splits[TextExample] | Splits[TaggedExample] | Splits[QuestionExample]
_SHOWN = 5  # stop names that a note lists
_TRIPLES_FOR_VOCABULARY = 200_000  # a learnt vocabulary reads this many triples of the graph


def load_graph(settings: KnowledgeSettings) -> TripleStore:
    """Load the graph that settings name, and say what it holds, and which stop names it has not."""
    with reading(settings.kg) as progress:
        store = graphs.load(
            settings.kg,
            on_error=settings.kg_on_error,
            announce=console.say,
            languages=settings.kg_languages,
            progress=progress,
        )
    console.say(
        f"graph: {store.name}, {len(store)} triples, {len(store.heads)} entities with facts,"
        f" {store.duplicates} duplicate lines left out"
    )
    if settings.kg_languages and len(store) and not store.named:
        console.say(f"note: --kg-languages: {store.name} has no names in any language")
    form = NormalForm(case_fold=settings.fold_case, nfkc=settings.nfkc)
    if unknown := unknown_names(settings.stop_names, store, form=form):
        listed = ", ".join(map(repr, unknown[:_SHOWN])) + (", …" if len(unknown) > _SHOWN else "")
        count = f"{len(unknown)} of {len(set(settings.stop_names))}"
        console.say(f"note: --stop-names: {count} name no entity of {store.name}: {listed}")
    return store


def unknown_names(names: Sequence[str], store: TripleStore, *, form: NormalForm) -> tuple[str, ...]:
    """Return those of `names` that no entity of `store` has in this normal form, each once.

    The empty graph has no names to miss: one recipe serves with a graph and without.
    """
    wanted = {name: form.apply(name) for name in names if not store.candidates(name)}
    if not wanted or not len(store) or form.is_identity:
        return tuple(wanted) if len(store) else ()
    missing = set(wanted.values())
    for entity in store.entities:
        if store.named and parse_literal(entity) is not None:
            continue  # the text of a literal names nobody
        called = store.names_of(entity) if store.named else (entity,)
        missing.difference_update(map(form.apply, called))
        if not missing:
            break
    return tuple(name for name, normal in wanted.items() if normal in missing)


def load_data(settings: TrainSettings, *, say: Callable[[str], None] = console.say) -> Data:
    """Read the labelled splits that settings name; `sample` is the packaged task.

    `say` is told what is read.
    """
    source = settings.data
    if source == "sample":
        if settings.task != "classification":
            raise SettingsError("the packaged sample is a classification task; name your --data")
        source = str(resources.files("kbert.sample"))
        say("data: the packaged sample, a demonstration (name your own with --data)")
    else:
        say(f"data: reading {source}")  # from the hub this takes its time
    if settings.task == "qa":
        return load_questions(
            source,
            dev=settings.dev_data,
            test=settings.test_data,
            null_answers=settings.null_answers,
            announce=say,
        )
    return load_splits(
        source,
        task=settings.task,
        columns=Columns(settings.text_column, settings.pair_column, settings.label_column),
        config=settings.data_config,
        announce=say,
    )


class Given(NamedTuple):
    """What settings name of an encoder: all of it, a vocabulary, or nothing."""

    encoder: Encoder | None = None
    tokenizer: Tokenizer | None = None


def load_given(settings: TrainSettings, *, generator: torch.Generator) -> Given:
    """Load the pre-trained encoder with its tokeniser, or the vocabulary, that settings name.

    To be called first: a wrong name, also of a graph, is found at once, and reading graph and data
    may take long.

    Raises `KbertError` where these two, or the settings, do not fit together.
    """
    check_graph(settings.kg)
    if settings.init != "none":
        return _pretrained(settings, generator=generator)
    check_layers(settings.freeze_layers, there=settings.layers)
    if settings.vocab is not None:
        return Given(None, Tokenizer.from_vocab(settings.vocab, lowercase=not settings.cased))
    return Given()


def make_encoder(
    settings: TrainSettings,
    given: Given,
    *,
    splits: Data,
    store: TripleStore,
    generator: torch.Generator,
) -> tuple[Encoder, Tokenizer]:
    """Take the encoder and the tokeniser that are given; make those that are not."""
    tokenizer = given.tokenizer
    if tokenizer is None:
        tokenizer = _learnt_tokenizer(settings, splits, store=store)
    if given.encoder is not None:
        return given.encoder, tokenizer
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
    check_sizes(config)
    return Encoder(config, generator=generator), tokenizer


def _pretrained(settings: TrainSettings, *, generator: torch.Generator) -> Given:
    source = settings.init
    console.say(f"encoder: reading {source}")
    encoder = Encoder.from_pretrained(source, add_pooler=True, generator=generator)
    tokenizer = Tokenizer.from_pretrained(source)
    config = encoder.config
    check_layers(settings.freeze_layers, there=config.layers)
    if settings.max_length > config.max_positions:
        raise SettingsError(
            f"--max-length {settings.max_length}: {source} has only"
            f" {config.max_positions} positions"
        )
    if len(tokenizer) > config.vocab_size:
        raise SettingsError(
            f"--init {source}: its vocabulary has {len(tokenizer)} pieces, but its encoder"
            f" {config.vocab_size}; these files do not belong together"
        )
    if settings.task in ("pair", "qa") and config.segment_types < 2:
        raise SettingsError(
            f"--task {settings.task}: {source} knows one segment only, a pair needs two"
        )
    return Given(encoder, tokenizer)


def _learnt_tokenizer(settings: TrainSettings, splits: Data, *, store: TripleStore) -> Tokenizer:
    tokenizer = Tokenizer.train(
        _vocabulary_texts(splits, store),
        lowercase=not settings.cased,
        announce=lambda line: console.say(f"note: {line}"),
    )
    console.say(f"vocabulary: {len(tokenizer)} pieces learnt from the training texts and graph")
    return tokenizer


def _vocabulary_texts(splits: Data, store: TripleStore) -> Iterator[str]:
    before = ""
    for example in splits.train:
        if isinstance(example, TaggedExample):
            yield " ".join(example.words)
        elif isinstance(example, QuestionExample):
            yield example.question
            if example.context != before:  # the questions of a context follow each other
                yield example.context
            before = example.context
        else:
            yield example.text
            yield example.pair or ""
    for head, *said in islice(store, _TRIPLES_FOR_VOCABULARY):
        if store.named:  # ids are not read, their names are
            head, said = store.name_of(head), list(store.readable(Fact(*said)) or ())
        yield " ".join([head, *said])
