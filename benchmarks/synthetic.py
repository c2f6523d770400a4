"""Make graphs and texts of any size, the same ones for the same numbers.

Names are two to twelve Chinese characters, or one to four English words (38 %, as in a mixed
encyclopaedia), drawn with Zipf's law, each made unique by its number in a few letters. Heads are
drawn with Zipf's law as well, after each has had one triple; two fifths of the tails are heads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

RELATIONS: Final = 300
_CHUNK: Final = 100_000
_SHARE_ENGLISH: Final = 0.38
_CHARACTERS: Final = 3000
_WORDS: Final = 20_000


def write_graph(path: Path, *, triples: int, heads: int, tails: int, seed: int = 1) -> None:
    """Write `triples` lines of `.tsv` with `heads` heads and up to `tails` other tails.

    Some lines are equal by chance, as in real graphs.
    """
    generator = np.random.default_rng(seed)
    names = make_names(heads + tails, seed=seed)
    rest = generator.zipf(1.3, size=triples - heads) % heads
    subjects = generator.permutation(np.concatenate([np.arange(heads), rest]))
    relations = generator.zipf(1.5, size=triples) % RELATIONS
    objects = np.where(
        generator.random(triples) < 0.4,
        generator.integers(heads, size=triples),
        heads + generator.integers(tails, size=triples),
    )
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for start in range(0, triples, _CHUNK):
            part = slice(start, start + _CHUNK)
            columns = subjects[part].tolist(), relations[part].tolist(), objects[part].tolist()
            file.writelines(
                f"{names[head]}\t关系{relation}\t{names[tail]}\n"
                for head, relation, tail in zip(*columns, strict=True)
            )


def make_names(count: int, *, seed: int = 1) -> list[str]:
    """Return `count` different names."""
    generator = np.random.default_rng(seed)
    names: list[str] = []
    words = _english_words(generator)
    while len(names) < count:
        size = min(_CHUNK, count - len(names))
        lengths = generator.integers(2, 9, size=size)
        codes = 0x4E00 + _zipf(generator, _CHARACTERS, size=int(lengths.sum()))
        text = codes.astype("<u4").tobytes().decode("utf-32-le")
        english = generator.random(size) < _SHARE_ENGLISH
        chosen = _zipf(generator, _WORDS, size=4 * size).reshape(size, 4).tolist()
        end = 0
        for row, length in enumerate(lengths.tolist()):
            start, end = end, end + length
            mark = _mark(len(names))
            if english[row]:
                many = 1 + length % 3
                names.append(" ".join([*(words[n] for n in chosen[row][:many]), mark]))
            else:
                names.append(text[start:end] + "".join(chr(0x5F00 + ord(c)) for c in mark))
    return names


def write_texts(path: Path, names: Sequence[str], *, count: int, seed: int = 2) -> None:
    """Write `count` texts of about 85 characters, a quarter of their spans being names."""
    generator = np.random.default_rng(seed)
    words = _english_words(generator)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for _ in range(count):
            file.write(" ".join(_spans(generator, names, words)) + "\n")


def _spans(
    generator: np.random.Generator, names: Sequence[str], words: Sequence[str]
) -> Iterator[str]:
    for kind in generator.random(7).tolist():
        if kind < 0.25:
            yield names[int(generator.integers(len(names)))]
        elif kind < 0.6:
            yield " ".join(words[n] for n in _zipf(generator, _WORDS, size=2).tolist())
        else:
            codes = 0x4E00 + _zipf(generator, _CHARACTERS, size=8)
            yield codes.astype("<u4").tobytes().decode("utf-32-le")


def _zipf(generator: np.random.Generator, limit: int, *, size: int) -> NDArray[np.int64]:
    """Draw numbers below `limit`, small ones more often (exponent 1, cut off at the limit)."""
    return np.minimum((limit ** generator.random(size)).astype(np.int64) - 1, limit - 1)


def _english_words(generator: np.random.Generator) -> list[str]:
    lengths = generator.integers(3, 10, size=_WORDS).tolist()
    letters = generator.integers(97, 123, size=sum(lengths)).astype(np.uint8).tobytes().decode()
    ends = np.cumsum(lengths).tolist()
    return [letters[end - length : end] for length, end in zip(lengths, ends, strict=True)]


def _mark(number: int) -> str:
    """Write a number in letters."""
    letters = ""
    while number or not letters:
        number, digit = divmod(number, 26)
        letters += chr(97 + digit)
    return letters
