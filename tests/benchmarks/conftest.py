"""A corpus that the benchmarks of pre-training measure in seconds."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from kbert.pretraining.build import build_corpus
from kbert.pretraining.shards import Corpus
from kbert.tokenizer import Tokenizer

WORDS = [f"{one}{two}" for one in "bcdfgklmnp" for two in "aeiou"]


@pytest.fixture(scope="session")
def small_corpus(
    make_tokenizer: Callable[..., Tokenizer], tmp_path_factory: pytest.TempPathFactory
) -> Corpus:
    """Two hundred documents of sentences of random words; some words are two pieces."""
    draw, lines = random.Random(0), []
    for _ in range(200):
        for _ in range(draw.randint(1, 9)):
            words = draw.choices(WORDS, k=draw.randint(3, 12))
            lines.append(" ".join(word + draw.choice(["", "", "x"]) for word in words))
        lines.append("")
    folder = tmp_path_factory.mktemp("benchmarks")
    (folder / "words.txt").write_text("\n".join(lines), encoding="utf-8")
    tokenizer = make_tokenizer([*WORDS, "##x"])
    return build_corpus(
        [folder / "words.txt"], folder / "words", tokenizer=tokenizer, lines="sentence"
    )


@pytest.fixture
def empty_folder(tmp_path: Path) -> Path:
    """A folder that is no corpus."""
    folder = tmp_path / "nothing"
    folder.mkdir()
    return folder
