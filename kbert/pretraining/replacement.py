"""What stands at a masked position: `[MASK]`, a random piece, or what stood there before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from kbert.errors import SettingsError
from kbert.pretraining.streams import below, uniforms, words

Per = Literal["piece", "span"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Replacement:
    """Shares of the three, and whether each piece draws (BERT) or each span as one (SpanBERT)."""

    mask: float = 0.8
    random: float = 0.1
    keep: float = 0.1
    per: Per = "piece"

    def __post_init__(self) -> None:
        """Raise `SettingsError` for shares that are no distribution."""
        shares = (self.mask, self.random, self.keep)
        if min(shares) < 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-9):
            raise SettingsError(
                f"the shares of mask, random and keep are {shares}: make them add up to 1"
            )
        if self.per not in get_args(Per):
            raise SettingsError(f"replacement per {self.per!r}: say {' or '.join(get_args(Per))}")

    def draw(
        self,
        originals: NDArray[np.int32],
        *,
        key: NDArray[np.uint64],
        positions: NDArray[np.integer],
        starts: NDArray[np.integer],
        mask_id: int,
        random_ids: NDArray[np.int32],
    ) -> NDArray[np.int32]:
        """Return what replaces `originals`; all arrays but `random_ids` are (K,).

        `key` is the stream of each position's sequence, `positions` and the `starts` of their
        spans count its tokens. Random pieces come from `random_ids`, each with the same chance,
        the original not excepted; a span draws them one by one. Numbers 2p and 2p + 1 of the
        stream belong to position p.
        """
        deciding = starts if self.per == "span" else positions
        chance = uniforms(words(key, deciding * 2))
        chosen = np.where(chance < self.mask, np.int32(mask_id), originals)
        strange = (self.mask <= chance) & (chance < self.mask + self.random)
        if strange.any():
            word = words(key[strange], positions[strange] * 2 + 1)
            chosen[strange] = random_ids[below(word, len(random_ids))]
        return chosen
