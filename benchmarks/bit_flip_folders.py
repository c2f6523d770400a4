"""The folders whose bits `benchmarks.bit_flips` flips: how each is made, read, and what is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

import graphs
from graphs import MentionIndex, TripleStore
from kbert import checkpoints
from kbert.nn import Classifier, Encoder, LanguageModel
from kbert.nn.checkpoint import load_encoder, load_language_model, save
from kbert.nn.checksums import unseal
from kbert.nn.config import EncoderConfig
from kbert.tokenizer import Tokenizer
from kgbert.calibration import Calibrator
from kgbert.data import load_data
from kgbert.opening import open_scorer
from kgbert.record import DataRecord
from kgbert.record import RunRecord as TripleRecord
from kgbert.run import LABELS, write_texts
from kgbert.settings import KnowledgeTrainSettings
from kgbert.stored_thresholds import StoredThresholds
from kgbert.thresholds import Thresholds

_SIZES: Final[dict[str, Any]] = {"width": 32, "layers": 2, "heads": 2, "feed_forward": 64}


@dataclass(frozen=True)
class FileSet:
    """A kind of folder: `make` writes one, `files` names what is read of it, `open` reads it."""

    make: Callable[[Path], None]
    files: Callable[[Path], list[Path]]
    open: Callable[[Path], object]


def _make_model(folder: Path) -> None:
    torch.manual_seed(0)
    tokenizer = _tokenizer()
    config = EncoderConfig(vocab_size=len(tokenizer), max_positions=64, **_SIZES)
    save(LanguageModel(Encoder(config), relation_labels=2), folder)
    tokenizer.save(folder)


def _open_model(folder: Path) -> None:
    load_language_model(folder)
    Tokenizer.from_pretrained(folder)


def _make_old_model(folder: Path) -> None:
    """Write a model whose tokeniser is a `vocab.txt`, as old ones have it."""
    torch.manual_seed(0)
    tokenizer = _tokenizer()
    save(Encoder(EncoderConfig(vocab_size=len(tokenizer), max_positions=64, **_SIZES)), folder)
    tokenizer.save(folder)
    _forget(folder, "tokenizer.json")


def _open_old_model(folder: Path) -> None:
    load_encoder(folder)
    Tokenizer.from_pretrained(folder)


def _forget(folder: Path, name: str) -> None:
    (folder / name).unlink()
    unseal(folder, name)


def _make_triples(folder: Path) -> None:
    torch.manual_seed(0)
    data, tokenizer = load_data("sample"), _tokenizer()
    config = EncoderConfig(vocab_size=len(tokenizer), max_positions=64, **_SIZES)
    save(Classifier(Encoder(config), 2), folder, labels=LABELS)
    tokenizer.save(folder)
    settings = KnowledgeTrainSettings(max_length=20)
    record = DataRecord.of(data, used=len(data.train))
    TripleRecord("link-prediction", LABELS, record, "drawn", settings, {}).write(folder)
    write_texts(folder, data)
    chosen = Thresholds(overall=0.5, of_relation={0: 0.25})
    StoredThresholds("difference", 9, "drawn", chosen).write(folder)
    Calibrator("platt", ((1.5, -0.25),)).write(folder)


def _open_triples(folder: Path) -> None:
    open_scorer(
        folder, texts=None, relation_texts={}, device="cpu", precision="32", batch_tokens=4096,
        allow_other_graph=False, announce=None,
    )  # fmt: skip


def _make_graph(folder: Path) -> None:
    graphs.compile([Path(graphs.__file__).parent / "sample" / "cn_dbpedia.spo"], folder)


def _make_checkpoint(folder: Path) -> None:
    """Write what a training that was stopped goes on from: weights, an optimiser's state."""
    torch.manual_seed(0)
    model = Classifier(Encoder(EncoderConfig(vocab_size=90, max_positions=64, **_SIZES)), 2)
    save(model, folder)
    names = sorted(path.name for path in folder.iterdir())
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"optimiser.{name}.exp_avg": 0.1 * tensor for name, tensor in tensors.items()}
    state = {"settings": {"seed": 1, "epochs": 3}, "seconds": 0.5, "course": {"losses": 1.25}}
    checkpoints.write(folder, step=7, state=state, tensors=tensors, replaced=names)
    for name in names:
        (folder / name).unlink()  # which only the checkpoint has now


def _open_checkpoint(folder: Path) -> None:
    found = checkpoints.newest(folder)
    assert found is not None
    found.tensors()


def _tokenizer() -> Tokenizer:
    return Tokenizer.train(["the quick brown fox jumps over the lazy dog"] * 9, vocab_size=90)


def _except(*names: str) -> Callable[[Path], list[Path]]:
    """Name every file below a folder but those that opening it does not read."""
    return lambda folder: sorted(
        path for path in folder.rglob("*") if path.is_file() and path.name not in names
    )


_BESIDE_JSON: Final = ("vocab.txt", "tokenizer_config.json")  # of use without tokenizer.json
SETS: Final[dict[str, FileSet]] = {
    "model": FileSet(_make_model, _except(*_BESIDE_JSON), _open_model),
    "model with vocab.txt": FileSet(_make_old_model, _except(), _open_old_model),
    "run of kgbert": FileSet(_make_triples, _except(*_BESIDE_JSON, "config.yaml"), _open_triples),
    "checkpoint to resume": FileSet(_make_checkpoint, _except(), _open_checkpoint),
    "compiled graph": FileSet(
        _make_graph, _except(), lambda folder: MentionIndex(TripleStore.open(folder))
    ),
}
