"""From what a user calls a model to a folder on this machine; what the hub has.

A source is a folder if there is one by that path; else a hub id (`name` or `owner/name`), whose
files are fetched, or found in the hub's cache when there is no network. A path that is mistyped
is told apart from an id, so that it never turns into a network error.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from kbert.errors import CheckpointError

_FILES = [
    "config.json",
    "model.safetensors",
    "vocab.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "calibrator.json",
    "checksums.json",
]
_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_]|[.-](?![.-]))*(?<![.-])"
_HUB_ID = re.compile(rf"(?:{_PART}/)?{_PART}")
_LONGEST_ID = 96
_PATIENCE = 10.0  # seconds


def resolve(source: str | os.PathLike[str]) -> Path:
    """Return the model folder that `source`, a folder or a hub id, stands for.

    Raises `CheckpointError` where there is no such folder, no such model, or no network.
    """
    name = os.fspath(source)
    try:
        folder = Path(source).expanduser()
        if name and folder.is_dir():  # an empty text is not the current folder
            return folder
    except (OSError, RuntimeError):  # a name too long for a path, or no such user
        raise CheckpointError(f"{name}: no such folder") from None
    if folder.is_file():
        raise CheckpointError(f"{name}: is a file; give the model folder that holds config.json")
    if name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name:
        raise CheckpointError(f"{name}: no such folder")
    if not _HUB_ID.fullmatch(name) or len(name) > _LONGEST_ID:
        raise CheckpointError(f"{name!r}: no such folder, and not a hub id (name or owner/name)")
    return _fetch(name)


def has_dataset(name: str) -> bool | None:
    """Ask the hub once whether it has a data set of this name; None if it does not answer."""
    import huggingface_hub
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
    )

    silence: tuple[type[Exception], ...] = HfHubHTTPError.__bases__
    try:
        huggingface_hub.HfApi().dataset_info(name, timeout=_PATIENCE)
    except GatedRepoError:  # a kind of RepositoryNotFoundError
        return True
    except (RepositoryNotFoundError, HFValidationError):
        return False
    except HfHubHTTPError:  # an answer, though no good one
        return True
    except silence:  # OSError and the network library's own error
        return None
    return True


def _fetch(name: str) -> Path:
    """Fetch the files of a hub model that this project reads."""
    import huggingface_hub
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    # Its bases are OSError and the network library's own error, whose name differs by version.
    failures: tuple[type[Exception], ...] = (ValueError, *HfHubHTTPError.__bases__)
    try:
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=_FILES))
    except GatedRepoError:
        raise CheckpointError(
            f"{name}: the hub asks for its terms to be accepted; do so on its page and log in"
        ) from None
    except RepositoryNotFoundError:
        raise CheckpointError(
            f"{name}: no such folder here and no such model on the hub; check the spelling"
        ) from None
    except failures as error:
        raise CheckpointError(
            f"{name}: no such folder here, and the hub did not give it ({type(error).__name__}); "
            "check the network, or give a folder that holds the model"
        ) from None
