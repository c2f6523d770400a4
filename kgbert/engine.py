"""Logits of many triples, exactly and fast: the same ones whatever else is asked with them.

Triples of equal texts are computed once. The others are sorted by length, so that every batch has
one length, no padding and no mask; their inputs are put together by index arithmetic on the device
(`kgbert.sequences`), and of the last layer only the first token is computed. None of this changes
a logit but for rounding, and rounding does not change with the order, the company or the number of
triples either:

- On the CPU a matrix product rounds a row in the same way wherever it stands, if it has one thread
  and at least 4 rows (MKL; tests hold it). So each batch is computed by one thread, several batches
  at a time, and a smaller batch is filled up to 4 rows.
- On a GPU the kernel that is chosen depends on the shape, so all batches of a length have one
  shape; the last one is filled up.

Shapes: B batch, L length, C labels.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
import torch

from kbert.errors import CheckpointError, SettingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from kgbert.network import TripleNetwork
    from kgbert.sequences import Sequences

Precision = Literal["32", "bf16"]

_LEAST_ROWS: Final = 4
_SLAB: Final = 1 << 20  # tokens that are laid out at a time; a GPU is waited for once a slab


class _Batch(NamedTuple):
    """Inputs (B, L) of the triples `start` to `stop`, in order of length; the rest is filling."""

    token_ids: Tensor
    segments: Tensor
    start: int
    stop: int


class ScoringEngine:
    """Compute the logits of triples, given by the numbers of their parts."""

    def __init__(
        self,
        network: TripleNetwork,
        sequences: Sequences,
        *,
        precision: Precision = "32",
        batch_tokens: int = 4096,
    ) -> None:
        """Score with `network`, on the device where it is, what `sequences` lays out.

        With `precision` bf16 the encoder's weights and activations are bfloat16, in a copy that is
        made now and does not follow later training. `batch_tokens` bounds the tokens of a batch.

        Raises `SettingsError` if network and sequences do not fit together.
        """
        config = network.encoder.config
        if sequences.max_length > config.max_positions:
            raise SettingsError(
                f"max_length is {sequences.max_length}, but the encoder has only"
                f" {config.max_positions} positions"
            )
        largest = max(sequences.cls_id, sequences.sep_id, int(sequences.token_ids.max()))
        if largest >= config.vocab_size:
            raise SettingsError(
                f"the texts hold piece {largest}, but the encoder knows {config.vocab_size}"
                " pieces; vocabulary and encoder do not belong together"
            )
        if precision == "bf16":
            network = _lowered(network)
        self.network = network
        self.sequences = sequences
        self.batch_tokens = batch_tokens
        self._device = next(network.parameters()).device
        self._tables = sequences.to(self._device)

    @property
    def labels(self) -> int:
        """Return the number of labels, C."""
        return self.network.labels

    def logits(self, triples: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return the logits (n, C) of triples (n, 3): head, relation, tail; in their order.

        Raises `ValueError` for what are no triples of known entities and relations, and
        `CheckpointError` if the network gives logits that are no numbers.
        """
        self._check(triples)
        if not len(triples):
            return np.zeros((0, self.labels), dtype=np.float32)
        _, chosen, places = np.unique(
            self.sequences.identities(triples), return_index=True, return_inverse=True
        )
        lengths = self.sequences.lengths(triples[chosen])
        order = np.argsort(lengths, kind="stable")
        computed = self._computed(triples[chosen[order]], lengths=lengths[order])
        if not np.isfinite(computed).all():
            raise CheckpointError(
                "the network gives logits that are no finite numbers; its weights are broken, or"
                " its training diverged"
            )
        logits = np.empty_like(computed)
        logits[order] = computed
        return logits[places]

    def _computed(
        self, triples: NDArray[np.integer], *, lengths: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """Return the logits of different triples in ascending order of their lengths."""
        found = torch.empty((len(triples), self.labels), device=self._device)
        was_training = self.network.training
        self.network.eval()

        def run(batch: _Batch) -> None:
            with torch.inference_mode():  # holds for one thread
                logits = self.network(batch.token_ids, batch.segments)
                found[batch.start : batch.stop] = logits[: batch.stop - batch.start].float()

        try:
            with _runner(self._device) as run_all:
                for slab in self._slabs(triples, lengths=lengths):
                    run_all(run, slab)
        finally:
            self.network.train(was_training)
        return found.cpu().numpy()

    def _slabs(
        self, triples: NDArray[np.integer], *, lengths: NDArray[np.integer]
    ) -> Iterator[list[_Batch]]:
        """Lay out batches of one length each, several at a time."""
        ends = [*(np.flatnonzero(np.diff(lengths)) + 1).tolist(), len(lengths)]
        start = 0
        for end in ends:
            length = int(lengths[start])
            rows = max(_LEAST_ROWS, self.batch_tokens // length)
            step = rows * max(1, _SLAB // (rows * length))
            for first in range(start, end, step):
                some = triples[first : min(end, first + step)]
                yield self._batches(some, start=first, rows=rows)
            start = end

    def _batches(self, triples: NDArray[np.integer], *, start: int, rows: int) -> list[_Batch]:
        """Lay out triples of one length as batches of `rows`, the last one filled up."""
        chosen = torch.as_tensor(triples.astype(np.int64), device=self._device)
        token_ids, segments = self._tables.assemble(chosen)
        batches = []
        for first in range(0, len(triples), rows):
            last = min(len(triples), first + rows)
            least = rows if self._device.type != "cpu" else _LEAST_ROWS
            missing = max(0, least - (last - first))
            ids, kinds = (
                torch.cat([part[first:last], part[first : first + 1].expand(missing, -1)])
                if missing
                else part[first:last]
                for part in (token_ids, segments)
            )
            batches.append(_Batch(ids, kinds, start + first, start + last))
        return batches

    def _check(self, triples: NDArray[np.integer]) -> None:
        """Refuse what are no triples; a negative number would be taken from the end of a table."""
        if triples.ndim != 2 or triples.shape[1] != 3 or triples.dtype.kind not in "iu":
            raise ValueError(
                f"triples are {triples.dtype} of shape {triples.shape}; expected integers (n, 3)"
            )
        entities, relations = map(len, self.sequences.starts)
        parts = (("head", entities), ("relation", relations), ("tail", entities))
        for column, (name, size) in zip(triples.T, parts, strict=True):
            if self.sequences.form == "pair" and name == "relation":
                continue
            wrong = np.flatnonzero((column < 0) | (column >= size))
            if len(wrong):
                at = wrong.item(0)
                raise ValueError(
                    f"triple {at}: {name} is {column[at]}; expected a number from 0 to {size - 1}"
                )


def _lowered(network: TripleNetwork) -> TripleNetwork:
    """Return a copy whose embeddings and layers are bfloat16.

    Pooler and classifier stay in 32 bits: they cost nothing, and would round away the most, for a
    logit of 8 has neighbours 1/32 apart in bfloat16.
    """
    lowered = copy.deepcopy(network)
    lowered.encoder.embeddings.to(torch.bfloat16)
    lowered.encoder.layers.to(torch.bfloat16)
    lowered.encoder.pooler.register_forward_pre_hook(lambda _, given: (given[0].float(),))
    return lowered


_RunAll = Callable[[Callable[[_Batch], None], list[_Batch]], None]


@contextmanager
def _runner(device: torch.device) -> Iterator[_RunAll]:
    """Give what runs a function on each of some batches: on the CPU each with one thread."""
    threads = torch.get_num_threads()

    def in_turn(run: Callable[[_Batch], None], batches: list[_Batch]) -> None:
        for batch in batches:
            run(batch)

    if device.type != "cpu" or threads == 1:
        yield in_turn
        return
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:

            def at_once(run: Callable[[_Batch], None], batches: list[_Batch]) -> None:
                for _ in pool.map(run, batches):  # waits, and raises what was raised
                    pass

            yield at_once
    finally:
        torch.set_num_threads(threads)  # for threads that are started later
