"""Learn a WordPiece vocabulary on a sample of a corpus that may be larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from graphs.progress import Progress
from kbert.errors import DataError
from kbert.pretraining.corpus import Columns, find_sources, named, read_lines, teller
from kbert.tokenizer import Tokenizer
from kbert.vocabulary import check_size


def train_vocabulary(
    places: Sequence[str | Path],
    *,
    size: int,
    lowercase: bool = True,
    columns: Columns = Columns(),  # noqa: B008 (a frozen value)
    characters: int = 1 << 25,
    announce: Callable[[str], None] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Tokenizer:
    """Learn a WordPiece vocabulary on a sample of at most `characters`, spread evenly.

    The sample is every nth line of the whole corpus, with the smallest power of two as n that fits.
    Raises `DataError` for what cannot be read, and for texts without a line, and `SettingsError`
    for a size without room for the special pieces and one character.
    """
    check_size(size)
    announce = announce or _silent
    sources = find_sources(places, announce=announce)
    told = teller(sources, progress or _silent, stage="read")
    stream = read_lines(sources, columns=columns, progress=told)
    texts, stride = sample(filter(None, stream), characters=characters)
    if not texts:
        raise DataError(f"{named(sources)}: holds no text")
    if stride > 1:
        announce(f"the vocabulary is learnt from one line in {stride}")
    return Tokenizer.train(texts, vocab_size=size, lowercase=lowercase, announce=announce)


def sample(lines: Iterable[str], *, characters: int) -> tuple[list[str], int]:
    """Return every nth line and n, the smallest power of two with which they fit; or one line."""
    kept: list[str] = []
    size, stride = 0, 1
    for number, line in enumerate(lines):
        if number % stride:
            continue
        kept.append(line)
        size += len(line)
        while size > characters and len(kept) > 1:
            kept, stride = kept[::2], stride * 2
            size = sum(map(len, kept))
    return kept, stride


def _silent(_: object) -> None:
    """Say nothing."""
