"""`TripleScorer`: how likely triples are, what completes one, and which relation holds.

The library's face over a run of `kgbert.train`, or any model folder with such a head. Answers come
in the order of what was asked, and are the same whatever else is asked with it (`kgbert.engine`):
they depend on the texts of a triple alone. So an entity that the run has never seen needs nothing
but a text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from graphs.errors import suggestion
from kbert.errors import SettingsError
from kgbert.calibration import Calibrator, Method
from kgbert.inputs import Given, read_rows
from kgbert.names import Lookup, Names, OnUnknown
from kgbert.scores import ScoreKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphs.store import TripleStore
    from kgbert.completion import Completion
    from kgbert.dataset import KnowledgeData
    from kgbert.engine import Precision
    from kgbert.explaining.explanation import Explanation, Scope
    from kgbert.stored_thresholds import StoredThresholds
    from kgbert.text_engine import TextEngine

Output = Literal["probability", "logit", "logit_difference", "calibrated"]

_KINDS: Mapping[str, ScoreKind] = {
    "probability": "probability",
    "logit": "logit1",
    "logit_difference": "difference",
    "calibrated": "difference",
}


class TripleScorer:
    """Score, classify and complete triples; made by `from_pretrained`.

    Triples are given by ids, texts, terms of rdflib or numbers, one or many (`kgbert.inputs`).
    What is unknown is an error by default; with `on_missing` `text` it is read as the text of
    something new, with `id` as an id in words, and with `skip` its triples are left out.
    """

    def __init__(
        self,
        engine: TextEngine,
        *,
        entities: Names,
        relations: Names,
        thresholds: StoredThresholds | None = None,
        calibrator: Calibrator | None = None,
        announce: Callable[[str], None] | None = None,
    ) -> None:
        """Bind the parts; the labels of a network of pairs are `relations`, in order."""
        self.engine = engine
        self.entities = entities
        self.relations = relations
        self.thresholds = thresholds
        self.calibrator = calibrator
        self.announce = announce or (lambda note: None)

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        *,
        texts: KnowledgeData | Mapping[str, str] | TripleStore | Any | None = None,
        relation_texts: Mapping[str, str] | None = None,
        device: str = "cpu",
        precision: Precision = "32",
        batch_tokens: int = 4096,
        allow_other_graph: bool = False,
        announce: Callable[[str], None] | None = None,
    ) -> TripleScorer:
        """Open a run of `kgbert.train`, or a model folder or hub id with two labels.

        `texts` are further entities, or other texts, by id; or a data set, whose entities and
        relations are taken instead of the run's; or a graph, a `TripleStore` or one of rdflib, of
        which the entities and relations that the run does not know are added, by their names.
        `announce` is told what a user should know.

        Raises `CheckpointError` and `RunError` for a folder that cannot be used, or a data set that
        the run was not trained on, unless `allow_other_graph`.
        """
        from kgbert.opening import open_scorer

        return open_scorer(
            source, texts=texts, relation_texts=relation_texts or {}, device=device,
            precision=precision, batch_tokens=batch_tokens, allow_other_graph=allow_other_graph,
            announce=announce,
        )  # fmt: skip

    def score(
        self,
        triples: Any,
        *,
        output: Output = "probability",
        on_missing: OnUnknown = "error",
        places: Sequence[str] | None = None,
    ) -> Any:
        """Return the score (n,) of each triple in their order; of one triple alone, a float.

        `output` is the probability of the triple being true, `logit` that of true alone, by which
        the original ranks, `logit_difference` the logarithm of the odds, or `calibrated`, the
        probability that was fitted by `calibrate`. A triple that is skipped has NaN, and `announce`
        is told how many. `places` say in errors where each triple comes from.

        Raises `DataError` for what is no triple, and `SettingsError` for a setting without sense.
        """
        if output not in get_args(Output):
            known = get_args(Output)
            raise SettingsError(
                f"no output {output!r}; known are {', '.join(known)}{suggestion(output, known)}"
            )
        if output == "calibrated" and self.calibrator is None:
            raise SettingsError("nothing is calibrated yet; say calibrate(positives, negatives)")
        kind = _KINDS[output]
        given, scores = self._scored(triples, kind=kind, on_missing=on_missing, places=places)
        if output == "calibrated" and self.calibrator is not None:
            kept = ~given.skipped
            scores[kept] = self.calibrator.probabilities(scores[kept])
        return scores.item() if given.alone else scores

    def classify(
        self,
        triples: Any,
        *,
        threshold: Literal["relation", "global"] | float = "relation",
        on_missing: OnUnknown = "error",
    ) -> Any:
        """Say of each triple whether it is true: bool (n,) in their order; of one alone, a bool.

        Thresholds of the run are those of each relation, and of all together (`global`) where a
        relation has none; a number is a probability from which on a triple is called true.

        Raises as `score` does, and `SettingsError` for a threshold that there is not.
        """
        if not isinstance(threshold, str | Real):
            raise SettingsError(f"threshold is {threshold!r}; give relation, global, or a number")
        if not isinstance(threshold, str) and not 0 <= threshold <= 1:
            raise SettingsError(f"threshold is {threshold}; it is a probability, from 0 to 1")
        if on_missing == "skip":
            raise SettingsError("classify decides on every triple; on_missing 'skip' is of score")
        stored = self._stored(threshold) if isinstance(threshold, str) else None
        kind: ScoreKind = "probability" if stored is None else stored.score
        given, scores = self._scored(triples, kind=kind, on_missing=on_missing)
        limit = float(threshold) if stored is None else stored.thresholds.overall
        decided: NDArray[np.bool_] = scores >= limit
        if stored is not None and threshold == "relation":
            decided = stored.thresholds.decide(scores, relations=given.numbers[:, 1])
        return bool(decided.item()) if given.alone else decided

    def calibrate(
        self,
        triples: Any,
        negatives: Any = None,
        *,
        labels: Any = None,
        method: Method = "platt",
    ) -> Calibrator:
        """Fit probabilities to true `triples` and false `negatives`, or to `triples` and `labels`.

        Labels are 1 and 0. The calibrator is used from now on, and returned: its `write(folder)`
        keeps it in a run. Use triples that training has not seen.

        Raises as `score` and `Calibrator.fit` do.
        """
        if (negatives is None) == (labels is None):
            raise SettingsError("give true and false triples, or triples with their labels")
        scores = [np.atleast_1d(self.score(triples, output="logit_difference"))]
        if labels is None:
            scores.append(np.atleast_1d(self.score(negatives, output="logit_difference")))
            labels = np.repeat([1, 0], [len(each) for each in scores])
        given = np.atleast_1d(np.asarray(labels))
        self.calibrator = Calibrator.fit(np.concatenate(scores), given, method=method)
        return self.calibrator

    def rank(
        self,
        *,
        head: Any = None,
        relation: Any = None,
        tail: Any = None,
        candidates: Any = None,
        top_k: int | None = 10,
        known: Any = None,
        on_missing: OnUnknown = "error",
    ) -> list[Completion]:
        """Rank what completes a triple, of which exactly one part is left out, best first.

        `candidates` are all entities, or relations, by default; what makes one of the triples
        `known`, in any form or as a data set, is left out. `top_k` None gives all.

        Raises as `score` does, and `RunError` for another data set than the run's.
        """
        from kgbert.completion import complete

        return complete(
            self, {"head": head, "relation": relation, "tail": tail},
            candidates=candidates, top_k=top_k, known=known, on_missing=on_missing,
        )  # fmt: skip

    def predict_relation(
        self, pairs: Any, *, top_k: int | None = 1, on_missing: OnUnknown = "error"
    ) -> Any:
        """Rank the relations from head to tail: for one pair a list, for many a list of lists.

        Of a run of relation prediction the scores are shares of 1; of others they are each
        triple's own probability. A pair that is skipped has an empty list. Raises as `score` does.
        """
        from kgbert.completion import relations_between

        return relations_between(self, pairs, top_k=top_k, on_missing=on_missing)

    def explain(
        self,
        triple: Any,
        *,
        data: KnowledgeData | None = None,
        on_missing: OnUnknown = "error",
        scope: Scope | None = None,
    ) -> Explanation:
        """Say why one triple has its score; a notebook shows the answer, `render` draws it.

        With the `data` of the run ranks are filtered, and the nearest training triples are found.
        `scope` says how many candidates and training triples are looked at (`Scope()`).

        Raises as `score` does, and `RunError` for another data set than the run's.
        """
        from kgbert.explaining.explanation import Scope, explain

        return explain(self, triple, data=data, on_missing=on_missing, scope=scope or Scope())

    def _stored(self, threshold: str) -> StoredThresholds:
        if threshold not in ("relation", "global"):
            raise SettingsError(f"threshold is {threshold!r}; give relation, global, or a number")
        if self.thresholds is None:
            raise SettingsError("this model has no thresholds; give a number, such as 0.5")
        return self.thresholds

    def _scored(
        self,
        triples: Any,
        *,
        kind: ScoreKind,
        on_missing: OnUnknown,
        places: Sequence[str] | None = None,
    ) -> tuple[Given, NDArray[np.float64]]:
        entities = Lookup(self.entities, on_missing=on_missing)
        relations = Lookup(self.relations, on_missing=on_missing)
        given = read_rows(triples, entities=entities, relations=relations, places=places)
        scores = np.full(len(given.numbers), np.nan)
        known = ~given.skipped
        if known.any():
            scores[known] = self.engine.scores(
                given.numbers[known], entities=entities, relations=relations, kind=kind
            )
        if given.skipped.any():
            count = f"{given.skipped.sum():,} of {len(known):,} triples"
            self.announce(f"{count} are left out: a part of them is unknown")
        return given, scores
