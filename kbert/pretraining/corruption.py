"""Make sequences into riddles: some tokens are replaced, and the originals are what to predict.

Corruption is unit x span length x budget x replacement x seed policy. The unit comes with each
token's group (`units`), the rest is settings. BERT: pieces or words, one at a time, 15 %, 80/10/10
(Devlin et al. 2019, section 3.1). SpanBERT: words, geometric lengths, replacement per span. ALBERT:
words, 1/n. ERNIE: mentions of entities as units.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kbert.errors import SettingsError
from kbert.pretraining import streams
from kbert.pretraining.choosing import LONGEST, choose_pieces, choose_spans, choose_units
from kbert.pretraining.lengths import SpanLengths
from kbert.pretraining.replacement import Replacement
from kbert.pretraining.types import Masked
from kbert.pretraining.units import COUNTED, PADDING

_CHOICE: Final = 0xC401CE  # keep the two kinds of draws apart
_REPLACEMENT: Final = 0x2E91ACE


class MaskedBatch(NamedTuple):
    """Corrupted rows, B of L tokens with K positions in all, ordered by row and position.

    `token_ids` (B, L) int32; `rows`, `positions` and the original `labels` (K,) int32; `spans`
    (K, 2) int32: the half-open span of its row that a position was masked with.
    """

    token_ids: NDArray[np.int32]
    rows: NDArray[np.int32]
    positions: NDArray[np.int32]
    labels: NDArray[np.int32]
    spans: NDArray[np.int32]

    def row(self, number: int, *, length: int) -> Masked:
        """Return one sequence, without the padding beyond its `length`."""
        own = slice(*np.searchsorted(self.rows, (number, number + 1)))
        ids = self.token_ids[number, :length]
        return Masked(ids, self.positions[own], self.labels[own], self.spans[own])


@dataclass(frozen=True, kw_only=True)
class Corruption:
    """How sequences are corrupted.

    A sequence with n tokens that are not special has k = max(1, round(rate x n)) masked, but at
    most `max_predictions`, and not more than may be masked; halves are rounded to the even number.
    Tokens of the group `units.COUNTED` are among the n, but are not masked. Example i
    of an epoch is corrupted as a function of seed, epoch and i: anew in every epoch, or, with
    `dupe_factor` d, in d ways that return every d epochs (static masks).

    `google_quirks` does three things as google-research/bert does: n counts special tokens too,
    random pieces may be special ones, and a unit that does not fit is left out rather than cut, so
    that fewer than k tokens may be masked.

    Raises:
        SettingsError: a value that cannot be used.
    """

    mask_id: int
    vocab_size: int
    special_ids: tuple[int, ...]
    rate: float = 0.15
    max_predictions: int | None = None
    lengths: SpanLengths = field(default_factory=SpanLengths.one)
    replacement: Replacement = field(default_factory=Replacement)
    seed: int = 0
    dupe_factor: int | None = None
    google_quirks: bool = False

    def __post_init__(self) -> None:
        """Check the values."""
        if not 0 < self.rate <= 1:
            raise SettingsError(f"masking rate {self.rate}: give a share above 0, up to 1")
        for name in ("max_predictions", "dupe_factor"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingsError(f"{name} is {value}: give at least 1, or leave it out")
        if not 0 <= self.mask_id < self.vocab_size:
            raise SettingsError(f"[MASK] is number {self.mask_id} of {self.vocab_size} pieces")
        if not len(self.random_ids()):
            raise SettingsError("the vocabulary has nothing but special pieces")

    def random_ids(self) -> NDArray[np.int32]:
        """Return the pieces, ascending, that a random replacement may be."""
        everything = np.arange(self.vocab_size, dtype=np.int32)
        if self.google_quirks:
            return everything
        return everything[~np.isin(everything, self.special_ids)]

    def counts(self, groups: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return k for each row of groups (B, L)."""
        candidates = np.count_nonzero(groups >= 0, axis=1)
        known = groups != PADDING if self.google_quirks else (groups >= 0) | (groups == COUNTED)
        sizes = np.count_nonzero(known, axis=1)
        wanted = np.maximum(1, np.rint(self.rate * sizes)).astype(np.int32)
        most = candidates if self.max_predictions is None else self.max_predictions
        fitting: NDArray[np.int32] = np.minimum(np.minimum(wanted, most), candidates)
        return fitting.astype(np.int32)

    def __call__(
        self,
        token_ids: NDArray[np.int32],
        groups: NDArray[np.int32],
        *,
        indices: NDArray[np.integer],
        epoch: int,
    ) -> MaskedBatch:
        """Corrupt the rows of a batch; `token_ids` is not changed.

        Args:
            token_ids: (B, L), with the special tokens and padded.
            groups: (B, L), the unit of each token as `unit_groups` gives it.
            indices: (B,), the number of each row's example in the epoch.
            epoch: counts from 0.
        """
        if groups.shape[1] > LONGEST:
            raise SettingsError(f"{groups.shape[1]} tokens a sequence; {LONGEST} is the most")
        key, other = (self.keys(indices, epoch, purpose=p) for p in (_CHOICE, _REPLACEMENT))
        starts = self._choose(groups, key)
        rows, positions = np.nonzero(starts >= 0)
        firsts = starts[rows, positions]
        labels = token_ids[rows, positions].astype(np.int32)
        corrupted = token_ids.astype(np.int32)
        corrupted[rows, positions] = self.replacement.draw(
            labels,
            key=other[rows],
            positions=positions,
            starts=firsts,
            mask_id=self.mask_id,
            random_ids=self.random_ids(),
        )
        spans = _spans(rows, firsts)
        return MaskedBatch(
            corrupted, rows.astype(np.int32), positions.astype(np.int32), labels, spans
        )

    def keys(self, indices: NDArray[np.integer], epoch: int, *, purpose: int) -> NDArray[np.uint64]:
        """Return the streams (B,) of examples, those of an earlier epoch where masks are static."""
        drawn = epoch if self.dupe_factor is None else epoch % self.dupe_factor
        return streams.keys(seed=self.seed, epoch=drawn, indices=indices, purpose=purpose)

    def _choose(self, groups: NDArray[np.int32], key: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Choose the way that the settings ask for, the quick one where it comes to the same."""
        counts = self.counts(groups)
        if len(self.lengths.shares) > 1:
            return choose_spans(groups, counts, key, lengths=self.lengths)
        if ((groups[:, 1:] == groups[:, :-1]) & (groups[:, 1:] >= 0)).any():
            return choose_units(groups, counts, key, cut=not self.google_quirks)
        return choose_pieces(groups, counts, key)


def _spans(rows: NDArray[np.integer], starts: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the span (K, 2) of each masked token, from its row and the column it begins at."""
    begins = np.ones(len(rows), dtype=np.bool_)
    begins[1:] = (rows[1:] != rows[:-1]) | (starts[1:] != starts[:-1])
    sizes = np.diff(np.append(np.flatnonzero(begins), len(rows)))
    return np.stack([starts, starts + np.repeat(sizes, sizes).astype(np.int32)], axis=1)
