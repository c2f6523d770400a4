"""Settings of a pre-training run: complete defaults, overridden by YAML, then by the command line.

As in `kbert.settings`, one frozen dataclass holds them all and is valid if it exists.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from kbert.errors import SettingsError
from kbert.knowledge_settings import KNOWLEDGE_RANGES, KnowledgeSettings
from kbert.recipes import merged, write_recipe
from kbert.settings import STOPPING_RANGES, changed, check_fields, flag, to_mapping

_PHASE: Final = re.compile(r"([1-9]\d{0,8})x([1-9]\d{0,5})", re.ASCII)
_SHORTEST, _LONGEST = 8, 1 << 16


class Phase(NamedTuple):
    """A part of the training: so many optimiser steps on sequences of at most `max_length`."""

    steps: int
    max_length: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PretrainSettings(KnowledgeSettings):
    """Everything a pre-training run depends on. Raises `SettingsError` for a value out of range."""

    corpus: str | None = None
    texts: tuple[str, ...] = ()
    lines: Literal["paragraph", "sentence"] = "paragraph"
    text_column: str = "text"
    vocab: str | None = None
    vocab_size: int = 8192
    cased: bool = False
    held_out: float = 0.01
    relation: Literal["nsp", "sop", "nsp3", "none"] = "nsp"
    short_probability: float = 0.1
    google_quirks: bool = False
    packing: bool = True

    max_fact_share: float = 0.5
    mask_where: Literal["trunk", "tails", "both"] = "trunk"

    unit: Literal["piece", "word", "entity"] = "piece"
    spans: Literal["one", "geometric", "inverse", "poisson"] = "one"
    mask_rate: float = 0.15
    max_predictions: int | None = None
    mask_share: float = 0.8
    random_share: float = 0.1
    replace_per: Literal["piece", "span"] = "piece"
    dupe_factor: int | None = None

    masked_weight: float = 1.0
    relation_weight: float = 1.0
    boundary_weight: float = 0.0
    causal_share: float = 0.0
    causal_weight: float = 1.0

    init: str = "none"
    layers: int = 2
    width: int = 128
    heads: int = 2
    feed_forward: int = 512
    dropout: float = 0.1

    phases: tuple[str, ...] = ("1000x128",)
    batch_tokens: int = 4096
    accumulate: int = 1
    learning_rate: float = 1e-4
    warmup: float = 0.01
    schedule: Literal["linear", "cosine"] = "linear"
    weight_decay: float = 0.01
    beta2: float = 0.999
    epsilon: float = 1e-6
    clip: float = 1.0
    seed: int = 1

    log_every: int = 100
    validate_every: int = 1000
    validation_batches: int = 50
    samples: int = 4
    tensorboard: bool = False

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: int = 1
    strategy: Literal["ddp", "fsdp"] = "ddp"
    precision: Literal["32", "bf16"] = "32"
    compile: bool = False
    checkpoint_layers: bool = False
    peak_tflops: float | None = None
    workers: int = 0
    checkpoint_steps: int = 0
    checkpoint_minutes: float = 10.0
    time_limit: float | None = None
    output: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Check types and ranges once, where values come in."""
        check_fields(self, _RANGES)
        if (self.corpus is None) == (not self.texts):
            raise SettingsError("name either --corpus FOLDER or --texts FILE …, one of the two")
        self._refuse_settings_without_effect()
        if self.mask_share + self.random_share > 1 + 1e-9:
            raise SettingsError("--mask-share and --random-share add up to more than 1")
        weights = [self.masked_weight, self.boundary_weight] if self.causal_share < 1 else []
        weights += [self.causal_weight] if self.causal_share > 0 else []
        if not any(weights) and (self.relation == "none" or not self.relation_weight):
            raise SettingsError("all objectives have a weight of 0: nothing would be learnt")
        if self.width % self.heads:
            raise SettingsError(
                f"--width must be a multiple of --heads, was {self.width} with {self.heads} heads"
            )
        longest = max(phase.max_length for phase in self.plan)
        if self.batch_tokens < longest:
            raise SettingsError(
                f"--batch-tokens {self.batch_tokens} has no room for a sequence of {longest}"
            )

    def _refuse_settings_without_effect(self) -> None:
        """Refuse what another setting makes idle."""
        if self.corpus is not None:
            self._refuse(
                ("lines", "text_column", "vocab", "vocab_size", "cased"),
                "is for --texts; the corpus was made with its own",
            )
        if self.init != "none":
            self._refuse(
                ("vocab", "vocab_size", "cased", "layers", "width", "heads", "feed_forward"),
                f"is for an encoder from scratch; --init {self.init} has its own",
            )
        if self.vocab is not None:
            self._refuse(("vocab_size",), "is for a learnt vocabulary; --vocab has its own")
        self._refuse_without_facts()
        if self.relation == "none":
            self._refuse(
                ("short_probability", "relation_weight"),
                "is for pairs of sentences; with --relation none there are none",
            )
        if self.devices == 1:
            self._refuse(("strategy",), "is for several --devices; here is one")
        if self.strategy == "fsdp":
            self._refuse(("compile",), "does not go with --strategy fsdp")
        if self.spans == "one" and self.unit == "piece":
            self._refuse(("replace_per",), "is for words or spans; here each piece is alone")
        self._refuse_for_causal_share()

    def _refuse_for_causal_share(self) -> None:
        """Refuse what has no effect where no sequence, or every one, is read left to right."""
        if self.causal_share == 0:
            self._refuse(("causal_weight",), "is for --causal-share; here nothing is causal")
        if self.causal_share == 1:
            self._refuse(_OF_MASKS, "is for masked sequences; --causal-share 1 leaves none")
            if self.relation != "none":
                raise SettingsError(
                    "--causal-share 1 needs --relation none: there [CLS], which would tell the"
                    " relation, sees itself alone"
                )

    def _refuse_without_facts(self) -> None:
        """Refuse what needs a graph, and what it cannot be joined with."""
        if self.kg == "none":
            self._refuse(("mask_where",), "is about the facts of a graph; name one with --kg")
            if self.unit == "entity":
                raise SettingsError("--unit entity: name the graph of the entities with --kg")
        if self.mask_where != "trunk" and not self.max_facts:
            raise SettingsError(f"--mask-where {self.mask_where}: --max-facts 0 leaves no facts")
        if self.mask_where != "trunk" and self.boundary_weight:
            raise SettingsError(
                f"--boundary-weight does not go with --mask-where {self.mask_where}: no token"
                " follows the tail of a fact"
            )
        if self.kg != "none" and self.causal_share:
            raise SettingsError(
                "--causal-share does not go with --kg: a fact in the midst of a sentence has no"
                " next token"
            )

    def _refuse(self, names: tuple[str, ...], why: str) -> None:
        for name in changed(self, names):
            raise SettingsError(f"{flag(name)} {why}")

    @property
    def plan(self) -> tuple[Phase, ...]:
        """The phases as numbers. Raises `SettingsError` for one that is not STEPSxLENGTH."""
        found = []
        for text in self.phases:
            match = _PHASE.fullmatch(text)
            if match is None or not _SHORTEST <= int(match[2]) <= _LONGEST:
                raise SettingsError(
                    f"--phases must be STEPSxLENGTH, such as 900x128, with lengths from"
                    f" {_SHORTEST} to {_LONGEST}; was {text!r}"
                )
            found.append(Phase(int(match[1]), int(match[2])))
        if not found:
            raise SettingsError("--phases names no phase; say for example 1000x128")
        return tuple(found)

    @property
    def total_steps(self) -> int:
        """Optimiser steps of all phases."""
        return sum(phase.steps for phase in self.plan)

    def to_mapping(self) -> dict[str, Any]:
        """List every setting as plain values, for YAML and JSON."""
        return to_mapping(self)

    def to_yaml(self) -> str:
        """Write a recipe that `--config` reads back to equal settings."""
        return write_recipe(self.to_mapping())


