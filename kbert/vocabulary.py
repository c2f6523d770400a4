"""WordPiece vocabularies: read from a `vocab.txt`, or learnt from texts.

The learning is that of the `tokenizers` library, made repeatable. Text is normalised and split as
BERT does it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import repeat
from pathlib import Path
from typing import Any, Final

from tokenizers import Tokenizer as Library
from tokenizers import models, normalizers, pre_tokenizers, trainers

from kbert.errors import CheckpointError

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


def learn_vocabulary(texts: Iterable[str], *, size: int, lowercase: bool) -> dict[str, int]:
    """Learn pieces: every character seen, then the merges that pay most, up to `size` pieces.

    The library alone gives another vocabulary in each process: it numbers inner characters (`##x`)
    in the order of a randomly seeded hash map, and breaks ties between merges by number. So they
    are numbered for it, in the order of their codes.
    """
    library = bert_library(models.WordPiece(unk_token="[UNK]"), lowercase=lowercase)
    words = sorted(_words(library, texts).items())
    inner = sorted({character for word, _ in words for character in word[1:]})
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        special_tokens=[*SPECIALS, *(f"##{character}" for character in inner)],
        limit_alphabet=size,
        show_progress=False,
    )
    repeated = (word for word, count in words for word in repeat(word, count))
    library.train_from_iterator(repeated, trainer)
    vocabulary = library.get_vocab()
    return {p: vocabulary[p] for p in sorted(vocabulary, key=vocabulary.__getitem__)}


def read_text(path: Path) -> str:
    """Read a whole UTF-8 file; raises `CheckpointError`."""
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path}: not UTF-8 at byte {error.start}") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from None


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
