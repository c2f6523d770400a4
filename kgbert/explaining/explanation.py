"""All that can be said of one triple and a network's score of it: `TripleScorer.explain`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kbert.errors import DataError, RunError, SettingsError
from kgbert.completion import refuse_shared
from kgbert.dataset import PARTS as DATA_PARTS
from kgbert.explaining.layout import PARTS, Layout, lay_out
from kgbert.explaining.leaving_out import Contribution, contributions
from kgbert.explaining.nearest import Near, nearest
from kgbert.explaining.rivals import Standing, Watch, standing
from kgbert.inputs import TRIPLE, read_rows
from kgbert.names import Lookup, OnUnknown
from kgbert.scores import sigmoid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from kgbert.dataset import KnowledgeData
    from kgbert.scorer import TripleScorer

MOST_CANDIDATES: Final = 5_000
MOST_NEIGHBOURS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a triple is called true: its score is at least the threshold, which is of `scope`."""

    called_true: bool
    score: float
    threshold: float
    scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Say what a network makes of one triple.

    `difference` are the log-odds of its being true (of a network of pairs: of its relation against
    all others), `probability` is their sigmoid, `calibrated` None without a calibrator, `verdict`
    None for a network of pairs. `stated` names the parts of the data that state the triple, and
    `reversed_in` those that state it from tail to head. `data` names the data set, "" if there was
    none: then ranks are not filtered, and nothing is near.
    """

    layout: Layout
    difference: float
    probability: float
    calibrated: float | None
    verdict: Verdict | None
    data: str
    stated: tuple[str, ...]
    reversed_in: tuple[str, ...]
    contributions: tuple[Contribution, ...]
    standings: tuple[Standing, ...]
    nearest: tuple[Near, ...]

    def render(self) -> str:
        """Draw it for a terminal."""
        from kgbert.explaining.drawing import draw

        return draw(self)

    def to_html(self) -> str:
        """Return a page that needs nothing else."""
        from kgbert.explaining.page import page

        return page(self)

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from kgbert.explaining.page import fragment

        return fragment(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How much is looked at; `candidates` None are all, `watch` goes through the steps."""

    candidates: int | None = MOST_CANDIDATES
    neighbours: int = MOST_NEIGHBOURS
    top: int = 5
    watch: Watch = lambda steps, about: steps

    def __post_init__(self) -> None:
        """Raise `SettingsError` for a number without sense."""
        for name, value, least in (
            ("candidates", self.candidates, 2),
            ("neighbours", self.neighbours, 0),
            ("top", self.top, 1),
        ):
            if value is not None and value < least:
                raise SettingsError(f"{name} is {value}; give {least} or more")


def explain(
    scorer: TripleScorer,
    triple: Any,
    *,
    data: KnowledgeData | None,
    on_missing: OnUnknown,
    scope: Scope,
) -> Explanation:
    """Explain the score of one triple; see `TripleScorer.explain`."""
    if on_missing == "skip":
        raise SettingsError("explain looks at one triple; on_missing 'skip' is of score")
    entities = Lookup(scorer.entities, on_missing=on_missing, one=True)
    relations = Lookup(scorer.relations, on_missing=on_missing, one=True)
    given = read_rows(triple, entities=entities, relations=relations)
    if len(given.numbers) != 1:
        raise DataError(f"{len(given.numbers)} triples; explain takes one")
    if data is not None:
        _check_data(scorer, data)
        one = triple if given.alone or not isinstance(triple, list | tuple) else triple[0]
        if isinstance(one, list | tuple):
            refuse_shared(scorer, dict(zip(TRIPLE, one, strict=True)))
    engine = scorer.engine
    row = given.numbers[0]
    found = engine.scores(row[None], entities=entities, relations=relations, kind="difference")
    difference = found.item()
    layout = lay_out(engine, **_named(row, entities, relations), triple=row)
    standings = _standings(scorer, row, entities, relations, data=data, scope=scope)
    return Explanation(
        layout=layout,
        difference=difference,
        probability=sigmoid(found).item(),
        calibrated=(
            None if scorer.calibrator is None else scorer.calibrator.probabilities(found).item()
        ),
        verdict=None if engine.form == "pair" else _verdict(scorer, row, entities, relations),
        data="" if data is None else data.name,
        stated=_stated(data, row),
        reversed_in=_stated(data, row[::-1]) if row[0] != row[2] else (),
        contributions=contributions(
            engine, layout, relation=row[1].item(), difference=difference,
            means={each.part: each.mean for each in standings if each.mean is not None},
        ),
        standings=standings,
        nearest=() if data is None else nearest(
            engine, row, data.positives("train"), entities=entities, relations=relations,
            top=scope.top, most=scope.neighbours, watch=scope.watch,
        ),
    )  # fmt: skip


def _check_data(scorer: TripleScorer, data: KnowledgeData) -> None:
    """Refuse a data set whose numbers are not those of the scorer, which may know more."""
    for names, ids in ((scorer.entities, data.entities), (scorer.relations, data.relations)):
        if names.ids[: len(ids)] != ids:
            raise RunError(
                f"{data.name}: is not the data of this scorer: its entities or relations are others"
            )


def _named(row: NDArray[np.int64], entities: Lookup, relations: Lookup) -> dict[str, Sequence[str]]:
    """Return ids and texts of head, relation and tail; what is new has its text as its id."""
    ids, texts = [], []
    for lookup, number in zip((entities, relations, entities), row.tolist(), strict=True):
        (text,) = lookup.texts(np.array([number]))
        ids.append(lookup.names.ids[number] if number < len(lookup.names) else text)
        texts.append(text)
    return {"ids": ids, "texts": texts}


def _verdict(
    scorer: TripleScorer, row: NDArray[np.int64], entities: Lookup, relations: Lookup
) -> Verdict:
    """Decide by the threshold of the relation, else that of all, else a probability of 0.5."""
    stored = scorer.thresholds
    score = scorer.engine.scores(
        row[None], entities=entities, relations=relations,
        kind="probability" if stored is None else stored.score,
    ).item()  # fmt: skip
    if stored is None:
        return Verdict(score >= 0.5, score, 0.5, "no run: a probability of 0.5")
    own = row[1].item() in stored.thresholds.of_relation
    threshold = stored.thresholds.of(row[1:2]).item()
    return Verdict(score >= threshold, score, threshold, "the relation" if own else "all relations")


def _stated(data: KnowledgeData | None, row: NDArray[np.int64]) -> tuple[str, ...]:
    """Name the parts of the data that state the triple as true."""
    if data is None:
        return ()
    return tuple(part for part in DATA_PARTS if (data.positives(part) == row).all(axis=1).any())


def _standings(
    scorer: TripleScorer,
    row: NDArray[np.int64],
    entities: Lookup,
    relations: Lookup,
    *,
    data: KnowledgeData | None,
    scope: Scope,
) -> tuple[Standing, ...]:
    """Rank the triple for each part that the network can be asked for, if it has candidates."""
    asked: Iterable[str] = PARTS if scorer.engine.form == "triple" else ("relation",)
    known = None if data is None else data.filter(*DATA_PARTS)
    sizes = {"relation": len(scorer.relations)}
    return tuple(
        standing(
            scorer.engine, row, part=part, entities=entities, relations=relations, known=known,
            most=scope.candidates, top=scope.top, watch=scope.watch,
        )
        for part in asked
        if sizes.get(part, len(scorer.entities))
    )  # fmt: skip
