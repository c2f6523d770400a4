"""WordPiece vocabularies: read from a `vocab.txt`, or learnt from texts.

The learning is that of the `tokenizers` library, made repeatable. Text is normalised and split as
BERT does it.
"""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import accumulate, repeat
from pathlib import Path
from typing import Any, Final

from tokenizers import Tokenizer as Library
from tokenizers import models, normalizers, pre_tokenizers, trainers

from kbert.errors import CheckpointError, SettingsError

SPECIALS: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def read_vocabulary(path: Path) -> dict[str, int]:
    """Read one piece a line; the line's number, from 0, is the id.

    Raises `CheckpointError` for a missing file, bad UTF-8 or a piece that stands twice.
    """
    vocabulary: dict[str, int] = {}
    for number, piece in enumerate(read_text(path).removesuffix("\n").split("\n")):
        piece = piece.removesuffix("\r")
        if piece in vocabulary:
            raise CheckpointError(f"{path}:{number + 1}: {piece!r} stands twice")
        vocabulary[piece] = number
    return vocabulary


def learn_vocabulary(
    texts: Iterable[str],
    *,
    size: int,
    lowercase: bool,
    announce: Callable[[str], None] | None = None,
) -> dict[str, int]:
    """Learn at most `size` pieces: every character seen, then the merges that pay most.

    Where the characters alone are too many, the rarest are left out, with the words that hold
    them, and `announce` is told; of two that are as rare, the one with the larger code. The library
    alone gives another vocabulary in each process: it numbers inner characters (`##x`) in the order
    of a randomly seeded hash map, and breaks ties between merges by number. So they are numbered
    for it, in the order of their codes. Raises `SettingsError` for a size without room.
    """
    check_size(size)
    library = bert_library(models.WordPiece(unk_token="[UNK]"), lowercase=lowercase)
    words = _words(library, texts)
    characters = _affordable(words, room=size - len(SPECIALS), announce=announce)
    kept = sorted((word, n) for word, n in words.items() if characters.issuperset(word))
    inner = sorted({character for word, _ in kept for character in word[1:]})
    first = [*SPECIALS, *(f"##{character}" for character in inner)]
    merges = sum(len(word) - 1 for word, _ in kept)  # no more are there; the library makes room
    trainer = trainers.WordPieceTrainer(
        vocab_size=min(size, len(first) + len(characters) + merges),
        special_tokens=first,
        limit_alphabet=len(characters),
        show_progress=False,
    )
    repeated = (word for word, count in kept for word in repeat(word, count))
    library.train_from_iterator(repeated, trainer)
    vocabulary = library.get_vocab()
    return {p: vocabulary[p] for p in sorted(vocabulary, key=vocabulary.__getitem__)}


def check_size(size: int) -> None:
    """Raise `SettingsError` for a vocabulary without room for the special pieces and one more."""
    least = len(SPECIALS) + 1
    if size < least:
        raise SettingsError(
            f"a vocabulary of {size} pieces has no room for characters; give at least {least}"
        )


def _affordable(
    words: Counter[str], *, room: int, announce: Callable[[str], None] | None
) -> frozenset[str]:
    """Return the most frequent characters that fit; one takes two pieces if it stands in a word."""
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for character in word:
            counts[character] += count
    inner = {character for word in words for character in word[1:]}
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    ends = accumulate(1 + (character in inner) for character in ranked)
    kept = ranked[: bisect(list(ends), room)]
    if announce is not None and len(kept) < len(ranked):
        announce(
            f"{len(ranked) - len(kept)} of {len(ranked)} characters are too rare for a vocabulary"
            f" of {room + len(SPECIALS)} pieces, and words with them become [UNK]"
        )
    return frozenset(kept)


def read_text(path: Path) -> str:
    """Read a whole UTF-8 file of at most 64 MiB; raises `CheckpointError`."""
    from kbert.nn.checksums import read_bytes

    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path}: not UTF-8 at byte {error.start}") from None


def bert_library(model: Any, *, lowercase: bool) -> Library:
    """Put BERT's normaliser and pre-tokeniser before a model."""
    library = Library(model)
    library.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return library


def _words(library: Library, texts: Iterable[str]) -> Counter[str]:
    """Count the words of texts as BERT normalises and splits them."""
    found: Counter[str] = Counter()
    for text in texts:
        normal = library.normalizer.normalize_str(text)
        found.update(word for word, _ in library.pre_tokenizer.pre_tokenize_str(normal))
    return found
