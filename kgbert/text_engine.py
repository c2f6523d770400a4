"""Scores of triples of any texts: from numbers of `kgbert.names` to the engine and back.

The engine has tables of texts; here these are made anew for each call, of the texts that occur in
it, so that new texts cost no more than known ones. Scores do not depend on the tables. Only the
table of all known entities, which ranking asks for again and again, is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from kbert.errors import DataError, SettingsError
from kgbert.engine import Precision, ScoringEngine
from kgbert.pieces import Pieces
from kgbert.scores import ScoreKind, scores_of
from kgbert.sequences import Form, Sequences, Truncation
from kgbert.text_files import shown

if TYPE_CHECKING:
    from kbert.tokenizer import Tokenizer
    from kgbert.names import Lookup
    from kgbert.network import TripleNetwork


class Prepared(NamedTuple):
    """An engine over the texts of some triples, and these (n, 3) by numbers of its tables."""

    engine: ScoringEngine
    rows: NDArray[np.int64]


class TextEngine:
    """Score triples whose parts are numbers that a `Lookup` gave out."""

    def __init__(
        self,
        network: TripleNetwork,
        tokenizer: Tokenizer,
        *,
        max_length: int,
        form: Form = "triple",
        truncation: Truncation = "longest",
        precision: Precision = "32",
        batch_tokens: int = 4096,
    ) -> None:
        """Score with `network`, or with `precision` bf16 with a copy whose encoder is bfloat16.

        Raises `SettingsError` for another precision.
        """
        if precision not in get_args(Precision):
            known = ", ".join(get_args(Precision))
            raise SettingsError(f"no precision {precision!r}; known are {known}")
        self.network = (network.lowered() if precision == "bf16" else network).eval()
        self.tokenizer = tokenizer
        self.form = form
        self._max_length = max_length
        self._truncation = truncation
        self._batch_tokens = batch_tokens
        self._room = Sequences.room_for(max_length=max_length, form=form)
        self._all: Pieces | None = None

    def scores(
        self,
        triples: NDArray[np.int64],
        *,
        entities: Lookup,
        relations: Lookup,
        kind: ScoreKind,
    ) -> NDArray[np.float64]:
        """Return the scores (n,) of triples (n, 3).

        Of a network of pairs a triple's score is that of its relation against all others.

        Raises `DataError` for a text without pieces, and for a new relation in a network of pairs,
        `CheckpointError` if the network gives no numbers.
        """
        prepared = self.prepare(triples, entities=entities, relations=relations)
        return self.scores_of(prepared, relations=triples[:, 1], kind=kind)

    def scores_of(
        self, prepared: Prepared, *, relations: NDArray[np.int64], kind: ScoreKind
    ) -> NDArray[np.float64]:
        """Return the scores (n,) of what was prepared; `relations` (n,) are a network's labels."""
        logits: NDArray[np.floating] = prepared.engine.logits(prepared.rows)
        if self.form == "pair":
            logits = _against_others(logits, relations)
        return scores_of(logits, kind=kind)

    def prepare(
        self, triples: NDArray[np.int64], *, entities: Lookup, relations: Lookup
    ) -> Prepared:
        """Lay out the texts of triples (n, 3). Raises `DataError` as `scores` does."""
        numbers, places = np.unique(triples[:, [0, 2]], return_inverse=True)
        heads, tails = places.reshape(-1, 2).T
        links, link_places = np.unique(triples[:, 1], return_inverse=True)
        rows = np.stack([heads, link_places.reshape(-1), tails], axis=1)
        if self.form == "pair" and links.size and links[-1] >= self.network.labels:
            raise DataError(
                f"{shown(relations.texts(links[-1:])[0])} is new, but the network knows only the"
                f" {self.network.labels} relations that it was trained on"
            )
        return self.over(
            entities=self._entity_pieces(numbers, entities),
            relations=self._pieces(links if self.form == "triple" else links[:0], relations),
            rows=rows,
        )

    def over(self, *, entities: Pieces, relations: Pieces, rows: NDArray[np.int64]) -> Prepared:
        """Lay out `rows` (n, 3) over tables of pieces, as the run reads them."""
        laid_out = Sequences.build(
            entities=entities,
            relations=relations,
            max_length=self._max_length,
            cls_id=self.tokenizer.cls_id,
            sep_id=self.tokenizer.sep_id,
            form=self.form,
            truncation=self._truncation,
        )
        engine = ScoringEngine(self.network, laid_out, batch_tokens=self._batch_tokens)
        return Prepared(engine, rows)

    def _entity_pieces(self, numbers: NDArray[np.int64], lookup: Lookup) -> Pieces:
        """Tokenise some entities; what was made for all of those that are known is kept."""
        if not len(numbers) == len(lookup.names) == numbers[-1:] + 1:
            return self._pieces(numbers, lookup)
        if self._all is None:
            self._all = self._pieces(numbers, lookup)
        return self._all

    def _pieces(self, numbers: NDArray[np.int64], lookup: Lookup) -> Pieces:
        texts = lookup.texts(numbers)
        pieces = Pieces.from_texts(texts, tokenizer=self.tokenizer, cap=self._room)
        if not pieces.lengths.all():
            text = texts[int(np.argmin(pieces.lengths))]
            raise DataError(
                f"{shown(text)}, a text of some {lookup.names.what}, holds nothing to read"
            )
        return pieces


def _against_others(
    logits: NDArray[np.floating], chosen: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return (n, 2): log-sum-exp of all labels but the chosen one, and the logit of that."""
    places = np.arange(len(logits)), chosen
    others = logits.astype(np.float64)
    own = others[places]
    others[places] = -np.inf
    greatest = others.max(axis=1, initial=-np.finfo(np.float64).max)
    summed = np.exp(others - greatest[:, None]).sum(axis=1)
    with np.errstate(divide="ignore"):  # of one label alone there are no others
        rest = greatest + np.log(summed)
    return np.stack([rest, own], axis=1)
