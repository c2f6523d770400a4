"""Model folders from tensors that are in no model yet: their sizes, and their files."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from safetensors.torch import save as to_bytes

from kbert.errors import CheckpointError, SettingsError
from kbert.nn.checksums import seal, write
from kbert.nn.config import EncoderConfig
from kbert.nn.folder import CONFIG, WEIGHTS
from kbert.nn.layout import modern

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

_HEAD_WIDTH = 64  # of every BERT that was published with its sizes (Turc et al. 2019)
_TABLES = {
    "vocab_size": "embeddings.word_embeddings.weight",
    "max_positions": "embeddings.position_embeddings.weight",
    "segment_types": "embeddings.token_type_embeddings.weight",
    "feed_forward": "encoder.layer.0.intermediate.dense.weight",
}
_layer = re.compile(r"encoder\.layer\.([0-9]{1,4})\.").match


def config_of(tensors: Mapping[str, Tensor], *, heads: int | None, path: Path) -> EncoderConfig:
    """Read the sizes of an encoder off its tensors, by their names in Hugging Face files.

    The number of heads cannot be seen; unless it is given there is one for each 64 of the width.
    Raises `CheckpointError` where tensors are missing or sizes are impossible.
    """
    found = {modern(name): tensor for name, tensor in tensors.items()}
    lacking = [name for name in _TABLES.values() if name not in found or found[name].ndim != 2]
    if lacking:
        raise CheckpointError(f"{path}: is no BERT: it has no {lacking[0]}", missing=lacking)
    sizes = {ours: found[name].shape[0] for ours, name in _TABLES.items()}
    width = found[_TABLES["vocab_size"]].shape[1]
    layers = {int(match[1]) for match in map(_layer, found) if match}
    if heads is None and width % _HEAD_WIDTH:
        raise CheckpointError(f"{path}: of width {width}; say how many --heads it has")
    try:
        return EncoderConfig(
            width=width,
            layers=len(layers),
            heads=width // _HEAD_WIDTH if heads is None else heads,
            **sizes,
        )
    except SettingsError as error:
        raise CheckpointError(f"{path}: {error}") from None


def write_raw(folder: Path, tensors: Mapping[str, Tensor], entries: Mapping[str, object]) -> None:
    """Write `config.json` and `model.safetensors`, and their checksums, into `folder`.

    Raises `CheckpointError` if it cannot be written.
    """
    text = json.dumps(entries, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        write(folder / WEIGHTS, to_bytes(dict(tensors), metadata={"format": "pt"}))
        write(folder / CONFIG, text.encode())
        seal(folder, (WEIGHTS, CONFIG))
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be written: {error.strerror}") from None
