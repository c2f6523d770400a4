"""Small networks over small tables of texts, for tests of scoring and ranking."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from kbert.nn.config import EncoderConfig
from kbert.nn.encoder import Encoder
from kgbert.network import TripleNetwork
from kgbert.pieces import Pieces
from kgbert.sequences import Form, Sequences

VOCABULARY = 80


def network(
    *,
    labels: int = 2,
    width: int = 32,
    layers: int = 2,
    vocabulary: int = VOCABULARY,
    seed: int = 0,
    std: float = 0.15,
) -> TripleNetwork:
    """Draw every weight, so that different triples have clearly different logits."""
    config = EncoderConfig(
        vocab_size=vocabulary, width=width, layers=layers, heads=4, feed_forward=2 * width,
        max_positions=64,
    )  # fmt: skip
    made = TripleNetwork(Encoder(config), labels=labels)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            weight.normal_(mean=float("norm.weight" in name), std=std, generator=draw)
    return made.eval()


def pieces(rows: list[list[int]]) -> Pieces:
    """Make a table of given pieces; equal rows share one stretch, as in `Pieces.from_texts`."""
    distinct: dict[tuple[int, ...], int] = {}
    numbers = [distinct.setdefault(tuple(row), len(distinct)) for row in rows]
    lengths = np.array([len(row) for row in distinct], dtype=np.int32)
    starts = np.append(0, np.cumsum(lengths))[:-1].astype(np.int64)
    return Pieces(
        token_ids=np.array([each for row in distinct for each in row], dtype=np.int32),
        starts=starts[numbers],
        lengths=lengths[numbers],
        distinct=np.array(numbers, dtype=np.int32),
    )


def texts(count: int, *, seed: int, longest: int = 6, repeat: float = 0.2) -> Pieces:
    """Draw texts of 1 to `longest` pieces, some of them equal to an earlier one."""
    generator = np.random.default_rng(seed)
    rows: list[list[int]] = []
    for _ in range(count):
        if rows and generator.random() < repeat:
            rows.append(rows[int(generator.integers(len(rows)))])
        else:
            size = int(generator.integers(1, longest + 1))
            rows.append(generator.integers(5, VOCABULARY, size).tolist())
    return pieces(rows)


def sequences(
    *, entities: int = 40, relations: int = 5, max_length: int = 16, form: Form = "triple"
) -> Sequences:
    return Sequences.build(
        entities=texts(entities, seed=1), relations=texts(relations, seed=2, repeat=0.0),
        max_length=max_length, cls_id=2, sep_id=3, form=form,
    )  # fmt: skip


def triples(
    count: int, *, entities: int = 40, relations: int = 5, seed: int = 3
) -> NDArray[np.int32]:
    generator = np.random.default_rng(seed)
    columns = [generator.integers(0, size, count) for size in (entities, relations, entities)]
    return np.stack(columns, axis=1).astype(np.int32)
