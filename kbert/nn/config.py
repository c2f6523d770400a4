"""The sizes and rates of an encoder, and their names in a Hugging Face `config.json`.

The defaults are those of BERT-base. A configuration that exists is valid: it is checked when it
is made. Variants of BERT that this encoder does not compute (another activation, relative
positions, a decoder) are refused, for their weights would load and mean something else.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from kbert.errors import CheckpointError, SettingsError
from kbert.nn.folder import CONFIG, read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

# Our field names and those of transformers' BertConfig.
_NAMES = {
    "vocab_size": "vocab_size",
    "width": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "feed_forward": "intermediate_size",
    "max_positions": "max_position_embeddings",
    "segment_types": "type_vocab_size",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "layer_norm_eps": "layer_norm_eps",
    "pad_id": "pad_token_id",
    "initializer_std": "initializer_range",
}
# What a config.json may leave out is what transformers fills in with the values that we have.
_REQUIRED = ("vocab_size", "width", "layers", "heads", "feed_forward")
_COUNTS = (*_REQUIRED, "max_positions", "segment_types", "pad_id")
# Far above what any BERT has; a file that asks for more would fill memory before it is found out.
_MOST = {
    "vocab_size": 1 << 26,
    "width": 1 << 15,
    "layers": 1 << 9,
    "heads": 1 << 12,
    "feed_forward": 1 << 18,
    "max_positions": 1 << 22,
    "segment_types": 1 << 12,
}
# The one value of each that this encoder computes; absent means that value.
_FIXED = {
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
}


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Hold the sizes and rates of a post-layer-norm BERT encoder.

    Raises:
        SettingsError: a size is not a positive whole number, or beyond all that can be computed,
            `heads` does not divide `width`,
            `pad_id` is not in the vocabulary, or a rate is out of range.
    """

    vocab_size: int
    width: int = 768
    layers: int = 12
    heads: int = 12
    feed_forward: int = 3072
    max_positions: int = 512
    segment_types: int = 2
    dropout: float = 0.1
    attention_dropout: float = 0.1
    layer_norm_eps: float = 1e-12
    pad_id: int = 0
    initializer_std: float = 0.02

    def __post_init__(self) -> None:
        """Check every field."""
        for field in fields(self):
            _check_number(field.name, getattr(self, field.name))
        for name in ("dropout", "attention_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingsError(f"{name} is {getattr(self, name)}; expected 0 <= {name} < 1")
        for name in ("layer_norm_eps", "initializer_std"):
            if not 0 < getattr(self, name) < 1:
                raise SettingsError(f"{name} is {getattr(self, name)}; expected 0 < {name} < 1")
        if self.width % self.heads:
            raise SettingsError(
                f"width {self.width} cannot be shared among {self.heads} heads; "
                "choose a width that is a multiple of heads"
            )
        if self.pad_id >= self.vocab_size:
            raise SettingsError(
                f"pad_id is {self.pad_id}; expected less than vocab_size, {self.vocab_size}"
            )

    def to_hugging_face(self) -> dict[str, object]:
        """Return the entries of a `config.json` that describe this encoder."""
        entries: dict[str, object] = {"model_type": "bert"}
        entries |= {theirs: getattr(self, ours) for ours, theirs in _NAMES.items()}
        return entries | {
            "hidden_act": "gelu",
            "position_embedding_type": "absolute",
        }

    @classmethod
    def from_folder(cls, folder: str | Path) -> EncoderConfig:
        """Read the `config.json` of a model folder; raises `CheckpointError` where it cannot."""
        file = Path(folder) / CONFIG
        return cls.from_hugging_face(read_json(file), file=file)

    @classmethod
    def from_hugging_face(cls, mapping: Mapping[str, object], *, file: str | Path) -> EncoderConfig:
        """Read the entries of a `config.json`; `file` is named in errors.

        Raises:
            CheckpointError: the model is not a BERT, or is one that this encoder does not compute.
        """
        if mapping.get("model_type") != "bert":
            raise CheckpointError(
                f"{file}: model_type is {mapping.get('model_type')!r}; only 'bert' can be loaded"
            )
        for name, value in _FIXED.items():
            if mapping.get(name, value) != value:
                raise CheckpointError(
                    f"{file}: {name} is {mapping[name]!r}; only {value!r} is supported"
                )
        given = {ours: mapping[theirs] for ours, theirs in _NAMES.items() if theirs in mapping}
        for ours in _REQUIRED:
            if ours not in given:
                raise CheckpointError(f"{file}: {_NAMES[ours]} is missing")
        try:
            return cls(**given)  # type: ignore[arg-type]  # checked in __post_init__
        except SettingsError as error:
            raise CheckpointError(f"{file}: {error}") from None


def _check_number(name: str, value: object) -> None:
    """Refuse what is not a number of the field's kind, for values may come from a file."""
    if name in _COUNTS:
        least = 0 if name == "pad_id" else 1
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise SettingsError(f"{name} is {value!r}; expected a whole number from {least} up")
        if value > _MOST.get(name, value):
            raise SettingsError(f"{name} is {_shown(value)}; at most {_MOST[name]} is possible")
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise SettingsError(f"{name} is {value!r}; expected a number")


def _shown(value: int) -> str:
    """Write a number that may have more digits than Python writes."""
    return str(value) if value.bit_length() < 64 else f"a number of {value.bit_length()} bits"
