"""The ways to pre-train that `benchmarks.pretraining_step` compares, on the same masked sequences.

The peer is transformers' `BertForPreTraining`, or `BertForMaskedLM` where there is no relation of
sentences, with SDPA: sequences in random order, padded to the longest of their batch, every place
decoded. Ours comes in three steps: the same batches and work, then decoding what is to be predicted
alone, then packed rows. All start from the same weights and give the same losses, which is checked.
"""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.pretraining_corpora import Drawing
from benchmarks.pretraining_tables import DENSE, OURS, PADDED, PEER
from kbert.nn import Encoder, EncoderConfig, LanguageModel
from kbert.nn.checkpoint import save
from kbert.pretraining.objectives import Losses, PretrainingModel, Weights
from kbert.pretraining.rows import MicroBatch
from kbert.pretraining.targets import IGNORED

Loss = Callable[[nn.Module, MicroBatch], Tensor]
CLOSE: Final = 1e-4  # relative; single precision, sums of thousands of terms
_ENLARGED: Final = 4.0


class Mismatch(Exception):
    """Two contenders do not compute the same."""


@dataclass(frozen=True)
class Contender:
    """One way to train: the `loss` of a network for each of `steps`."""

    name: str
    network: nn.Module
    loss: Loss
    steps: Sequence[MicroBatch]

    def of_one_shape(self) -> Contender:
        """Leave out batches with fewer rows than the first; what is compiled is of one shape."""
        shape = self.steps[0].inputs.token_ids.shape
        return replace(self, steps=[s for s in self.steps if s.inputs.token_ids.shape == shape])

    @property
    def tokens(self) -> int:
        """Count the tokens of a round, without padding."""
        return sum(step.tokens for step in self.steps)

    @property
    def slots(self) -> int:
        """Count the places of a round, padding included."""
        return sum(step.slots for step in self.steps)

    def compile(self, backend: str) -> None:
        """Compile what computes: ours as `kbert.pretrain` does, the peer as a whole."""
        inner = getattr(self.network, "network", None)
        part = self.network if inner is None else inner.encoder
        part.compile(dynamic=False, backend=backend)


