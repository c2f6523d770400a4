"""Load encoders and their heads from model folders in the Hugging Face layout, and save them.

Names are mapped by the table of `layout`. Reading is strict: every tensor of the model must be in
the file with its shape, and the file may hold nothing else, but for what is ignored by name (old
buffers, copies of tied weights and, for a bare encoder, task heads). Weights become float32. Files
appear whole or not at all.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save as to_bytes

from graphs.disk import reason
from kbert.errors import CheckpointError
from kbert.nn.checksums import seal
from kbert.nn.config import EncoderConfig
from kbert.nn.encoder import Encoder
from kbert.nn.folder import CONFIG, WEIGHTS, read_tensors, write
from kbert.nn.head_entries import Model, architecture, head_entries, read_labels
from kbert.nn.heads import SpanFinder, Tagger
from kbert.nn.hub import resolve
from kbert.nn.layout import PREFIX, file_names, modern
from kbert.nn.pretraining_files import exchange_heads, head_sizes, without_tied_copies
from kbert.nn.pretraining_heads import LanguageModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

__all__ = [
    "load_encoder",
    "load_language_model",
    "load_weights",
    "read_labels",
    "resolve",
    "save",
]

# A buffer of old versions that holds 0, 1, 2, …
_IGNORED = ("embeddings.position_ids",)
_OTHER_HEADS = ("cls.", "classifier.", "qa_outputs.")
_POOLER = "pooler."
_SHOWN = 3
_LONGEST_NAME = 100  # characters of a name in a message; a file may have any

_log = logging.getLogger(__name__)


def load_encoder(
    source: str | Path,
    *,
    add_pooler: bool = False,
    use_pooler: bool = True,
    generator: torch.Generator | None = None,
) -> Encoder:
    """Load an encoder from a model folder or a hub id; the tensors of task heads are left aside.

    With `add_pooler` a checkpoint that has no pooler, as those of masked language models, gets a
    fresh one, drawn from `generator`, and a warning is logged. Without `use_pooler` it gets one of
    zeros: who reads hidden states alone does not need it.

    Raises `CheckpointError` if the model cannot be found, read, or does not fit its own config.
    """
    folder = resolve(source)
    config = EncoderConfig.from_folder(folder)
    with torch.device("meta"):  # memory comes with the loaded weights
        encoder = Encoder(config)
    load_weights(encoder, folder, add_pooler=add_pooler, use_pooler=use_pooler, generator=generator)
    return encoder


def load_language_model(source: str | Path) -> LanguageModel:
    """Load an encoder with the heads of pre-training that a model folder or a hub id has.

    A head that is not there is put on by making a `LanguageModel` of the sizes wanted, and
    `load_weights` with `change_heads`.

    Raises `CheckpointError` if the model cannot be found, read, does not fit its own config, or
    has no head that names tokens.
    """
    folder = resolve(source)
    config = EncoderConfig.from_folder(folder)
    path = folder / WEIGHTS
    relation, boundary = head_sizes(_modernise(read_tensors(path), path=path), path=path)
    with torch.device("meta"):  # memory comes with the loaded weights
        encoder = Encoder(config)
        model = LanguageModel(encoder, relation_labels=relation, boundary_positions=boundary)
    load_weights(model, folder)
    return model


def load_weights(
    module: Model,
    folder: str | Path,
    *,
    add_pooler: bool = False,
    use_pooler: bool = True,
    change_heads: bool = False,
    generator: torch.Generator | None = None,
) -> None:
    """Load the weights of `folder` into `module`, whose sizes must be those of the file.

    A module on the meta device comes to the CPU; any other keeps its device and dtype. Names in
    the file may begin with `bert.` or not, and may be the old `gamma` and `beta`. `add_pooler` and
    `use_pooler` are as in `load_encoder`; a `Tagger`, a `SpanFinder`, or a `LanguageModel` without
    relation, needs no pooler in the file, since it does not use one. With `change_heads` a head of
    pre-training that the file has not, or has in another size, keeps the module's weights, for
    which a warning is logged; one that only the file has is left aside.

    Raises `CheckpointError`, with the full lists of names, if anything is missing, unexpected or
    of another shape; the module is then as it was.
    """
    path = Path(folder) / WEIGHTS
    stored = _modernise(read_tensors(path), path=path)
    has_pooler = any(name.startswith(_POOLER) for name in stored)
    drawn = use_pooler and _uses_pooler(module)
    fresh = not has_pooler and (add_pooler or not drawn)
    own = module.state_dict()
    wanted = {theirs.removeprefix(PREFIX): ours for ours, theirs in file_names(module).items()}
    if isinstance(module, LanguageModel):
        stored = without_tied_copies(stored, path=path)
        if change_heads:
            stored = exchange_heads(stored, {n: own[o] for n, o in wanted.items()}, path=path)
    ignored = _IGNORED + (_OTHER_HEADS if isinstance(module, Encoder) else ())
    missing = [
        name for name in wanted if name not in stored and not (fresh and name.startswith(_POOLER))
    ]
    unexpected = [n for n in stored if n not in wanted and not n.startswith(ignored)]
    mismatched = [
        name
        for name, ours in wanted.items()
        if name in stored
        and (stored[name].shape != own[ours].shape or not stored[name].is_floating_point())
    ]
    if missing or unexpected or mismatched:
        raise _misfit(path, missing=missing, unexpected=unexpected, mismatched=mismatched)
    if fresh:  # not earlier: the sizes that the configuration names are known to be the file's
        stored |= _fresh_pooler(module, path=path, drawn=drawn, generator=generator)
    # Copies, for what was read may be a view of the file.
    loaded = {ours: stored[n].to(torch.float32, copy=True) for n, ours in wanted.items()}
    module.load_state_dict(loaded, assign=any(tensor.is_meta for tensor in own.values()))


def save(
    module: Model,
    folder: str | Path,
    *,
    labels: Sequence[str] | None = None,
) -> None:
    """Write `config.json` and `model.safetensors`, which transformers loads, into `folder`.

    Their checksums go into `checksums.json`, and whoever loads them here compares (see
    `kbert.nn.checksums`).

    `labels` names a head's labels, for a `LanguageModel` those of its relation, in the order of
    their ids; None leaves `LABEL_0`, `LABEL_1`, … A `Tagger`, a `SpanFinder`, or a
    `LanguageModel` without relation, is written without its unused pooler, as transformers does.

    Raises `CheckpointError` if the folder cannot be written, `ValueError` if `labels` do not fit.
    """
    folder = Path(folder)
    config: dict[str, object] = {"architectures": [architecture(module)]}
    config |= _encoder(module).config.to_hugging_face() | head_entries(module, labels=labels)
    tensors = module.state_dict()
    stored = {
        theirs: tensors[ours].detach().cpu().contiguous()
        for ours, theirs in file_names(module).items()
        if _uses_pooler(module) or not theirs.startswith(PREFIX + _POOLER)
    }
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / WEIGHTS, to_bytes(stored, metadata={"format": "pt"}))
        write(folder / CONFIG, text.encode())
        seal(folder, (WEIGHTS, CONFIG))
    except OSError as error:
        needed = sum(tensor.nbytes for tensor in stored.values())
        why = reason(error, at=folder, needed=needed)
        raise CheckpointError(f"{folder}: cannot be written: {why}") from None


def _encoder(module: Model) -> Encoder:
    return module if isinstance(module, Encoder) else module.encoder


def _uses_pooler(module: Model) -> bool:
    if isinstance(module, LanguageModel):
        return module.relation is not None
    return not isinstance(module, SpanFinder | Tagger)


def _modernise(tensors: dict[str, Tensor], *, path: Path) -> dict[str, Tensor]:
    """Even out the names of a file; two that become one are refused."""
    evened: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if modern(name) in evened:
            raise CheckpointError(f"{path}: {modern(name)} is there under two names")
        evened[modern(name)] = tensor
    return evened


def _fresh_pooler(
    module: Model, *, path: Path, drawn: bool, generator: torch.Generator | None
) -> dict[str, Tensor]:
    """Make the tensors of a pooler; zeros where it is not read, and need not be `drawn`."""
    config = _encoder(module).config
    weight = torch.zeros(config.width, config.width)
    if drawn:
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
            shown = ", ".join(name[:_LONGEST_NAME] for name in names[:_SHOWN])
            parts.append(f"{len(names)} {what} ({shown}{more})")
    hint = ""
    if missing and all(name.startswith(_POOLER) for name in missing):
        hint = "; a checkpoint without pooler is loaded with add_pooler=True"
    return CheckpointError(
        f"{path}: the tensors do not fit the model: {', '.join(parts)}{hint}",
        missing=missing,
        unexpected=unexpected,
        mismatched=mismatched,
    )
