"""BERT, and BERT that knows a knowledge graph (K-BERT), on one encoder.

Importing this package is cheap: names are loaded when they are first asked for, so a command's
`--help` does not wait for torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kbert import nn
    from kbert.batch import Batch
    from kbert.errors import CheckpointError, DataError, KbertError, RunError, SettingsError
    from kbert.features import encode
    from kbert.inject import Injector
    from kbert.model import Model, Prediction, load
    from kbert.tokenizer import Tokenizer
    from kbert.tree import SentenceTree

__all__ = [
    "Batch",
    "CheckpointError",
    "DataError",
    "Injector",
    "KbertError",
    "Model",
    "Prediction",
    "RunError",
    "SentenceTree",
    "SettingsError",
    "Tokenizer",
    "encode",
    "load",
    "nn",
]

_HOMES = {
    "Batch": "kbert.batch",
    "CheckpointError": "kbert.errors",
    "DataError": "kbert.errors",
    "Injector": "kbert.inject",
    "KbertError": "kbert.errors",
    "Model": "kbert.model",
    "Prediction": "kbert.model",
    "RunError": "kbert.errors",
    "SentenceTree": "kbert.tree",
    "SettingsError": "kbert.errors",
    "Tokenizer": "kbert.tokenizer",
    "encode": "kbert.features",
    "load": "kbert.model",
}


def __getattr__(name: str) -> Any:
    if name == "nn":
        return importlib.import_module("kbert.nn")
    if name not in _HOMES:
        raise AttributeError(f"module 'kbert' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
