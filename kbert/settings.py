"""Settings of a fine-tuning run: complete defaults, overridden by YAML, then by the command line.

One frozen dataclass holds every setting: the command line (`kbert.flags`), recipes and the record
in the run folder are made from its fields, so they cannot drift apart. An unknown key
is an error that names the nearest known one. YAML is read by the safe loader: a recipe holds
values, never code.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kbert.columns import Task
from kbert.errors import SettingsError


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainSettings:
    """Everything a fine-tuning run depends on. Raises `SettingsError` for a value out of range."""

    kg: str = "none"
    max_facts: int = 2
    max_branches: int | None = None
    selection: Literal["first", "rare"] = "first"
    allow_relations: tuple[str, ...] = ()
    deny_relations: tuple[str, ...] = ()
    relation_text: bool = True
    min_name_length: int = 2
    stop_names: tuple[str, ...] = ()
    fold_case: bool = False
    nfkc: bool = False
    kg_on_error: Literal["fail", "skip"] = "fail"

    data: str = "sample"
    data_config: str | None = None
    task: Task = "classification"
    text_column: str = "text_a"
    pair_column: str = "text_b"
    label_column: str = "label"
    max_length: int = 256

    init: str = "none"
    vocab: str | None = None
    cased: bool = False
    layers: int = 2
    width: int = 128
    heads: int = 2
    feed_forward: int = 512
    dropout: float = 0.1

    epochs: int = 5
    batch_tokens: int = 4096
    learning_rate: float | None = None
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    seed: int = 1

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: int = 1
    precision: Literal["32", "bf16"] = "32"
    workers: int = 0
    output: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Check types and ranges once, where values come in."""
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            check = Value(field.name, hints[field.name])
            object.__setattr__(self, field.name, check.accept(getattr(self, field.name)))
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise SettingsError(f"{flag(name)} must be between {low} and {high}, was {value}")
        if self.init != "none":
            self._refuse_scratch_settings()
        if self.width % self.heads:
            raise SettingsError(
                f"--width must be a multiple of --heads, was {self.width} with {self.heads} heads"
            )

    def _refuse_scratch_settings(self) -> None:
        """Settings of an encoder from scratch would have no effect beside a pre-trained one."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        for name in ("vocab", "cased", "layers", "width", "heads", "feed_forward"):
            if getattr(self, name) != defaults[name]:
                raise SettingsError(
                    f"{flag(name)} is for an encoder from scratch; --init {self.init} has its own"
                )

    def to_mapping(self) -> dict[str, Any]:
        """List every setting as plain values, for YAML and JSON."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    def to_yaml(self) -> str:
        """Write a recipe that `--config` reads back to equal settings."""
        import yaml

        return str(yaml.safe_dump(self.to_mapping(), allow_unicode=True, sort_keys=False))


_RANGES: Mapping[str, tuple[float, float]] = {
    "max_facts": (0, 1000),
    "max_branches": (0, 10000),
    "min_name_length": (1, 1000),
    "max_length": (8, 100_000),
    "layers": (1, 1000),
    "width": (1, 100_000),
    "heads": (1, 1000),
    "feed_forward": (1, 1_000_000),
    "dropout": (0.0, 0.999),
    "epochs": (1, 100_000),
    "batch_tokens": (8, 100_000_000),
    "learning_rate": (0.0, 100.0),
    "warmup": (0.0, 1.0),
    "weight_decay": (0.0, 100.0),
    "clip": (0.0, 1e9),
    "seed": (0, 2**32 - 1),
    "devices": (1, 100_000),
    "workers": (0, 1000),
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
                return tuple(value)
            raise self._refuse("a list of texts", value)
        if self.kind is float and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if self.kind is float and isinstance(value, str) and re.fullmatch(r"[\d.]+e-?\d+", value):
            return float(value)  # YAML 1.1 reads 2e-5 as text
        if type(value) is not self.kind:
            raise self._refuse(
                {int: "a whole number", bool: "true or false"}.get(self.kind, "a text"), value
            )
        return value

    def _choose(self, value: Any, choices: Sequence[str]) -> Any:
        if value not in choices:
            raise self._refuse("one of " + ", ".join(choices), value)
        return value

    def _refuse(self, wanted: str, value: Any) -> SettingsError:
        return SettingsError(f"{flag(self.name)} must be {wanted}, was {value!r}")


def flag(name: str) -> str:
    """Spell a setting as its command line flag."""
    return "--" + name.replace("_", "-")


def settings_from(
    path: str | os.PathLike[str] | None, overrides: Mapping[str, Any]
) -> TrainSettings:
    """Merge defaults, a YAML recipe and overrides, in this order."""
    values = {} if path is None else read_recipe(path)
    return TrainSettings(**{**values, **overrides})


def read_recipe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a YAML recipe. `${NAME}` in a text is the environment variable NAME.

    Raises `SettingsError`, with the line where there is one, for anything but known keys.
    """
    import yaml

    try:
        content = yaml.safe_load(Path(path).read_bytes().decode("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8 at byte {error.start}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else f"{path}"
        raise SettingsError(f"{place}: not YAML: {getattr(error, 'problem', error)}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: a recipe is a list of `key: value` lines")
    known = [field.name for field in dataclasses.fields(TrainSettings)]
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SettingsError(f"{path}: unknown setting {key!r}{hint}")
    return {key: _expand(value, path) for key, value in content.items()}


def _expand(value: Any, path: str | os.PathLike[str]) -> Any:
    if not isinstance(value, str):
        return value

    def lookup(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise SettingsError(f"{path}: the environment variable {match[1]} is not set")
        return os.environ[match[1]]

    return re.sub(r"\$\{(\w+)\}", lookup, value)
