"""The names of tensors in UER's checkpoints, which K-BERT starts from (`google_model.bin`).

The table is that of UER-py's `convert_bert_from_uer_to_huggingface.py`, with the names of the files
of 2019 and of the later ones. UER's table of segments has a row for padding before BERT's rows.
Its layer norm divides by the unbiased deviation plus epsilon, BERT's does not: weights that UER
trained further give slightly other outputs here, those that it only converted give BERT's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kbert.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from torch import Tensor

_SEGMENTS = "bert.embeddings.token_type_embeddings.weight"
_LATER = {
    "embedding.word.embedding.": "embedding.word_embedding.",
    "embedding.pos.embedding.": "embedding.position_embedding.",
    "embedding.seg.embedding.": "embedding.segment_embedding.",
    "target.mlm.layer_norm.": "target.layer_norm.",
    "target.mlm.": "target.mlm_",
    "target.sp.": "target.nsp_",
}
_OUTER = {
    "embedding.word_embedding": "bert.embeddings.word_embeddings",
    "embedding.position_embedding": "bert.embeddings.position_embeddings",
    "embedding.segment_embedding": "bert.embeddings.token_type_embeddings",
    "embedding.layer_norm": "bert.embeddings.LayerNorm",
    "target.mlm_linear_1": "cls.predictions.transform.dense",
    "target.layer_norm": "cls.predictions.transform.LayerNorm",
    "target.mlm_linear_2": "cls.predictions.decoder",
    "target.nsp_linear_1": "bert.pooler.dense",
    "target.nsp_linear_2": "cls.seq_relationship",
}
_IN_LAYER = {
    "self_attn.linear_layers.0": "attention.self.query",
    "self_attn.linear_layers.1": "attention.self.key",
    "self_attn.linear_layers.2": "attention.self.value",
    "self_attn.final_linear": "attention.output.dense",
    "layer_norm_1": "attention.output.LayerNorm",
    "feed_forward.linear_1": "intermediate.dense",
    "feed_forward.linear_2": "output.dense",
    "layer_norm_2": "output.LayerNorm",
}
_LEAVES = {"gamma": "weight", "beta": "bias", "weight": "weight", "bias": "bias"}
_layer = re.compile(r"encoder\.transformer\.([0-9]{1,4})\.(.+)").fullmatch


def is_uer(names: Iterable[str]) -> bool:
    """Say whether tensors of these names are UER's."""
    return any(name.startswith("embedding.") for name in names)


def from_uer(tensors: Mapping[str, Tensor], *, path: Path) -> dict[str, Tensor]:
    """Give UER's tensors the names of Hugging Face files.

    Raises `CheckpointError`, with the names, for tensors that a BERT of UER does not have.
    """
    named = {_renamed(name): tensor for name, tensor in tensors.items()}
    strange = [name for name in tensors if not _renamed(name)]
    if strange or len(named) < len(tensors):
        raise CheckpointError(
            f"{path}: {len(strange) or 'some'} tensors are not of a BERT of UER"
            f" ({', '.join(strange[:3])}); only BERT is read",
            unexpected=strange,
        )
    segments = named.get(_SEGMENTS)
    if segments is not None:
        named[_SEGMENTS] = segments[1:].clone()
    return named


def _renamed(name: str) -> str:
    """Return the name in a Hugging Face file; empty for one that is not known."""
    for later, early in _LATER.items():
        if name.startswith(later):
            name = early + name.removeprefix(later)
    stem, _, leaf = name.rpartition(".")
    place = _layer(stem)
    if place is None:
        outer = _OUTER.get(stem)
    else:
        inner = _IN_LAYER.get(place[2])
        outer = f"bert.encoder.layer.{int(place[1])}.{inner}" if inner else None
    if outer is None or leaf not in _LEAVES:
        return ""
    if (outer, leaf) == ("cls.predictions.decoder", "bias"):
        return "cls.predictions.bias"
    return f"{outer}.{_LEAVES[leaf]}"
