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

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np
import torch

from kbert.errors import CheckpointError, SettingsError
from kgbert.token_table import TokenTable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from kgbert.network import TripleNetwork
    from kgbert.sequences import Sequences

Precision = Literal["32", "bf16"]

_LEAST_ROWS: Final = 4
_SLAB: Final = 1 << 20  # tokens that are laid out at a time; a GPU is waited for once a slab


class _Slab(NamedTuple):
    """Inputs (n, L) of the triples from `start` on, in order of length, and rows of a batch."""

    token_ids: Tensor
    segments: Tensor
    start: int
    rows: int


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
            network = network.lowered()
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

        try:
            with _runner(self._device) as run_all:
                for slab in self._slabs(triples, lengths=lengths):
                    (table,) = run_all(self._table, [slab])
                    run = partial(self._run, slab, table, found)
                    run_all(run, range(0, len(slab.token_ids), slab.rows))
        finally:
            self.network.train(was_training)
        return found.cpu().numpy()

    def _slabs(
        self, triples: NDArray[np.integer], *, lengths: NDArray[np.integer]
    ) -> Iterator[_Slab]:
        """Lay out inputs of one length each, several batches at a time."""
        ends = [*(np.flatnonzero(np.diff(lengths)) + 1).tolist(), len(lengths)]
        start = 0
        for end in ends:
            length = int(lengths[start])
            rows = max(_LEAST_ROWS, self.batch_tokens // length)
            step = rows * max(1, _SLAB // (rows * length))
            for first in range(start, end, step):
                some = triples[first : min(end, first + step)].astype(np.int64)
                inputs = self._tables.assemble(torch.as_tensor(some, device=self._device))
                yield _Slab(*inputs, start=first, rows=rows)
            start = end

    def _table(self, slab: _Slab) -> TokenTable | None:
        """Compute what equal tokens of a slab begin with; a GPU's products are none to rely on."""
        if self._device.type != "cpu":
            return None
        with torch.inference_mode():  # holds for one thread
            return TokenTable.of(self.network.encoder, slab.token_ids, slab.segments)

    def _run(self, slab: _Slab, table: TokenTable | None, found: Tensor, first: int) -> None:
        """Compute the batch of a slab from its input `first` on; the last one is filled up."""
        last = min(len(slab.token_ids), first + slab.rows)
        count = last - first
        filled = max(count, slab.rows if self._device.type != "cpu" else _LEAST_ROWS)
        token_ids, segments = (
            torch.cat([part[first:last], part[first : first + 1].expand(filled - count, -1)])
            if filled > count
            else part[first:last]
            for part in (slab.token_ids, slab.segments)
        )
        with torch.inference_mode():  # holds for one thread
            embedded = None if table is None else table.embedded(first, last, filled=filled)
            logits = self.network(token_ids, segments, embedded=embedded)
            found[slab.start + first : slab.start + last] = logits[:count].float()

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


_RunAll = Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]


@contextmanager
def _runner(device: torch.device) -> Iterator[_RunAll]:
    """Give what maps a function over some work: on the CPU each piece with one thread."""
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1:
        yield lambda run, work: [run(each) for each in work]
        return
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield lambda run, work: list(pool.map(run, work))  # waits, and raises what was raised
    finally:
        torch.set_num_threads(threads)  # for threads that are started later
