"""The ways to fine-tune that `benchmarks.finetune_step` compares.

Ours: batches of like length under a token budget, visibility in a few integers a token. The peers
are transformers' BERT, padded as the original K-BERT pads: every sentence to one length, once with
K-BERT's input and the dense visible matrix, which becomes an additive mask of 0 and -10000 in
every step; once with the sentence alone and the usual padding mask. Weights are copied from ours,
so ours and the first peer compute the same function, which is checked.
"""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from kbert.batch import Batch
from kbert.nn import Classifier
from kbert.nn.checkpoint import save
from kbert.tree import SentenceTree

OURS: Final = "ours, HowNet"
PEER: Final = "transformers, HowNet"
PLAIN: Final = "transformers, no graph"
PEER_BATCH: Final = 32

Logits = Callable[[nn.Module, Sequence[int]], Tensor]


class Contender(NamedTuple):
    """One way to train: `logits` (B, C) of a network and some sentences, for each of `steps`."""

    name: str
    network: nn.Module
    logits: Logits
    steps: Sequence[tuple[int, ...]]
    tokens: int
    slots: int

    @property
    def padding_share(self) -> float:
        """Say which share of the token slots is padding."""
        return 1.0 - self.tokens / self.slots


def contenders(
    network: Classifier,
    trees: Sequence[SentenceTree],
    bare: Sequence[SentenceTree],
    *,
    plan: Sequence[tuple[int, ...]],
    length: int,
    pad_id: int,
) -> list[Contender]:
    """Make the three ways; `bare` are the trees of the same sentences without a graph.

    The peers pad to `length`, ours takes the batches of `plan`. Raises `RuntimeError` if ours
    and the first peer do not compute the same logits.
    """
    device = next(network.parameters()).device
    peer = _transformers_copy(network).to(device)
    rows = range(len(trees))
    steps = [tuple(rows[start : start + PEER_BATCH]) for start in rows[::PEER_BATCH]]
    slots = len(trees) * length
    ways = [
        _ours(network, trees, plan=plan, pad_id=pad_id),
        Contender(
            PEER,
            peer,
            _padded_trees(trees, length=length, pad_id=pad_id, device=device),
            steps,
            sum(map(len, trees)),
            slots,
        ),
        Contender(
            PLAIN,
            copy.deepcopy(peer),
            _padded_text(bare, length=length, pad_id=pad_id, device=device),
            steps,
            sum(map(len, bare)),
            slots,
        ),
    ]
    check_equal(ways[0], ways[1], rows=rows[:8])
    return ways


def _ours(
    network: Classifier,
    trees: Sequence[SentenceTree],
    *,
    plan: Sequence[tuple[int, ...]],
    pad_id: int,
) -> Contender:
    arrays = [tree.array() for tree in trees]
    lengths = [len(tree) for tree in trees]
    device = next(network.parameters()).device

    def logits(network: nn.Module, rows: Sequence[int]) -> Tensor:
        batch = Batch.from_arrays([arrays[row] for row in rows], pad_id=pad_id).to(device)
        found: Tensor = network(
            batch.token_ids,
            positions=batch.positions,
            segments=batch.segments,
            visibility=batch.visibility,
        )
        return found

    slots = sum(len(rows) * max(lengths[row] for row in rows) for rows in plan)
    return Contender(OURS, network, logits, plan, sum(lengths), slots)


def _transformers_copy(network: Classifier) -> nn.Module:
    """Return transformers' `BertForSequenceClassification` with the weights of ours."""
    from transformers import BertForSequenceClassification

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save(network, folder)
        peer: nn.Module = BertForSequenceClassification.from_pretrained(Path(folder))
    return peer


def _padded_trees(
    trees: Sequence[SentenceTree], *, length: int, pad_id: int, device: torch.device
) -> Logits:
    """Keep padded ids and positions (N, L) and visible matrices (N, L, L); padding sees nothing."""
    shape = (len(trees), length)
    ids, positions = np.full(shape, pad_id), np.full(shape, length - 1)
    visible = np.zeros((*shape, length), dtype=np.bool_)
    for row, tree in enumerate(trees):
        ids[row, : len(tree)] = tree.token_ids
        positions[row, : len(tree)] = tree.soft_positions
        visible[row, : len(tree), : len(tree)] = tree.visible()
    all_ids, all_positions, all_visible = map(torch.from_numpy, (ids, positions, visible))

    def logits(network: nn.Module, rows: Sequence[int]) -> Tensor:
        chosen = list(rows)
        mask = (1.0 - all_visible[chosen].to(device).unsqueeze(1).float()) * -10000.0
        found: Tensor = network(
            input_ids=all_ids[chosen].to(device),
            position_ids=all_positions[chosen].to(device),
            attention_mask=mask,
        ).logits
        return found

    return logits


def _padded_text(
    trees: Sequence[SentenceTree], *, length: int, pad_id: int, device: torch.device
) -> Logits:
    """Keep padded ids (N, L) of trees without branches, and which of them are tokens."""
    ids = np.full((len(trees), length), pad_id)
    for row, tree in enumerate(trees):
        ids[row, : len(tree)] = tree.token_ids
    lengths = torch.tensor([len(tree) for tree in trees])
    all_ids, present = torch.from_numpy(ids), (torch.arange(length) < lengths[:, None]).long()

    def logits(network: nn.Module, rows: Sequence[int]) -> Tensor:
        chosen = list(rows)
        found: Tensor = network(
            input_ids=all_ids[chosen].to(device), attention_mask=present[chosen].to(device)
        ).logits
        return found

    return logits


@torch.no_grad()
def check_equal(ours: Contender, peer: Contender, *, rows: Sequence[int]) -> None:
    """Raise `RuntimeError` unless both compute the same logits for some different sentences.

    Fresh weights are so small that logits hardly depend on the input; copies with larger ones do.
    """
    first, second = (way.logits(_enlarged(way.network), rows) for way in (ours, peer))
    gap, spread = float((first - second).abs().max()), float(first.std(dim=0).max())
    if not gap < 0.001 * spread:
        raise RuntimeError(
            f"ours and transformers' differ: their logits are {gap:g} apart, sentences {spread:g}"
        )


def _enlarged(network: nn.Module) -> nn.Module:
    """Copy a network, with every matrix ten times as large, for evaluation."""
    copied = copy.deepcopy(network).eval()
    for weight in copied.parameters():
        if weight.ndim > 1:
            weight.mul_(10)
    return copied
