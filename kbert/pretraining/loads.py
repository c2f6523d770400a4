"""How much a pre-training puts into memory at once, and whether there is room for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kbert.footprint import Load
from kbert.preflight import check_training

if TYPE_CHECKING:
    from kbert.nn import LanguageModel
    from kbert.pretraining.settings import PretrainSettings


def load_of(settings: PretrainSettings) -> Load:
    """Describe the largest micro-batch of all phases, with the tokens that are predicted in it."""
    share = settings.mask_rate * (1 - settings.causal_share) + settings.causal_share
    return Load(
        slots=settings.batch_tokens,
        length=max(phase.max_length for phase in settings.plan),
        named=round(share * settings.batch_tokens),
        bf16=settings.precision == "bf16",
    )


def check_room(settings: PretrainSettings, network: LanguageModel, *, output: Path) -> None:
    """Refuse what neither disk nor memory has room for. Raises `RunError` and `SettingsError`.

    Layers that are computed again in the backward pass keep less than is estimated here.
    """
    check_training(
        network,
        network.encoder.config,
        load_of(settings),
        wish=settings,
        output=output,
        shards=settings.devices if settings.strategy == "fsdp" else 1,
    )
