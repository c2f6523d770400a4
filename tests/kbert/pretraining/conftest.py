"""Texts and a corpus that are pre-trained on in seconds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kbert.pretraining.build import build_corpus
from kbert.pretraining.settings import PretrainSettings
from kbert.pretraining.shards import Corpus
from kbert.tokenizer import Tokenizer


def documents(count: int, *, seed: int = 0) -> str:
    """Write documents of simple sentences, each about one person."""
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        name = draw.choice(["anna", "ben", "carl", "dora"])
        for _ in range(draw.randint(2, 8)):
            verb, thing = draw.choice(["sees", "likes"]), draw.choice(["cat", "doghouse", "tree"])
            found.append(f"{name} {verb} the {thing} .")
        found.append("")
    return "\n".join(found)


@pytest.fixture(scope="session", autouse=True)
def _quick_disk() -> Iterator[None]:
    """Do not wait for the disk, whose speed is not the question."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda handle: None)
        yield


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of forty documents, a sentence a line."""
    file = tmp_path_factory.mktemp("texts") / "people.txt"
    file.write_text(documents(40), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def small_corpus(
    texts: Path, make_tokenizer: Callable[..., Tokenizer], tmp_path_factory: pytest.TempPathFactory
) -> Corpus:
    """Those documents, tokenised; `doghouse` is two pieces."""
    folder = tmp_path_factory.mktemp("corpora") / "people"
    tokenizer = make_tokenizer([*WORDS, "##house"])
    return build_corpus([texts], folder, tokenizer=tokenizer, lines="sentence")


WORDS = ["anna", "ben", "carl", "dora", "sees", "likes", "the", "cat", "tree", ".", "dog"]
CITIES = {"anna": "rome", "ben": "new york", "carl": "oslo", "dora": "lima"}


@pytest.fixture(scope="session")
def people_graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where those people live and what they do, which no text says; one entity has two words."""
    lines = [f"{name}\tlives in\t{city}" for name, city in CITIES.items()]
    lines += [f"{name}\tjob\t{job}" for name, job in [("anna", "pilot"), ("ben", "pilot")]]
    lines += ["the cat\tcolour\tblack"]
    file = tmp_path_factory.mktemp("graphs") / "people.spo"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def told_corpus(
    texts: Path, make_tokenizer: Callable[..., Tokenizer], tmp_path_factory: pytest.TempPathFactory
) -> Corpus:
    """The documents with their text, and a vocabulary that knows the graph's words."""
    words = [*WORDS, "lives", "in", "job", "colour", "rome", "new", "york", "oslo", "lima"]
    folder = tmp_path_factory.mktemp("corpora") / "told"
    tokenizer = make_tokenizer([*words, "##house", "pilot", "black"])
    return build_corpus([texts], folder, tokenizer=tokenizer, lines="sentence", keep_text=True)


Settings = Callable[..., PretrainSettings]


@pytest.fixture
def settings(small_corpus: Corpus, tmp_path: Path) -> Settings:
    """Make settings of a run of some seconds on the corpus."""

    def make(**changes: Any) -> PretrainSettings:
        given: dict[str, Any] = {
            "corpus": str(small_corpus.path), "held_out": 0.2, "phases": ["6x32"],
            "batch_tokens": 128, "layers": 1, "width": 16, "heads": 2, "feed_forward": 32,
            "learning_rate": 0.01, "log_every": 2, "validate_every": 3, "samples": 2,
            "accelerator": "cpu", "output": str(tmp_path / "run"),
        }  # fmt: skip
        return PretrainSettings(**{**given, **changes})

    return make
