"""The two files of a model folder, read with clear errors and written whole.

`config.json` says what the model is, `model.safetensors` holds its tensors. Pickle files are never
opened, for they can run code.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from kbert.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

CONFIG = "config.json"
WEIGHTS = "model.safetensors"


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors under the names in the file; they may be views of it.

    Raises `CheckpointError` if the file is absent, cut short or otherwise broken.
    """
    if not path.is_file():
        raise CheckpointError(
            f"{path}: no such file; only safetensors is read, never pickle: convert older weights "
            "with transformers' from_pretrained and save_pretrained"
        )
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: broken or cut short: {error}") from None


def read_json(file: Path) -> dict[str, object]:
    """Read a JSON object; raises `CheckpointError` for anything else."""
    try:
        entries = json.loads(file.read_bytes())
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # bad JSON or bad UTF-8
        raise CheckpointError(f"{file}: not JSON: {error}") from None
    if not isinstance(entries, dict):
        raise CheckpointError(f"{file}: not a JSON object")
    return entries


def write(path: Path, content: bytes) -> None:
    """Put a whole file in place: a reader finds the old one or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
