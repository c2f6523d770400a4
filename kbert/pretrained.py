"""A pre-trained model in use, without a run that says how texts are read: its injector.

Such a folder holds an encoder and a vocabulary. Facts are injected as K-BERT does it by default,
from the graph that is named now, or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import graphs
from graphs import TripleStore
from kbert.errors import CheckpointError, RunError
from kbert.inject import Injector
from kbert.tokenizer import Tokenizer

if TYPE_CHECKING:
    from kbert.nn.config import EncoderConfig
    from kbert.run import RunRecord

_LONGEST = 512  # tokens, where the encoder knows that many positions


def make_plain_injector(
    folder: Path,
    config: EncoderConfig,
    *,
    kg: str | os.PathLike[str] | TripleStore | None,
    announce: Callable[[str], None] | None = None,
) -> Injector:
    """Read the tokeniser of a model folder and give it a graph; None is the empty one.

    Texts are read up to 512 tokens, or as many as the encoder has positions. Raises
    `CheckpointError` where tokeniser and encoder do not belong together, and what `graphs.load`
    raises.
    """
    tokenizer = Tokenizer.from_pretrained(folder)
    check_vocabulary(tokenizer, config, folder=folder)
    if not isinstance(kg, TripleStore):
        kg = graphs.load("none" if kg is None else os.fspath(kg), announce=announce)
    return Injector(kg, tokenizer, max_length=min(_LONGEST, config.max_positions))


def check_vocabulary(tokenizer: Tokenizer, config: EncoderConfig, *, folder: Path) -> None:
    """Refuse a tokeniser that gives ids which the encoder has not. Raises `CheckpointError`."""
    if len(tokenizer) > config.vocab_size:
        raise CheckpointError(
            f"{folder}: its vocabulary has {len(tokenizer)} pieces, but its encoder"
            f" {config.vocab_size}; these files do not belong together"
        )


def check_run(
    record: RunRecord, tokenizer: Tokenizer, config: EncoderConfig, *, folder: Path
) -> None:
    """Refuse a run whose parts do not belong together. Raises `CheckpointError` or `RunError`."""
    check_vocabulary(tokenizer, config, folder=folder)
    if record.settings.max_length > config.max_positions:
        raise RunError(
            f"{folder}: run.json says sequences of {record.settings.max_length} tokens, but"
            f" config.json {config.max_positions} positions; these files do not belong together"
        )