_OF_MASKS: Final = (
    *("unit", "spans", "mask_rate", "max_predictions", "mask_share", "random_share"),
    *("replace_per", "dupe_factor", "google_quirks", "masked_weight", "boundary_weight"),
)
_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    **KNOWLEDGE_RANGES,
    "vocab_size": (16, 1_000_000),
    "held_out": (0.0, 0.5),
    "short_probability": (0.0, 1.0),
    "mask_rate": (1e-6, 1.0),
    "max_predictions": (1, 65536),
    "mask_share": (0.0, 1.0),
    "random_share": (0.0, 1.0),
    "dupe_factor": (1, 1_000_000),
    "masked_weight": (0.0, 1e6),
    "relation_weight": (0.0, 1e6),
    "boundary_weight": (0.0, 1e6),
    "causal_share": (0.0, 1.0),
    "causal_weight": (0.0, 1e6),
    "layers": (1, 1000),
    "width": (1, 100_000),
    "heads": (1, 1000),
    "feed_forward": (1, 1_000_000),
    "dropout": (0.0, 0.999),
    "batch_tokens": (8, 100_000_000),
    "accumulate": (1, 100_000),
    "learning_rate": (0.0, 100.0),
    "warmup": (0.0, 1.0),
    "weight_decay": (0.0, 100.0),
    "beta2": (0.0, 0.999999),
    "epsilon": (1e-12, 1.0),
    "clip": (0.0, 1e9),
    "seed": (0, 2**32 - 1),
    "log_every": (1, 1_000_000),
    "validate_every": (1, 100_000_000),
    "validation_batches": (1, 1_000_000),
    "samples": (0, 1000),
    "devices": (1, 100_000),
    "peak_tflops": (1e-6, 1e9),
    "workers": (0, 1000),
    **STOPPING_RANGES,
}


def settings_from(
    path: str | os.PathLike[str] | None, overrides: Mapping[str, Any]
) -> PretrainSettings:
    """Merge defaults, a YAML recipe and overrides, in this order. Raises `SettingsError`."""
    return merged(PretrainSettings, path, overrides)
