"""The two files of a model folder, read with clear errors and written whole.

`config.json` says what the model is, `model.safetensors` holds its tensors. Pickle files are never
opened, for they can run code. Files that `kbert.nn.checksums` knows are compared with their
checksums before anything else looks at them, and every size is bounded.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from safetensors import SafetensorError, safe_open

from kbert.errors import CheckpointError
from kbert.nn.checksums import check, read_bytes, write

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

__all__ = ["CONFIG", "WEIGHTS", "parse_json", "read_json", "read_tensors", "write"]

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
# An encoder of 1,000 layers has a header of 2 MiB; the library itself takes 100 MB.
_MOST_HEADER = 16 << 20
_MOST_JSON = 16 << 20


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors under the names in the file; they may be views of it.

    Raises `CheckpointError` if the file is absent, cut short or otherwise broken.
    """
    if not path.is_file():
        raise CheckpointError(
            f"{path}: no such file; only safetensors is read, never pickle: convert older weights "
            "with python -m kbert.convert"
        )
    check(path)
    try:
        with path.open("rb") as stream:
            header = int.from_bytes(stream.read(8), "little")
        if header > _MOST_HEADER:
            raise CheckpointError(
                f"{path}: broken: its header has {header:,} bytes, more than {_MOST_HEADER:,}"
            )
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path}: broken or cut short: {reason}") from None


def read_json(file: Path) -> dict[str, object]:
    """Read a JSON object of at most 16 MiB; raises `CheckpointError` for anything else."""
    data = read_bytes(file, most=_MOST_JSON)
    try:
        entries = parse_json(data)
    except ValueError as error:
        raise CheckpointError(f"{file}: not JSON: {error}") from None
    if not isinstance(entries, dict):
        raise CheckpointError(f"{file}: not a JSON object")
    return entries


def parse_json(data: bytes | str) -> Any:
    """Return the value of a JSON text.

    Raises `ValueError`, in one line, for what is not JSON or UTF-8, is nested too deeply, or has
    numbers that JSON does not have (NaN, Infinity).
    """
    try:
        return json.loads(data, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
