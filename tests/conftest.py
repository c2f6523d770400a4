"""Fixtures that every test may use, and how hypothesis draws: the same examples in every run."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import settings

from graphs import TripleStore
from kbert.tokenizer import SPECIALS, Tokenizer

REPOSITORY = Path(__file__).resolve().parent.parent

pytest_plugins = ["tests.confinement"]
settings.register_profile(
    "repeatable", database=None, deadline=None, derandomize=True, max_examples=60
)
settings.load_profile("repeatable")


# A shell starts what it puts into the background with interrupts ignored, and children inherit it;
# the tests that interrupt a command need what a user at a terminal has.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of public data sets; a test that asks for it is skipped where there is none."""
    named = os.environ.get("KBERT_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no data sets at {folder}: set KBERT_DATA")
    return folder


@pytest.fixture
def unsealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare no checksums of model folders.

    For tests that change files on purpose, to see what their readers say of them.
    """
    monkeypatch.setattr("kbert.nn.checksums._entry", lambda file: None)


@pytest.fixture(scope="session")
def make_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Tokenizer]:
    """Make a tokeniser from the special pieces and those given, by way of a `vocab.txt`."""
    folder = tmp_path_factory.mktemp("vocabularies")
    numbers = itertools.count()

    def make(pieces: Iterable[str], *, lowercase: bool = True) -> Tokenizer:
        path = folder / f"{next(numbers)}.txt"
        lines = dict.fromkeys([*SPECIALS, *pieces])
        path.write_text("".join(f"{piece}\n" for piece in lines), encoding="utf-8", newline="\n")
        return Tokenizer.from_vocab(path, lowercase=lowercase)

    return make


@pytest.fixture(scope="session")
def tiny_store() -> TripleStore:
    """A few facts, of which one entity (上海) has more than a mention's usual budget."""
    return TripleStore.from_triples(
        [
            ("北京", "首都", "中国"),
            ("北京", "是", "城市"),
            ("上海", "是", "城市"),
            ("上海", "位于", "中国"),
            ("上海", "简称", "沪"),
            ("苹果", "是", "水果"),
            ("库克", "职业", "总裁"),
        ]
    )


@pytest.fixture(scope="session")
def tiny_tokenizer(make_tokenizer: Callable[..., Tokenizer], tiny_store: TripleStore) -> Tokenizer:
    """Knows each character of `tiny_store` and of the tests' sentences, and small Latin letters."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    characters = "".join("".join(triple) for triple in tiny_store) + "我爱吃在去和哈，。[]"
    return make_tokenizer([*characters, *letters, *(f"##{letter}" for letter in letters)])