def draw_steps(
    draw: Drawing, *, batches: int, seed: int
) -> tuple[list[MicroBatch], list[MicroBatch]]:
    """Draw so many packed batches of an epoch; return their sequences padded, and those batches.

    A padded batch has as many rows as a packed one, of sequences in random order. It is as long as
    its longest sequence, or, where all batches are to have one shape, as a row.
    """
    sampler, random = draw.sampler, np.random.default_rng(seed)
    epoch = sampler.epoch(0)
    size, length = max(1, sampler.batch_tokens // sampler.max_length), sampler.max_length
    whole = max(1, len(epoch.batches) - 1)  # the last one may not be full
    chosen = random.permutation(whole)[:batches].tolist()
    packed = [sampler.micro_batch(epoch, index, make=draw.make) for index in chosen]
    order = random.permutation(np.concatenate([epoch.batches[index].numbers for index in chosen]))
    padded = []
    for begin in range(0, len(order), size):
        numbers = order[begin : begin + size]
        longest = length if sampler.full_batches else int(epoch.pairs.take(numbers).lengths.max())
        rows = [(number,) for number in numbers.tolist()]
        padded.append(draw.make(epoch.pairs, rows, epoch=0, length=longest))
    return padded, packed


def contenders(
    config: EncoderConfig,
    padded: Sequence[MicroBatch],
    packed: Sequence[MicroBatch],
    *,
    names: Sequence[str],
    device: str,
) -> list[Contender]:
    """Make those ways that `names` asks for. Raises `Mismatch` if their losses are not the same."""
    relation = padded[0].targets.relation is not None
    generator = torch.Generator().manual_seed(1)
    network = LanguageModel(
        Encoder(config, generator=generator),
        relation_labels=2 if relation else 0,
        generator=generator,
    )
    made = {
        PEER: (lambda: transformers_copy(network), their_loss, padded),
        DENSE: (lambda: _ours(network, dense=True), our_loss, padded),
        PADDED: (lambda: _ours(network, dense=False), our_loss, padded),
        OURS: (lambda: _ours(network, dense=False), our_loss, packed),
    }
    found = []
    for name in names:
        make, loss, steps = made[name]
        found.append(Contender(name, make().to(device), loss, steps))
    reference = Contender(PADDED, _ours(network, dense=False).to(device), our_loss, padded)
    check_equal(found, reference)
    return found


def _ours(network: LanguageModel, *, dense: bool) -> PretrainingModel:
    return PretrainingModel(copy.deepcopy(network), dense=dense)


def our_loss(network: nn.Module, step: MicroBatch) -> Tensor:
    """Return the loss as `kbert.pretrain` computes it: means over what is predicted, added up."""
    part = step.to(next(network.parameters()).device)
    losses = network(part.inputs, part.targets)
    loss: Tensor = losses.weighted(Weights(), counts=part.targets.counts().to(losses.sums.device))
    return loss


def their_loss(network: nn.Module, step: MicroBatch) -> Tensor:
    """Return the loss that transformers computes of the same padded rows."""
    device = next(network.parameters()).device
    inputs = {name: tensor.to(device) for name, tensor in their_inputs(step).items()}
    loss: Tensor = network(**inputs).loss
    return loss


def their_inputs(step: MicroBatch) -> dict[str, Tensor]:
    """Write a batch of single sequences as transformers takes it: all (B, L), or (B,)."""
    ids, masked = step.inputs.token_ids, step.targets.masked
    assert masked is not None
    labels = torch.full_like(ids, IGNORED)
    labels.view(-1)[masked.places] = masked.labels
    found = {
        "input_ids": ids,
        "attention_mask": (step.inputs.visibility.document == 0).long(),
        "token_type_ids": step.inputs.segments,
        "labels": labels,
    }
    if step.targets.relation is not None:
        found["next_sentence_label"] = step.targets.relation.labels
    return found


def transformers_copy(network: LanguageModel) -> nn.Module:
    """Return transformers' model with the weights of ours, and attention by SDPA."""
    import transformers

    kind: Any = (
        transformers.BertForMaskedLM
        if network.relation is None
        else transformers.BertForPreTraining
    )
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save(network, folder)
        peer: nn.Module = kind.from_pretrained(folder, attn_implementation="sdpa")
    return peer


@torch.no_grad()
def check_equal(ways: Sequence[Contender], reference: Contender) -> None:
    """Raise `Mismatch` unless all ways give the losses of `reference`, without dropout.

    Ways with the same batches are compared batch by batch, others by the sums over all of them.
    Fresh weights are so small that losses hardly depend on the input, so copies with larger
    matrices are compared.
    """
    expected = _enlarged(reference)
    losses = _losses(expected)
    for way in map(_enlarged, ways):
        if way.steps is reference.steps:
            first, second = _losses(way), losses
        else:
            first, second = _sums(way), _sums(expected)
        gap = float(((first - second).abs() / second.abs().clamp(min=1e-12)).max())
        if not gap < CLOSE:
            raise Mismatch(f"{way.name}: its losses are off by {gap:.2e} of {reference.name}'s")


def _enlarged(way: Contender) -> Contender:
    network = copy.deepcopy(way.network).eval()
    for weight in network.parameters():
        if weight.ndim > 1:
            weight.mul_(_ENLARGED)
    return replace(way, network=network)


def _losses(way: Contender) -> Tensor:
    """Return the loss of each batch."""
    return torch.stack([way.loss(way.network, step).double().cpu() for step in way.steps])


def _sums(way: Contender) -> Tensor:
    """Return each objective's sum and count over all batches, of one of our ways."""
    device = next(way.network.parameters()).device
    parts = [step.to(device) for step in way.steps]
    total = Losses.combine([way.network(part.inputs, part.targets) for part in parts])
    return torch.stack([total.sums.double(), total.counts.double()]).cpu()
