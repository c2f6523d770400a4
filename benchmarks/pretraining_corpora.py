"""What the benchmarks of pre-training read: real corpora, and ways to draw sequences of them.

`zh` and `en` are the texts of `text/zh` and `text/en` with the vocabularies of Google's models;
they are tokenised into a folder that is gone afterwards.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.data import data_folder, part_of
from kbert.pretraining.build import build_corpus
from kbert.pretraining.held_out import split
from kbert.pretraining.parts import make_rows, make_sampler
from kbert.pretraining.rows import RowMaker
from kbert.pretraining.settings import PretrainSettings
from kbert.pretraining.shards import Corpus
from kbert.pretraining.steps import Sampler
from kbert.tokenizer import Tokenizer

CORPORA: Final = {
    "zh": ("text/zh", "vocab/google_zh_vocab.txt"),
    "en": ("text/en", "vocab/google_uncased_en_vocab.txt"),
}
QUICK: Final = {"en": ("text/en/inaugural.txt.gz", "vocab/google_uncased_en_vocab.txt")}
UNITS: Final = {"piece": ("piece", "one"), "word": ("word", "one"), "span": ("word", "geometric")}


class Drawing(NamedTuple):
    """What draws sequences of a corpus, and what makes batches of them."""

    sampler: Sampler
    make: RowMaker


@contextmanager
def corpora(given: Sequence[Path], *, quick: bool) -> Iterator[dict[str, Corpus]]:
    """Open the corpora in the folders `given`, or build the usual ones; `quick` a small one.

    Raises `DataError` where the data sets, or corpora in those folders, are not there.
    """
    if given:
        yield {folder.name: Corpus.open(folder) for folder in given}
        return
    data = data_folder()
    with tempfile.TemporaryDirectory() as scratch:
        yield {
            name: build_corpus(
                [part_of(data, source)],
                Path(scratch) / name,
                tokenizer=Tokenizer.from_vocab(part_of(data, vocabulary)),
            )
            for name, (source, vocabulary) in (QUICK if quick else CORPORA).items()
        }


def drawing(
    corpus: Corpus, *, relation: str, unit: str, max_length: int, batch_tokens: int, full: bool
) -> Drawing:
    """Make what `kbert.pretrain` makes from its defaults and these settings.

    15 % of the tokens, 80/10/10; `unit` is a name of `UNITS`; all documents, packed. With `full`
    every batch has as many rows.
    """
    name, spans = UNITS[unit]
    given: dict[str, Any] = {"relation": relation, "unit": name, "spans": spans}
    settings = PretrainSettings(
        corpus="as given",
        held_out=0.0,
        phases=(f"1x{max_length}",),
        batch_tokens=batch_tokens,
        compile=full,
        **given,
    )
    part, _ = split(
        sentences=corpus.sentences, documents=corpus.documents, share=0.0, relation=relation
    )
    return Drawing(
        make_sampler(settings, part, settings.plan[0], number=0),
        make_rows(settings, corpus, number=0),
    )
