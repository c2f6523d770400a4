"""How long whole test sets take on a GPU: operations, by an assumed or a measured rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from benchmarks.data import part_of
from benchmarks.encoder_flops import flops, whole_ranking
from benchmarks.ranking_settings import Setting, laid_out, timed
from benchmarks.report import table
from kbert.nn.config import EncoderConfig
from kbert.pretraining.flops import known_peak
from kgbert.data import load_data
from kgbert.dataset import PARTS
from kgbert.engine import ScoringEngine
from kgbert.groups import SIDES
from kgbert.queries import Queries

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from kbert.tokenizer import Tokenizer
    from kgbert.texts import TextMode

GPU: Final = "H200"
PEAK: Final = known_peak(GPU, precision="bf16") or math.nan  # operations a second
SHARES: Final = (0.4, 0.6)  # of the peak, assumed
WHOLE: Final[dict[str, tuple[TextMode, int]]] = {
    "UMLS": ("name", 15),
    "WN18RR": ("both", 50),
    "FB15k-237": ("name", 64),
    "FB15k-237 descriptions": ("description", 150),
}
_ROWS: Final = 1 << 18


def estimates(folder: Path, tokenizer: Tokenizer) -> dict[str, Any]:
    """Count the operations of whole test sets with BERT-base, and the hours that they stand for."""
    config = EncoderConfig(vocab_size=len(tokenizer))
    found: dict[str, Any] = {}
    for name, (texts, max_length) in WHOLE.items():
        data = load_data(part_of(folder, name.split()[0]), texts=texts, on_missing="id")
        queries = Queries.plan(
            data.test, sides=SIDES, known=data.filter(*PARTS), entities=len(data.entities)
        )
        asked = queries.members[queries.offsets[:-1]]
        content: dict[str, Any] = whole_ranking(
            data,
            laid_out(data, tokenizer, max_length=max_length),
            config,
            queries=queries.triples[asked],
            columns=np.where(queries.sides[asked] == 0, 0, 2),
        )
        content |= {"texts": texts, "max_length": max_length, "queries": len(queries)}
        padded = 2 * len(data.test) * len(data.entities)
        content["flops_original"] = padded * float(flops(max_length, config, first_only=False))
        content["hours"] = {
            f"{share:.0%} of the peak": content["flops"] / (share * PEAK) / 3600 for share in SHARES
        }
        found[name] = content
    return found


def throughput(setting: Setting, *, seconds: float) -> dict[str, float | None]:
    """Score candidates in bf16 for about so long; return the rate in operations a second."""
    engine = ScoringEngine(
        setting.network, setting.sequences, precision="bf16", batch_tokens=setting.batch_tokens
    )
    draw, spent, operations = np.random.default_rng(1), 0.0, 0.0
    engine.logits(_drawn(setting, draw=draw))  # warms up
    while spent < seconds:
        some = _drawn(setting, draw=draw)
        took, _ = timed(partial(engine.logits, some), device=setting.device)
        _, first = np.unique(setting.sequences.identities(some), return_index=True)
        lengths = setting.sequences.lengths(some[first])
        operations += float(flops(lengths, setting.network.encoder.config, first_only=True).sum())
        spent += took
    rate = operations / spent
    name = torch.cuda.get_device_name() if setting.device == "cuda" else ""
    peak = known_peak(name, precision="bf16")
    return {"flops_per_second": rate, "share_of_peak": None if peak is None else rate / peak}


def _drawn(setting: Setting, *, draw: np.random.Generator) -> NDArray[np.integer]:
    """Draw candidates for the tails of test triples."""
    some = np.resize(setting.data.test, (_ROWS, 3)).copy()
    some[:, 2] = draw.integers(0, len(setting.data.entities), _ROWS)
    return some


def estimates_table(found: Mapping[str, Any]) -> str:
    """Draw a row a test set."""
    hours = list(next(iter(found.values()))["hours"])
    rows = [
        ("whole test set, BERT-base", "inputs", "FLOP", "original", *(f"h at {h}" for h in hours))
    ]
    for name, each in found.items():
        cells = f"{each['inputs']:.3g}", f"{each['flops']:.3g}", f"{each['flops_original']:.3g}"
        rows.append((name, *cells, *(f"{each['hours'][h]:.3f}" for h in hours)))
    return table(rows)
