"""Settings of a fine-tuning run: complete defaults, overridden by YAML, then by the command line.

One frozen dataclass holds every setting: the command line (`kbert.flags`), recipes and the record
in the run folder are made from its fields, so they cannot drift apart. A setting that exists is
valid: types and ranges are checked when it is made. How a recipe is read stands in `kbert.recipes`.
"""

from __future__ import annotations

import dataclasses
import os
import re
import reprlib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from kbert.columns import Form
from kbert.errors import SettingsError
from kbert.knowledge_settings import KNOWLEDGE_RANGES, KnowledgeSettings
from kbert.recipes import merged, write_recipe
from kbert.schedules import Schedule

_SCRATCH_RATE, _PRETRAINED_RATE = 1e-3, 5e-5


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainSettings(KnowledgeSettings):
    """Everything a fine-tuning run depends on. Raises `SettingsError` for a value out of range."""

    data: str = "sample"
    data_config: str | None = None
    task: Form = "classification"
    text_column: str = "text_a"
    pair_column: str = "text_b"
    label_column: str = "label"
    max_length: int = 256

    dev_data: str | None = None
    test_data: str | None = None
    null_answers: bool = False
    null_threshold: float = 0.0
    answer_units: Literal["words", "characters"] = "words"
    window: int | None = None
    stride: int = 128
    max_question: int = 64
    max_answer: int = 30
    best_answers: int = 20

    init: str = "none"
    vocab: str | None = None
    cased: bool = False
    layers: int = 2
    width: int = 128
    heads: int = 2
    feed_forward: int = 512
    dropout: float = 0.1

    epochs: int = 10
    batch_tokens: int = 1024
    learning_rate: float | None = None
    schedule: Schedule = "linear"
    warmup: float = 0.1
    layer_decay: float = 1.0
    freeze_layers: int | None = None
    unfreeze_epochs: int = 0
    weight_decay: float = 0.01
    clip: float = 1.0
    seed: int = 1

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: int = 1
    precision: Literal["32", "bf16"] = "32"
    workers: int = 0
    checkpoint_steps: int = 0
    checkpoint_minutes: float = 10.0
    time_limit: float | None = None
    output: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Check types and ranges once, where values come in."""
        check_fields(self, _RANGES)
        if self.init != "none":
            self._refuse_scratch_settings()
        self._check_answering()
        if self.width % self.heads:
            raise SettingsError(
                f"--width must be a multiple of --heads, was {self.width} with {self.heads} heads"
            )

    def _refuse_scratch_settings(self) -> None:
        """Settings of an encoder from scratch would have no effect beside a pre-trained one."""
        for name in changed(self, ("vocab", "cased", "layers", "width", "heads", "feed_forward")):
            raise SettingsError(
                f"{flag(name)} is for an encoder from scratch; --init {self.init} has its own"
            )

    def _check_answering(self) -> None:
        """Settings of answers have no effect on labels, nor those of tables on answers."""
        if self.task != "qa":
            for name in changed(self, _ANSWERING):
                raise SettingsError(f"{flag(name)} is for --task qa, not for {self.task}")
            return
        for name in changed(self, _TABLES):
            raise SettingsError(f"{flag(name)} is for tables; --task qa reads SQuAD's JSON")
        length = self.max_length if self.window is None else self.window
        if length > self.max_length:
            raise SettingsError(
                f"--window {length} is longer than a sequence, --max-length {self.max_length}"
            )
        if self.max_question + 4 > length:
            raise SettingsError(
                f"--max-question must leave room for a window of the context: at most {length - 4}"
                f" of {length} tokens, was {self.max_question}"
            )
        if self.null_threshold and not self.null_answers:
            raise SettingsError("--null-threshold has no effect without --null-answers")

    def to_mapping(self) -> dict[str, Any]:
        """List every setting as plain values, for YAML and JSON."""
        return to_mapping(self)

    def to_yaml(self) -> str:
        """Write a recipe that `--config` reads back to equal settings."""
        return write_recipe(self.to_mapping())


_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
_POWER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+")  # YAML 1.1 reads 2e-5 as text

STOPPING_RANGES: Mapping[str, tuple[float, float]] = {
    "checkpoint_steps": (0, 1_000_000_000),
    "checkpoint_minutes": (0.0, 1e6),
    "time_limit": (0.0, 1e7),
}
_TABLES = ("data_config", "text_column", "pair_column", "label_column")
_ANSWERING = (
    "dev_data",
    "test_data",
    "null_answers",
    "null_threshold",
    "answer_units",
    "window",
    "stride",
    "max_question",
    "max_answer",
    "best_answers",
)
_RANGES: Mapping[str, tuple[float, float]] = {
    **KNOWLEDGE_RANGES,
    "max_length": (8, 100_000),
    "null_threshold": (-1e9, 1e9),
    "window": (8, 100_000),
    "stride": (1, 100_000),
    "max_question": (1, 100_000),
    "max_answer": (1, 10_000),
    "best_answers": (1, 1000),
    "layers": (1, 1000),
    "width": (1, 100_000),
    "heads": (1, 1000),
    "feed_forward": (1, 1_000_000),
    "dropout": (0.0, 0.999),
    "epochs": (1, 100_000),
    "batch_tokens": (8, 100_000_000),
    "learning_rate": (0.0, 100.0),
    "warmup": (0.0, 1.0),
    "layer_decay": (0.0, 1.0),
    "freeze_layers": (0, 1000),
    "unfreeze_epochs": (0, 100_000),
    "weight_decay": (0.0, 100.0),
    "clip": (0.0, 1e9),
    "seed": (0, 2**32 - 1),
    "devices": (1, 100_000),
    "workers": (0, 1000),
    **STOPPING_RANGES,
}


class Value:
    """Accept a value of one setting, or refuse it in one line."""

    def __init__(self, name: str, hint: Any) -> None:
        """Take a setting's name and its annotation."""
        self.name = name
        self.hint = hint
        options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        self.optional = type(None) in options
        self.kind = next(option for option in options if option is not type(None))

    def accept(self, value: Any) -> Any:
        """Return the value in its type; raises `SettingsError`."""
        if value is None and self.optional:
            return None
        choices = typing.get_args(self.kind) if typing.get_origin(self.kind) is Literal else ()
        if choices:
            return self._choose(str(value) if isinstance(value, int) else value, choices)
        if typing.get_origin(self.kind) is tuple:
            if isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
                return tuple(self._text(text) for text in value)
            raise self._refuse("a list of texts", value)
        if self.kind is float and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if self.kind is float and isinstance(value, str) and _POWER.fullmatch(value):
            return float(value)
        if type(value) is not self.kind:
            raise self._refuse(_KINDS[self.kind], value)
        return self._text(value) if isinstance(value, str) else value

    def _text(self, value: str) -> str:
        """Refuse what can be neither a file's name nor written down: bytes that are not UTF-8."""
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise self._refuse("a text in UTF-8", value)
        return value

    def _choose(self, value: Any, choices: Sequence[str]) -> Any:
        if value not in choices:
            raise self._refuse("one of " + ", ".join(choices), value)
        return value

    def _refuse(self, wanted: str, value: Any) -> SettingsError:
        return SettingsError(
            f"{flag(self.name)} must be {wanted}, was {reprlib.repr(value)}", setting=self.name
        )


