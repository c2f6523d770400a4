"""From settings to parts: the corpus, the network, what makes batches.

Settings of pre-training go no further than here and the run; the parts take plain values.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

import torch

from graphs.catalog import check as check_graph
from kbert import console
from kbert.errors import KbertError, SettingsError
from kbert.nn import Encoder, EncoderConfig, LanguageModel
from kbert.nn.checkpoint import load_encoder, load_weights, resolve
from kbert.preflight import check_sizes
from kbert.pretraining.build import build_corpus
from kbert.pretraining.corpus import Columns
from kbert.pretraining.corruption import Corruption
from kbert.pretraining.held_out import Part
from kbert.pretraining.lengths import SpanLengths
from kbert.pretraining.links import Links
from kbert.pretraining.objectives import Weights
from kbert.pretraining.relations import RELATIONS
from kbert.pretraining.replacement import Replacement
from kbert.pretraining.rows import RowMaker
from kbert.pretraining.settings import Phase, PretrainSettings
from kbert.pretraining.shards import Corpus
from kbert.pretraining.steps import Sampler
from kbert.pretraining.targets import BOUNDARY_POSITIONS
from kbert.pretraining.trees import Trees
from kbert.pretraining.vocabulary import train_vocabulary
from kbert.tokenizer import Tokenizer

_SCRATCH_POSITIONS: Final = 512
_SPANS: Final = {
    "one": SpanLengths.one,
    "geometric": SpanLengths.geometric,
    "inverse": SpanLengths.inverse,
    "poisson": SpanLengths.poisson,
}


def open_corpus(settings: PretrainSettings, *, scratch: Path) -> Corpus:
    """Open the corpus that settings name, or tokenise their texts into `scratch`.

    Only the first process of a run builds; the others find what it built.
    """
    tokenizer = None
    # Tokenising may take hours, so what cannot be is said before.
    check_graph(settings.kg)
    if settings.init != "none":
        _check_init(settings)
        tokenizer = Tokenizer.from_pretrained(settings.init)
    if settings.corpus is not None:
        return Corpus.open(settings.corpus, tokenizer=tokenizer, verify=console.speaks())
    if not console.speaks():
        return Corpus.open(scratch, verify=False)
    if scratch.exists():  # of the run that is gone on with
        with contextlib.suppress(KbertError):
            return Corpus.open(scratch)
        shutil.rmtree(scratch)
    columns = Columns(text=settings.text_column)
    if tokenizer is None and settings.vocab is not None:
        tokenizer = Tokenizer.from_vocab(settings.vocab, lowercase=not settings.cased)
    if tokenizer is None:
        console.say("vocabulary: learning from the texts")
        tokenizer = train_vocabulary(
            settings.texts,
            size=settings.vocab_size,
            lowercase=not settings.cased,
            columns=columns,
            announce=console.say,
        )
    console.say("corpus: tokenising the texts for this run")
    return build_corpus(
        settings.texts,
        scratch,
        tokenizer=tokenizer,
        lines=settings.lines,
        columns=columns,
        keep_text=settings.kg != "none",
        announce=console.say,
    )


def make_network(
    settings: PretrainSettings, corpus: Corpus, *, generator: torch.Generator
) -> LanguageModel:
    """Make the encoder and the heads that settings ask for, or take those of `--init`."""
    relation = RELATIONS.get(settings.relation)
    labels = 0 if relation is None else len(relation.ways)
    boundary = BOUNDARY_POSITIONS if settings.boundary_weight else 0
    if settings.init == "none":
        config = _from_scratch(settings, corpus)
        check_sizes(config)
        return LanguageModel(
            Encoder(config, generator=generator),
            relation_labels=labels,
            boundary_positions=boundary,
            generator=generator,
        )
    console.say(f"encoder: reading {settings.init}")
    folder = resolve(settings.init)
    config = EncoderConfig.from_folder(folder)
    if corpus.vocab_size > config.vocab_size:
        raise SettingsError(
            f"--init {settings.init}: its encoder knows {config.vocab_size} pieces, the corpus has"
            f" {corpus.vocab_size}"
        )
    network = LanguageModel(
        Encoder(config, generator=generator),
        relation_labels=labels,
        boundary_positions=boundary,
        generator=generator,
    )
    load_weights(network, folder, add_pooler=True, change_heads=True, generator=generator)
    return network


def _from_scratch(settings: PretrainSettings, corpus: Corpus) -> EncoderConfig:
    return EncoderConfig(
        vocab_size=corpus.vocab_size,
        width=settings.width,
        layers=settings.layers,
        heads=settings.heads,
        feed_forward=settings.feed_forward,
        max_positions=max(_SCRATCH_POSITIONS, _longest(settings)),
        dropout=settings.dropout,
        attention_dropout=settings.dropout,
        pad_id=corpus.special.pad,
    )


def _longest(settings: PretrainSettings) -> int:
    return max(phase.max_length for phase in settings.plan)


def _check_init(settings: PretrainSettings) -> None:
    """Refuse what the encoder that settings name cannot read."""
    folder, longest = resolve(settings.init), _longest(settings)
    config = EncoderConfig.from_folder(folder)
    if longest > config.max_positions:
        raise SettingsError(
            f"--phases: sequences of {longest} tokens, but {settings.init} has only"
            f" {config.max_positions} positions"
        )
    if settings.relation != "none" and config.segment_types < 2:
        raise SettingsError(
            f"--relation {settings.relation}: {settings.init} knows one segment only"
        )
    if settings.corpus is None and console.speaks():
        load_encoder(folder, use_pooler=False)  # to see that it can be: seconds, for hours


def make_sampler(settings: PretrainSettings, part: Part, phase: Phase, *, number: int) -> Sampler:
    """Make what draws the sequences of phase `number`, from 0."""
    return Sampler(
        part=part,
        relation=settings.relation,
        max_length=phase.max_length,
        batch_tokens=settings.batch_tokens,
        seed=_phase_seed(settings, number),
        packing=settings.packing,
        full_batches=settings.compile,
        short_probability=settings.short_probability,
        google_quirks=settings.google_quirks,
        dupe_factor=settings.dupe_factor,
    )


def make_rows(
    settings: PretrainSettings, corpus: Corpus, *, number: int, links: Links | None = None
) -> RowMaker:
    """Make what makes the batches of phase `number`, from 0; `links` is the linked corpus."""
    keep = max(0.0, 1.0 - settings.mask_share - settings.random_share)
    corruption = Corruption(
        mask_id=corpus.special.mask,
        vocab_size=corpus.vocab_size,
        special_ids=tuple(corpus.special),
        rate=settings.mask_rate,
        max_predictions=settings.max_predictions,
        lengths=_SPANS[settings.spans](),
        replacement=Replacement(
            mask=settings.mask_share,
            random=settings.random_share,
            keep=keep,
            per=settings.replace_per,
        ),
        seed=_phase_seed(settings, number),
        dupe_factor=settings.dupe_factor,
        google_quirks=settings.google_quirks,
    )
    return RowMaker(
        corpus=corpus,
        corruption=corruption,
        whole_words=settings.unit == "word",
        relation=settings.relation != "none",
        boundary=settings.boundary_weight > 0,
        causal_share=settings.causal_share,
        trees=None if links is None else _trees(settings, links, number=number),
    )


def _trees(settings: PretrainSettings, links: Links, *, number: int) -> Trees:
    return Trees(
        links=links,
        where=settings.mask_where,
        dropout=settings.fact_dropout,
        seed=_phase_seed(settings, number),
        dupe_factor=settings.dupe_factor,
    )


def for_validation(sampler: Sampler, make: RowMaker, part: Part) -> tuple[Sampler, RowMaker]:
    """Return what makes the batches of held-out texts: of one seed, with all of their facts."""
    corruption = replace(make.corruption, seed=0, dupe_factor=None)
    trees = None if make.trees is None else replace(make.trees, dropout=0.0)
    return replace(sampler, part=part, seed=0), replace(make, corruption=corruption, trees=trees)


def make_weights(settings: PretrainSettings) -> Weights:
    """Return the objectives' weights."""
    return Weights(
        masked=settings.masked_weight,
        boundary=settings.boundary_weight,
        causal=settings.causal_weight,
        relation=settings.relation_weight,
    )


def _phase_seed(settings: PretrainSettings, number: int) -> int:
    """Give each phase draws of its own; a seed has 32 bits."""
    return settings.seed + (number << 32)
