"""Settings of a training over triples: complete defaults, then YAML, then the command line.

As in `kbert.settings`, one frozen dataclass holds them all and is valid if it exists.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from kbert.errors import SettingsError
from kbert.recipes import merged, write_recipe
from kbert.schedules import Schedule
from kbert.settings import STOPPING_RANGES, changed, check_fields, flag, to_mapping
from kgbert.dataset import PARTS, Part
from kgbert.negatives import Method, Sides
from kgbert.ranks import TiePolicy
from kgbert.scores import ScoreKind
from kgbert.sequences import Form, Truncation
from kgbert.texts import OnMissing, TextMode

Task = Literal["triple-classification", "link-prediction", "relation-prediction"]
Chosen = Literal["best", "last"]
Known = Literal["train", "train-valid", "all"]

KNOWN_PARTS: Final[Mapping[Known, tuple[Part, ...]]] = {
    "train": ("train",),
    "train-valid": ("train", "valid"),
    "all": PARTS,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class KnowledgeTrainSettings:
    """Everything a training over triples depends on; raises `SettingsError` for a wrong value.

    With `original` settings that are at their defaults become those of yao8839836/kg-bert, and
    others that contradict it are refused.
    """

    dataset: str = "sample"
    task: Task = "link-prediction"
    texts: TextMode = "name"
    on_missing: OnMissing = "error"
    languages: tuple[str, ...] = ()
    valid_share: float = 0.1
    test_share: float = 0.1
    split_seed: int = 0
    train_share: float = 1.0
    max_length: int = 64

    negatives: int = 5
    negative_method: Method = "uniform"
    negative_sides: Sides = "both"
    negative_known: Known = "train"

    original: bool = False
    static_negatives: bool = False
    truncation: Truncation = "longest"
    score: ScoreKind = "difference"
    ties: TiePolicy = "realistic"
    keep: Chosen = "best"

    validation_triples: int = 500
    validation_candidates: int = 20

    init: str = "none"
    vocab: str | None = None
    cased: bool = False
    layers: int = 2
    width: int = 128
    heads: int = 2
    feed_forward: int = 512
    dropout: float = 0.1

    epochs: int = 10
    batch_size: int = 32
    learning_rate: float | None = None
    schedule: Schedule = "linear"
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    seed: int = 1

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
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
        if self.original:
            self._take_original()
        self._refuse_settings_without_effect()
        if self.valid_share + self.test_share >= 1:
            raise SettingsError("--valid-share and --test-share leave nothing to train on")
        if self.negative_method == "bernoulli" and self.negative_sides in ("head", "tail"):
            raise SettingsError(
                "--negative-method bernoulli draws the side, so it does not go with"
                f" --negative-sides {self.negative_sides}"
            )
        if self.width % self.heads:
            raise SettingsError(
                f"--width must be a multiple of --heads, was {self.width} with {self.heads} heads"
            )

    @property
    def form(self) -> Form:
        """How inputs are laid out: whole triples, or pairs whose relation is asked for."""
        return "pair" if self.task == "relation-prediction" else "triple"

    @property
    def devices(self) -> int:
        """Training over triples takes one device."""
        return 1

    def _take_original(self) -> None:
        """Take the original's choices. Raises `SettingsError` where one contradicts."""
        for name, value in _ORIGINAL.items():
            if self.form == "pair" and name not in _OF_PAIRS:
                continue
            if changed(self, [name]) and getattr(self, name) != value:
                raise _contradiction(name, getattr(self, name))
            object.__setattr__(self, name, value)

    def _refuse_settings_without_effect(self) -> None:
        if self.init != "none":
            self._refuse(_OF_SCRATCH, f"is for an encoder from scratch; --init {self.init} has its")
        if self.task == "relation-prediction":
            self._refuse(_OF_TRIPLES, "has no effect on --task relation-prediction")
        if self.task == "triple-classification":
            self._refuse(("validation_candidates",), "is for --task link-prediction")

    def _refuse(self, names: tuple[str, ...], why: str) -> None:
        for name in changed(self, names):
            raise SettingsError(f"{flag(name)} {why}" + (" own" if why.endswith("its") else ""))

    def to_mapping(self) -> dict[str, Any]:
        """List every setting as plain values, for YAML and JSON."""
        return to_mapping(self)

    def to_yaml(self) -> str:
        """Write a recipe that `--config` reads back to equal settings."""
        return write_recipe(self.to_mapping())


_OF_SCRATCH: Final = ("vocab", "cased", "layers", "width", "heads", "feed_forward")
_OF_TRIPLES: Final = (
    *("negatives", "negative_method", "negative_sides", "static_negatives", "truncation"),
    *("negative_known", "score", "validation_candidates"),
)
_SMALL: Final = ("sample", "none")  # data set, and encoder
_SMALL_EPOCHS: Final = 100
_ORIGINAL: Final[Mapping[str, Any]] = {
    "negative_sides": "one",
    "negative_known": "train",
    "static_negatives": True,
    "truncation": "original",
    "score": "logit1",
    "ties": "optimistic",
    "keep": "last",
}
_OF_PAIRS: Final = ("ties", "keep")
_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "valid_share": (0.0, 0.9),
    "test_share": (0.0, 0.9),
    "split_seed": (0, 2**32 - 1),
    "train_share": (1e-6, 1.0),
    "max_length": (7, 100_000),
    "negatives": (1, 10_000),
    "validation_triples": (0, 100_000_000),
    "validation_candidates": (1, 100_000_000),
    "layers": (1, 1000),
    "width": (1, 100_000),
    "heads": (1, 1000),
    "feed_forward": (1, 1_000_000),
    "dropout": (0.0, 0.999),
    "epochs": (1, 100_000),
    "batch_size": (1, 1_000_000),
    "learning_rate": (0.0, 100.0),
    "warmup": (0.0, 1.0),
    "weight_decay": (0.0, 100.0),
    "clip": (0.0, 1e9),
    "seed": (0, 2**32 - 1),
    "workers": (0, 1000),
    **STOPPING_RANGES,
}


def settings_from(
    path: str | os.PathLike[str] | None, overrides: Mapping[str, Any]
) -> KnowledgeTrainSettings:
    """Merge defaults, a YAML recipe and overrides, in this order. Raises `SettingsError`.

    The packaged sample, learnt from scratch, takes more epochs where neither they nor a recipe are
    given: it is so small that 10 are over before anything is learnt.
    """
    found = merged(KnowledgeTrainSettings, path, overrides)
    if path is None and "epochs" not in overrides and (found.dataset, found.init) == _SMALL:
        found = replace(found, epochs=_SMALL_EPOCHS)
    for name in found.original * [*_ORIGINAL]:
        # A default that was asked for is a choice; to the settings themselves it looks like none.
        if name in overrides and overrides[name] != getattr(found, name):
            raise _contradiction(name, overrides[name])
    return found


def _contradiction(name: str, chosen: Any) -> SettingsError:
    value = _ORIGINAL[name]
    spelled = "" if value is True else f" {value}"
    return SettingsError(
        f"{flag(name)} {chosen} contradicts --original, which is {flag(name)}{spelled}; leave one"
        " of them out"
    )


def original_choices(settings: KnowledgeTrainSettings) -> dict[str, Any]:
    """List the settings that `--original` decides, as they are here."""
    return {
        name: value for name, value in dataclasses.asdict(settings).items() if name in _ORIGINAL
    }
