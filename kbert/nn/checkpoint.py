"""Load encoders and their heads from model folders in the Hugging Face layout, and save them.

Names are mapped by the table of `layout`. Reading is strict: every tensor of the model must be in
the file with its shape, and the file may hold nothing else, but for what is ignored by name (old
buffers and, for a bare encoder, task heads). Weights become float32. Files appear whole or not at
all.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save as to_bytes

from kbert.errors import CheckpointError
from kbert.nn.config import EncoderConfig
from kbert.nn.encoder import Encoder
from kbert.nn.folder import CONFIG, WEIGHTS, read_json, read_tensors, write
from kbert.nn.heads import Classifier, Tagger
from kbert.nn.hub import resolve
from kbert.nn.layout import PREFIX, file_names, modern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

__all__ = ["load_encoder", "load_weights", "read_labels", "resolve", "save"]

_ARCHITECTURES = {
    Encoder: "BertModel",
    Classifier: "BertForSequenceClassification",
    Tagger: "BertForTokenClassification",
}
# A buffer of old versions that holds 0, 1, 2, …
_IGNORED = ("embeddings.position_ids",)
_OTHER_HEADS = ("cls.", "classifier.", "qa_outputs.")
_POOLER = "pooler."
_SHOWN = 3

_log = logging.getLogger(__name__)


def load_encoder(
    source: str | Path, *, add_pooler: bool = False, generator: torch.Generator | None = None
) -> Encoder:
    """Load an encoder from a model folder or a hub id; the tensors of task heads are left aside.

    With `add_pooler` a checkpoint that has no pooler, as those of masked language models, gets a
    fresh one, drawn from `generator`, and a warning is logged.

    Raises `CheckpointError` if the model cannot be found, read, or does not fit its own config.
    """
    folder = resolve(source)
    config = EncoderConfig.from_folder(folder)
    with torch.device("meta"):  # memory comes with the loaded weights
        encoder = Encoder(config)
    load_weights(encoder, folder, add_pooler=add_pooler, generator=generator)
    return encoder


def load_weights(
    module: Encoder | Classifier | Tagger,
    folder: str | Path,
    *,
    add_pooler: bool = False,
    generator: torch.Generator | None = None,
) -> None:
    """Load the weights of `folder` into `module`, whose sizes must be those of the file.

    A module on the meta device comes to the CPU; any other keeps its device and dtype. Names in
    the file may begin with `bert.` or not, and may be the old `gamma` and `beta`. `add_pooler` is
    as in `load_encoder`; a `Tagger` needs no pooler in the file, since it does not use one.

    Raises `CheckpointError`, with the full lists of names, if anything is missing, unexpected or
    of another shape; the module is then as it was.
    """
    path = Path(folder) / WEIGHTS
    stored = _modernise(read_tensors(path), path=path)
    has_pooler = any(name.startswith(_POOLER) for name in stored)
    if not has_pooler and (add_pooler or isinstance(module, Tagger)):
        stored |= _fresh_pooler(module, path=path, generator=generator)
    own = module.state_dict()
    wanted = {theirs.removeprefix(PREFIX): ours for ours, theirs in file_names(module).items()}
    ignored = _IGNORED + (_OTHER_HEADS if isinstance(module, Encoder) else ())
    missing = [name for name in wanted if name not in stored]
    unexpected = [n for n in stored if n not in wanted and not n.startswith(ignored)]
    mismatched = [
        name
        for name, ours in wanted.items()
        if name in stored
        and (stored[name].shape != own[ours].shape or not stored[name].is_floating_point())
    ]
    if missing or unexpected or mismatched:
        raise _misfit(path, missing=missing, unexpected=unexpected, mismatched=mismatched)
    # Copies, for what was read may be a view of the file.
    loaded = {ours: stored[n].to(torch.float32, copy=True) for n, ours in wanted.items()}
    module.load_state_dict(loaded, assign=any(tensor.is_meta for tensor in own.values()))


def read_labels(folder: str | Path) -> tuple[str, ...]:
    """Read the names of a head's labels, in the order of their ids, from `config.json`.

    Raises `CheckpointError` if the file has no `id2label`, or one that does not count from zero.
    """
    file = Path(folder) / CONFIG
    table = read_json(file).get("id2label")
    if not isinstance(table, dict) or {str(i) for i in range(len(table))} != set(table):
        raise CheckpointError(f"{file}: id2label does not name the labels 0, 1, 2, ...")
    return tuple(str(table[str(i)]) for i in range(len(table)))


def save(
    module: Encoder | Classifier | Tagger,
    folder: str | Path,
    *,
    labels: Sequence[str] | None = None,
) -> None:
    """Write `config.json` and `model.safetensors`, which transformers loads, into `folder`.

    `labels` names a head's labels in the order of their ids; None leaves `LABEL_0`, `LABEL_1`, …
    A `Tagger` is written without its unused pooler, as transformers does.

    Raises `CheckpointError` if the folder cannot be written, `ValueError` if `labels` do not fit.
    """
    folder = Path(folder)
    config: dict[str, object] = {"architectures": [_ARCHITECTURES[type(module)]]}
    config |= _encoder(module).config.to_hugging_face() | _head_entries(module, labels)
    tensors = module.state_dict()
    stored = {
        theirs: tensors[ours].detach().cpu().contiguous()
        for ours, theirs in file_names(module).items()
        if not (isinstance(module, Tagger) and theirs.startswith(PREFIX + _POOLER))
    }
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / WEIGHTS, to_bytes(stored, metadata={"format": "pt"}))
        write(folder / CONFIG, text.encode())
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be written: {error.strerror}") from None


def _encoder(module: Encoder | Classifier | Tagger) -> Encoder:
    return module if isinstance(module, Encoder) else module.encoder


def _head_entries(
    module: Encoder | Classifier | Tagger, labels: Sequence[str] | None
) -> dict[str, object]:
    """Describe a head as transformers does: its dropout and its labels in both directions."""
    if isinstance(module, Encoder):
        if labels is not None:
            raise ValueError("an encoder has no labels")
        return {}
    count = module.classifier.out_features
    names = [f"LABEL_{i}" for i in range(count)] if labels is None else list(labels)
    if len(names) != count or len(set(names)) != count:
        raise ValueError(f"expected {count} different labels, one an output; received {names}")
    return {
        "classifier_dropout": module.dropout.p,
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
    }


def _modernise(tensors: dict[str, Tensor], *, path: Path) -> dict[str, Tensor]:
    """Even out the names of a file; two that become one are refused."""
    evened: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if modern(name) in evened:
            raise CheckpointError(f"{path}: {modern(name)} is there under two names")
        evened[modern(name)] = tensor
    return evened


def _fresh_pooler(
    module: Encoder | Classifier | Tagger, *, path: Path, generator: torch.Generator | None
) -> dict[str, Tensor]:
    """Make the tensors of a pooler; zeros for a `Tagger`, which does not read them."""
    config = _encoder(module).config
    weight = torch.zeros(config.width, config.width)
    if not isinstance(module, Tagger):
        weight.normal_(std=config.initializer_std, generator=generator)
        _log.warning("%s: has no pooler; a fresh one is put in, to be trained", path)
    return {"pooler.dense.weight": weight, "pooler.dense.bias": torch.zeros(config.width)}


def _misfit(
    path: Path, *, missing: list[str], unexpected: list[str], mismatched: list[str]
) -> CheckpointError:
    """Say in one line how many tensors do not fit, and which come first."""
    parts = []
    for names, what in (
        (missing, "missing"),
        (unexpected, "unexpected"),
        (mismatched, "of another shape or type"),
    ):
        if names:
            more = ", ..." if len(names) > _SHOWN else ""
            parts.append(f"{len(names)} {what} ({', '.join(names[:_SHOWN])}{more})")
    hint = ""
    if missing and all(name.startswith(_POOLER) for name in missing):
        hint = "; a checkpoint without pooler is loaded with add_pooler=True"
    return CheckpointError(
        f"{path}: the tensors do not fit the model: {', '.join(parts)}{hint}",
        missing=missing,
        unexpected=unexpected,
        mismatched=mismatched,
    )
