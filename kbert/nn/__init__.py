"""The encoder and its bricks: BERT (Devlin et al. 2019) under a rule of who may see whom.

`visibility` holds that rule; `embeddings`, `attention` and `encoder` are the model;
`heads` the task layers and `pretraining_heads` those of pre-training; `checkpoint` reads and writes
the Hugging Face layout. Nothing here knows graphs, data files or a training loop. Names are loaded
when first asked for, so that `kbert.nn.visibility` can be imported without torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kbert.nn.config import EncoderConfig
    from kbert.nn.encoder import Encoder, EncoderOutput
    from kbert.nn.heads import Classifier, SpanFinder, Tagger
    from kbert.nn.pretraining_heads import LanguageModel
    from kbert.nn.visibility import Visibility

__all__ = [
    "Classifier",
    "Encoder",
    "EncoderConfig",
    "EncoderOutput",
    "LanguageModel",
    "SpanFinder",
    "Tagger",
    "Visibility",
]

_HOMES = {
    "Classifier": "heads",
    "Encoder": "encoder",
    "EncoderConfig": "config",
    "EncoderOutput": "encoder",
    "LanguageModel": "pretraining_heads",
    "SpanFinder": "heads",
    "Tagger": "heads",
    "Visibility": "visibility",
}


def __getattr__(name: str) -> object:
    """Load a public name from the file that defines it (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return list(__all__)
