"""Three trainings of about a second, for benchmarks that stop them: their data and their flags."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

_NAMES: Final = ("anna", "ben", "carl", "dora", "emil", "fay")
_CITIES: Final = ("rome", "oslo", "lima", "york")
_SMALL: Final = (
    *("--layers", "1", "--width", "16", "--heads", "2", "--feed-forward", "32"),
    *("--learning-rate", "0.01", "--accelerator", "cpu", "--checkpoint-steps", "1"),
)


@dataclass(frozen=True)
class Training:
    """A command, by its module, and the flags that it is given over the data in a folder."""

    name: str
    main: Callable[[Sequence[str]], int]
    flags: Callable[[Path], list[str]]


def trainings() -> list[Training]:
    """Return fine-tuning, pre-training and training over triples, in this order.

    Imports all that they need, so that processes forked from this one need not.
    """
    for name in ("kbert.finetune", "kbert.pretraining.run", "kgbert.training"):
        import_module(name)
    from kbert.pretrain import main as pretrain
    from kbert.train import main as train
    from kgbert.train import main as train_triples

    return [
        Training("kbert.train", train, _tuning),
        Training("kbert.pretrain", pretrain, _pretraining),
        Training("kgbert.train", train_triples, _triples),
    ]


def write_data(folder: Path) -> None:
    """Write what the three trainings read into a folder; the same bytes each time."""
    draw = random.Random(0)
    _write_texts(folder / "labelled", draw)
    lines = [f"{name}\tlives in\t{draw.choice(_CITIES)}" for name in _NAMES]
    (folder / "graph.spo").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _write_corpus(folder, draw)
    _write_triples(folder / "triples", draw)


def _write_texts(folder: Path, draw: random.Random) -> None:
    folder.mkdir()
    for split, count in (("train", 24), ("dev", 8), ("test", 8)):
        rows = ["label\ttext_a"]
        for number in range(count):
            verb = ("likes", "hates")[number % 2]
            rows.append(f"{verb[:1]}\t{draw.choice(_NAMES)} {verb} {draw.choice(_CITIES)}")
        (folder / f"{split}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _write_corpus(folder: Path, draw: random.Random) -> None:
    from kbert.pretraining.build import build_corpus
    from kbert.tokenizer import Tokenizer

    lines = []
    for _ in range(30):
        for _ in range(draw.randint(2, 6)):
            lines.append(f"{draw.choice(_NAMES)} sees {draw.choice(_CITIES)} and likes it")
        lines.append("")
    texts = folder / "texts.txt"
    texts.write_text("\n".join(lines), encoding="utf-8")
    tokenizer = Tokenizer.train(lines, vocab_size=80)
    build_corpus([texts], folder / "corpus", tokenizer=tokenizer, lines="sentence")


def _write_triples(folder: Path, draw: random.Random) -> None:
    folder.mkdir()
    every = [f"{a}\tknows\t{b}" for a in _NAMES for b in _NAMES if a != b]
    draw.shuffle(every)
    for split, rows in (("train", every[:20]), ("dev", every[20:25]), ("test", every[25:])):
        (folder / f"{split}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    for file, names in (("entity2text.txt", _NAMES), ("relation2text.txt", ("knows",))):
        (folder / file).write_text("".join(f"{x}\t{x}\n" for x in names), encoding="utf-8")


def _tuning(folder: Path) -> list[str]:
    data = ["--data", str(folder / "labelled"), "--kg", str(folder / "graph.spo")]
    return [*data, *_SMALL, "--epochs", "3", "--batch-tokens", "80", "--max-length", "32"]


def _pretraining(folder: Path) -> list[str]:
    data = ["--corpus", str(folder / "corpus"), "--held-out", "0.2", "--phases", "12x32"]
    often = ["--log-every", "3", "--validate-every", "4", "--samples", "1"]
    return [*data, *_SMALL, *often, "--batch-tokens", "64"]


def _triples(folder: Path) -> list[str]:
    data = ["--dataset", str(folder / "triples"), "--epochs", "3", "--batch-size", "10"]
    return [*data, *_SMALL, "--negatives", "1", "--max-length", "16"]
