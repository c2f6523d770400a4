"""BERT over triples (KG-BERT): triple classification, relation prediction, link prediction.

Importing this package is cheap: names are loaded when they are first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kgbert.data import KnowledgeData, load_data
    from kgbert.negatives import NegativeSampler
    from kgbert.pieces import Pieces
    from kgbert.scorer import TripleScorer
    from kgbert.sequences import Sequences

__all__ = ["KnowledgeData", "NegativeSampler", "Pieces", "Sequences", "TripleScorer", "load_data"]

_HOMES = {
    "KnowledgeData": "kgbert.data",
    "NegativeSampler": "kgbert.negatives",
    "Pieces": "kgbert.pieces",
    "Sequences": "kgbert.sequences",
    "TripleScorer": "kgbert.scorer",
    "load_data": "kgbert.data",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kgbert' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
