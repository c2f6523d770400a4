"""From settings to what can be seen of one text: an account of its tree, a model's findings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from graphs import TripleStore
from kbert import console
from kbert.account import Account, account_for
from kbert.attention import gazes_of
from kbert.builder import load_graph
from kbert.effects import Effect, effects_of, outcome_of
from kbert.errors import DataError, RunError, SettingsError
from kbert.inject import Injector
from kbert.knowledge import make_injector, make_policy
from kbert.model import Model, load
from kbert.pages.inspection import DRAWN, Findings
from kbert.run import RunRecord
from kbert.settings import TrainSettings
from kbert.tokenizer import Tokenizer

if TYPE_CHECKING:
    from kbert.nn import Encoder

_LEFT_OUT = "Not computed (--no-effects)."
_FACTS = 64  # facts of an entity that a learnt vocabulary reads


class Seen(NamedTuple):
    """What is to be shown of one text."""

    account: Account
    findings: Findings | None


def without_model(text: str, pair: str | None, *, settings: TrainSettings) -> Seen:
    """Account for the tree of a text under `settings`.

    The pieces are those of `settings.init` or `settings.vocab`, else of a vocabulary that is learnt
    from the text and the facts about it. Raises `KbertError` and `GraphError`.
    """
    tokenizer = None
    if settings.init != "none":
        tokenizer = Tokenizer.from_pretrained(settings.init)
    elif settings.vocab is not None:
        tokenizer = Tokenizer.from_vocab(settings.vocab, lowercase=not settings.cased)
    store = load_graph(settings)
    if tokenizer is None:
        tokenizer = _learnt(text, pair, settings=settings, store=store)
    inject = make_injector(settings, store, tokenizer)
    return Seen(account_for(inject, text, pair), None)


def with_model(
    text: str,
    pair: str | None,
    *,
    run: str,
    overrides: Mapping[str, Any],
    allow_other_graph: bool,
    device: str,
    effects: bool,
    attention: bool,
) -> Seen:
    """Account for the tree that a trained model reads, and find out what it makes of it.

    `overrides` are settings of the graph and its facts that take the place of the run's. Raises
    `KbertError` and `GraphError`, among them `RunError` for a model of another task.
    """
    record = RunRecord.read(Path(run))
    settings = dataclasses.replace(record.settings, **overrides)
    _check(record, run=run, is_pair=pair is not None)
    model = load(
        run,
        kg=overrides.get("kg"),
        allow_other_graph=allow_other_graph,
        device=device,
        announce=console.say,
    )
    _check_length(model, settings, run=run)
    _say_overrides(record, overrides)
    rebuild = partial(make_injector, settings, tokenizer=model.inject.tokenizer)
    model = model.with_injector(rebuild(model.inject.store))
    tree, outcome = outcome_of(model, text, pair)
    account = account_for(model.inject, tree.text, pair)
    found = list(_effects(model, account, rebuild)) if effects else []
    gazes = list(gazes_of(model, tree)) if attention and len(tree) <= DRAWN else []
    return Seen(account, Findings(outcome, found, gazes, "" if effects else _LEFT_OUT))


def _check(record: RunRecord, *, run: str, is_pair: bool) -> None:
    """Refuse a model that a text, or a pair of them, is not for."""
    if record.task == "qa":
        raise RunError(f"{run}: answers questions, and inspect reads models of labels; leave --run")
    if is_pair != (record.task == "pair"):
        wanted = "single texts: leave --pair out" if is_pair else "pairs of texts: say --pair"
        raise DataError(f"{run}: was trained on {wanted}")


def _check_length(model: Model, settings: TrainSettings, *, run: str) -> None:
    positions = cast("Encoder", model.network.encoder).config.max_positions
    if settings.max_length > positions:
        raise SettingsError(f"--max-length {settings.max_length}: {run} has {positions} positions")


def _effects(
    model: Model, account: Account, rebuild: Callable[[TripleStore], Injector]
) -> Iterator[Effect]:
    count = len({fact.triple for fact in account.injected})
    if count:
        said = f"effects: taking away {count} facts, one pass over the graph each"
        console.say(f"{said} (--no-effects leaves this out)")
    yield from effects_of(model, account, rebuild=rebuild)


def _say_overrides(record: RunRecord, overrides: Mapping[str, Any]) -> None:
    """Say which settings are not those of the training; a model may not know what to make of it."""
    mapping = record.settings.to_mapping()
    for name, value in overrides.items():
        plain = list(value) if isinstance(value, tuple) else value
        if name != "kg" and plain != mapping[name]:
            flag = "--" + name.replace("_", "-")
            console.say(f"note: {flag} is {plain}; the run was trained with {mapping[name]}")


def _learnt(
    text: str, pair: str | None, *, settings: TrainSettings, store: TripleStore
) -> Tokenizer:
    """Learn pieces from the text and from what the graph says of those whom it names."""
    from graphs import MentionIndex

    texts = [text] if pair is None else [text, pair]
    index = MentionIndex(
        store,
        only=make_policy(settings, store).heads() if store.named else None,
        min_length=settings.min_name_length,
        case_fold=settings.fold_case,
        nfkc=settings.nfkc,
    )
    entities = dict.fromkeys(mention.entity for one in texts for mention in index.find(one))
    said = [
        " ".join(fact)
        for entity in entities
        for fact in map(store.readable, store.facts(entity, limit=_FACTS))
        if fact is not None
    ]
    console.say("vocabulary: learnt from this text and its facts (name your own with --vocab)")
    return Tokenizer.train([*texts, *said], lowercase=not settings.cased)
