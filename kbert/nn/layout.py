"""The names of tensors: ours, and those of Hugging Face files.

One table, one to one, so that reading can turn it round. Files differ in two ways that are evened
out first: a model with a head puts `bert.` before the encoder's names, and the oldest files call
the weight and bias of a layer norm `gamma` and `beta`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbert.nn.encoder import Encoder

if TYPE_CHECKING:
    from kbert.nn.heads import Classifier, SpanFinder, Tagger
    from kbert.nn.pretraining_heads import LanguageModel

PREFIX = "bert."

# Our names and theirs, without the last part (weight or bias).
_OUTER = {
    "embeddings.word": "embeddings.word_embeddings",
    "embeddings.position": "embeddings.position_embeddings",
    "embeddings.segment": "embeddings.token_type_embeddings",
    "embeddings.norm": "embeddings.LayerNorm",
    "pooler.dense": "pooler.dense",
}
_IN_LAYER = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "expand": "intermediate.dense",
    "contract": "output.dense",
    "output_norm": "output.LayerNorm",
}
# The heads of pre-training. Those of tokens and relation are as in `BertForPreTraining`; the one of
# boundaries has no counterpart there, and stands beside them under a name of ours.
_IN_HEAD = {
    "tokens.dense": "cls.predictions.transform.dense",
    "tokens.norm": "cls.predictions.transform.LayerNorm",
    "tokens": "cls.predictions",
    "relation": "cls.seq_relationship",
    "boundary": "cls.boundary",
}
_OLD_LEAVES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}


def file_names(
    module: Encoder | Classifier | SpanFinder | Tagger | LanguageModel,
) -> dict[str, str]:
    """Map each tensor's name in `module` to its name in a file."""
    if isinstance(module, Encoder):
        return {name: _to_file(name) for name in module.state_dict()}
    names = {}
    for ours in module.state_dict():
        inner = ours.removeprefix("encoder.")
        names[ours] = _head_to_file(ours) if inner == ours else PREFIX + _to_file(inner)
    return names


def _to_file(name: str) -> str:
    """Translate the name of an encoder's tensor."""
    stem, _, leaf = name.rpartition(".")
    if not stem.startswith("layers."):
        return f"{_OUTER[stem]}.{leaf}"
    _, number, part = stem.split(".", maxsplit=2)
    return f"encoder.layer.{number}.{_IN_LAYER[part]}.{leaf}"


def _head_to_file(name: str) -> str:
    """Translate the name of a head's tensor; a task head's stays as it is."""
    for ours, theirs in _IN_HEAD.items():
        if name.startswith(ours + "."):
            return theirs + name.removeprefix(ours)
    return name


def modern(name: str) -> str:
    """Take from a name in a file what differs among writers: the prefix, and gamma and beta."""
    for old, new in _OLD_LEAVES.items():
        if name.endswith(old):
            name = name.removesuffix(old) + new
    return name.removeprefix(PREFIX)