def check_fields(settings: Any, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Check types and ranges of a frozen dataclass of settings, and keep what `Value` accepts.

    Raises `SettingsError`.
    """
    hints = typing.get_type_hints(type(settings))
    for field in dataclasses.fields(settings):
        check = Value(field.name, hints[field.name])
        object.__setattr__(settings, field.name, check.accept(getattr(settings, field.name)))
    for name, (low, high) in ranges.items():
        value = getattr(settings, name)
        if value is not None and not low <= value <= high:
            raise SettingsError(
                f"{flag(name)} must be between {low} and {high}, was {value}", setting=name
            )


def changed(settings: Any, names: Sequence[str]) -> list[str]:
    """Return those of `names` whose settings are not the defaults."""
    defaults = {field.name: field.default for field in dataclasses.fields(settings)}
    return [name for name in names if getattr(settings, name) != defaults[name]]


def to_mapping(settings: Any) -> dict[str, Any]:
    """List every setting as plain values, for YAML and JSON."""
    values = {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings)}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def flag(name: str) -> str:
    """Spell a setting as its command line flag."""
    return "--" + name.replace("_", "-")


def settings_from(
    path: str | os.PathLike[str] | None, overrides: Mapping[str, Any]
) -> TrainSettings:
    """Merge defaults, a YAML recipe and overrides, in this order. Raises `SettingsError`."""
    return merged(TrainSettings, path, overrides)


class Rated(Protocol):
    """Settings of a training from scratch, or from an encoder that is there."""

    @property
    def init(self) -> str:
        """A folder or hub id, or `none`."""

    @property
    def learning_rate(self) -> float | None:
        """The peak, if it is set."""


def peak_rate(settings: Rated, *, from_scratch: float = _SCRATCH_RATE) -> float:
    """Return the peak rate that is set, or else one that suits the encoder."""
    if settings.learning_rate is not None:
        return settings.learning_rate
    return from_scratch if settings.init == "none" else _PRETRAINED_RATE
