"""From settings to parts: the encoder with its tokeniser, what is learnt, what is measured.

Settings go no further than here and the run; the parts take plain values. Each says in a line what
it is made of.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

import torch

from kbert import console
from kbert.errors import DataError, SettingsError
from kbert.nn.config import EncoderConfig
from kbert.nn.encoder import Encoder
from kbert.preflight import check_sizes
from kbert.tokenizer import Tokenizer
from kgbert.batches import Examples, Lessons
from kgbert.dataset import KnowledgeData
from kgbert.learnt import learnt_share
from kgbert.negatives import NegativeSampler
from kgbert.network import TripleNetwork
from kgbert.run import LABELS
from kgbert.settings import KNOWN_PARTS, KnowledgeTrainSettings
from kgbert.validation import (
    AccuracyOnDev,
    RanksOnDev,
    RelationsOnDev,
    Validation,
    labelled_dev,
)

if TYPE_CHECKING:
    pass

_POSITIONS: Final = 512


class Given(NamedTuple):
    """What settings name of an encoder: its folder and tokeniser, a vocabulary, or nothing."""

    config: EncoderConfig | None = None
    tokenizer: Tokenizer | None = None


def load_given(settings: KnowledgeTrainSettings) -> Given:
    """Check the encoder, or read the vocabulary, that settings name; before data is read.

    Raises `KbertError` where these, or the settings, do not fit together.
    """
    if settings.init == "none":
        if settings.vocab is None:
            return Given()
        return Given(None, Tokenizer.from_vocab(settings.vocab, lowercase=not settings.cased))
    from kbert.nn.checkpoint import load_encoder, resolve

    source = settings.init
    console.say(f"encoder: reading {source}")
    folder = resolve(source)
    config, tokenizer = EncoderConfig.from_folder(folder), Tokenizer.from_pretrained(folder)
    if settings.max_length > config.max_positions:
        raise SettingsError(
            f"--max-length {settings.max_length}: {source} has only {config.max_positions}"
            " positions"
        )
    if len(tokenizer) > config.vocab_size:
        raise SettingsError(
            f"--init {source}: its vocabulary has {len(tokenizer)} pieces, but its encoder"
            f" {config.vocab_size}; these files do not belong together"
        )
    load_encoder(folder, use_pooler=False)  # to see that it can be, before data is read
    return Given(config, tokenizer)


def labels_of(settings: KnowledgeTrainSettings, data: KnowledgeData) -> tuple[str, ...]:
    """Return the names of the network's labels."""
    return data.relations if settings.task == "relation-prediction" else LABELS


def make_tokenizer(
    given: Given, settings: KnowledgeTrainSettings, data: KnowledgeData
) -> Tokenizer:
    """Take the tokeniser that is given, or learn one from the training triples' texts.

    Every occurrence counts, so a text weighs as often as it is read.
    """
    if given.tokenizer is not None:
        return given.tokenizer
    tokenizer = Tokenizer.train(
        _read_texts(data),
        lowercase=not settings.cased,
        announce=lambda line: console.say(f"note: {line}"),
    )
    console.say(f"vocabulary: {len(tokenizer)} pieces learnt from the training triples' texts")
    return tokenizer


def make_network(
    settings: KnowledgeTrainSettings,
    tokenizer: Tokenizer,
    *,
    labels: int,
    generator: torch.Generator,
) -> TripleNetwork:
    """Make the network that settings ask for; what is not loaded is drawn from `generator`."""
    if settings.init != "none":
        return TripleNetwork.from_encoder(settings.init, labels=labels, generator=generator)
    config = EncoderConfig(
        vocab_size=len(tokenizer),
        width=settings.width,
        layers=settings.layers,
        heads=settings.heads,
        feed_forward=settings.feed_forward,
        max_positions=max(_POSITIONS, settings.max_length),
        dropout=settings.dropout,
        attention_dropout=settings.dropout,
        pad_id=tokenizer.pad_id,
    )
    check_sizes(config)
    encoder = Encoder(config, generator=generator)
    return TripleNetwork(encoder, labels=labels, generator=generator)


def make_lessons(settings: KnowledgeTrainSettings, data: KnowledgeData) -> Lessons:
    """Choose the training triples, and make what draws their negatives.

    Triples that the data labels false are learnt as such, beside the drawn ones. Raises `DataError`
    where there is nothing to learn, or no negative to be drawn.
    """
    positives = learnt_share(data.positives("train"), settings)
    if not len(positives):
        raise DataError(f"{data.name}: no training triple is true, so there is nothing to learn")
    if settings.task == "relation-prediction":
        return Lessons(Examples.pairs(positives))
    labels = data.labels("train")
    false = positives[:0] if labels is None else data.triples("train")[labels == 0]
    if len(false):
        console.say(f"training: {len(false):,} triples are labelled false, and learnt as false")
    sampler = NegativeSampler(
        positives,
        entities=len(data.entities),
        relations=len(data.relations),
        per_positive=settings.negatives,
        method=settings.negative_method,
        sides=settings.negative_sides,
        known=data.filter(*KNOWN_PARTS[settings.negative_known]),
        seed=settings.seed,
    )
    for side, count in sampler.untyped.items():
        if count:
            console.say(
                f"note: {count:,} training triples have no other {side} of their relation's type;"
                " any entity is drawn there"
            )
    return Lessons(
        Examples.joined(positives, learnt_share(false, settings)),
        sampler,
        settings.static_negatives,
    )


def make_validation(settings: KnowledgeTrainSettings, data: KnowledgeData) -> Validation | None:
    """Make what measures on dev after each epoch; None where nothing is to be, or can be."""
    most = settings.validation_triples
    if not most or not len(data.positives("valid")):
        return None
    if settings.task == "relation-prediction":
        return RelationsOnDev.draw(data, triples=most, ties=settings.ties)
    if settings.task == "link-prediction":
        return RanksOnDev.draw(
            data,
            triples=most,
            candidates=settings.validation_candidates,
            score=settings.score,
            ties=settings.ties,
        )
    labelled = labelled_dev(data, most=most)
    return None if labelled is None else AccuracyOnDev(labelled)


def _read_texts(data: KnowledgeData) -> Iterator[str]:
    for head, relation, tail in data.positives("train").tolist():
        yield data.texts.entities[head]
        yield data.texts.relations[relation]
        yield data.texts.entities[tail]
