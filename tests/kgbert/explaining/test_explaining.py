"""Explanations: each figure against another way to compute it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kbert.errors import DataError, RunError, SettingsError
from kgbert import TripleScorer
from kgbert.dataset import KnowledgeData
from kgbert.engine import ScoringEngine
from kgbert.explaining.explanation import Explanation, Scope
from kgbert.ranking import rank_triples
from kgbert.run import Run
from kgbert.thresholds import Thresholds
from tests.kgbert.small_runs import write_data, write_run

ALL = Scope(candidates=None)


class Case:
    """A run, its data, and transformers' view of the same weights."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        transformers = pytest.importorskip("transformers")
        self.folder = folder / "run"
        self.data: KnowledgeData = write_run(
            self.folder, write_data(folder / "data"), max_length=14,
            thresholds=None if settings else Thresholds(0.1, {1: -0.3}), **settings,
        )  # fmt: skip
        self.scorer = TripleScorer.from_pretrained(self.folder)
        load = transformers.BertForSequenceClassification.from_pretrained
        self.theirs = load(self.folder, attn_implementation="eager").eval()
        self.read = transformers.AutoTokenizer.from_pretrained(self.folder)

    def explain(self, triple: Any, **options: Any) -> Explanation:
        return self.scorer.explain(triple, data=self.data, **({"scope": ALL} | options))

    def by_hand(self, parts: list[list[str]]) -> Any:
        """Return transformers' output of an input whose parts are given by their pieces."""
        tokens, segments = ["[CLS]"], [0]
        for part, segment in zip(parts, (0, 1, 0), strict=False):
            tokens += [*part, "[SEP]"]
            segments += [segment] * (len(part) + 1)
        ids = self.read.convert_tokens_to_ids(tokens)
        with torch.inference_mode():
            return self.theirs(
                torch.tensor([ids]), token_type_ids=torch.tensor([segments]),
                output_hidden_states=True,
            )  # fmt: skip


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(tmp_path_factory.mktemp("links"))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(tmp_path_factory.mktemp("pairs"), task="relation-prediction")


def odds(output: Any) -> float:
    return float(output.logits[0, 1] - output.logits[0, 0])


def test_the_layout_is_what_the_network_reads(case: Case) -> None:
    cuts = 0
    for row in case.data.test:
        layout = case.explain(row).layout
        texts = (case.data.texts.entity(row[0]), case.data.texts.relation(row[1]),
                 case.data.texts.entity(row[2]))  # fmt: skip
        pieces = [case.read.tokenize(text) for text in texts]
        for part, all_pieces, text in zip(layout.parts, pieces, texts, strict=True):
            assert list(part.pieces) == all_pieces[: len(part.pieces)] and part.text == text
            assert part.cut == len(all_pieces) - len(part.pieces)
            assert case.read.tokenize(text[: part.reach]) == list(part.pieces)
            cuts += part.cut
        kept = [list(part.pieces) for part in layout.parts]
        expected = ["[CLS]", *kept[0], "[SEP]", *kept[1], "[SEP]", *kept[2], "[SEP]"]
        assert [token.piece for token in layout.tokens] == expected
        middle = len(kept[0]) + 2
        segments = [int(middle <= i < middle + len(kept[1]) + 1) for i in range(len(expected))]
        assert [token.segment for token in layout.tokens] == segments
        assert len(layout.tokens) <= layout.max_length == 14
    assert cuts > 5  # some of the texts are too long


def test_contributions_are_differences_of_scores_by_hand(case: Case) -> None:
    for row in case.data.test[:4]:
        found = case.explain(row)
        kept = [list(part.pieces) for part in found.layout.parts]
        own = odds(case.by_hand(kept))
        assert found.difference == pytest.approx(own, abs=1e-4)
        for column, each in enumerate(found.contributions):
            empty = [*kept[:column], [], *kept[column + 1 :]]
            masked = [*kept[:column], ["[MASK]"] * len(kept[column]), *kept[column + 1 :]]
            assert each.left_out == pytest.approx(own - odds(case.by_hand(empty)), abs=1e-4)
            assert each.masked == pytest.approx(own - odds(case.by_hand(masked)), abs=1e-4)
            names = (case.data.entities, case.data.relations)[column == 1]
            others = np.repeat(row[None], len(names), axis=0)
            others[:, column] = np.arange(len(others))
            stated = {tuple(known) for part in ("train", "valid", "test")
                      for known in case.data.positives(part).tolist()}  # fmt: skip
            wrong = np.array([other for other in others.tolist() if tuple(other) not in stated])
            mean = case.scorer.score(wrong, output="logit_difference").mean()
            assert each.typical == pytest.approx(found.difference - mean, abs=1e-9)
        assert [each.part for each in found.contributions] == ["head", "relation", "tail"]
        assert abs(found.contributions[0].left_out) > 1e-3


def test_ranks_are_those_of_the_evaluation(case: Case) -> None:
    run = Run.open(case.folder)
    engine = ScoringEngine(run.network(), run.sequences())
    asked = rank_triples(engine, case.data)
    ranks = asked.ranks()
    for place, row in enumerate(case.data.test):
        by_part = {each.part: each for each in case.explain(row).standings}
        for side, name in enumerate(("head", "tail")):
            (at,) = np.flatnonzero((asked.places == place) & (asked.sides == side))
            each = by_part[name]
            assert each.rank == ranks.realistic[at]
            assert (each.best, each.worst) == (ranks.optimistic[at], ranks.pessimistic[at])
            assert each.candidates == each.possible == ranks.candidates[at]
            assert each.known == len(case.data.entities) - each.candidates


def test_equal_texts_tie(case: Case) -> None:
    text = case.data.texts.entity(case.data.entities.index("e0"))
    texts = dict.fromkeys(("e1", "e2", "e5"), text)
    scorer = TripleScorer.from_pretrained(case.folder, texts=texts)
    found = scorer.explain(("e0", "r1", "e7"), scope=ALL)
    triples = [(head, "r1", "e7") for head in case.data.entities]
    scores = scorer.score(triples, output="logit_difference")
    each = found.standings[0]
    assert each.best == 1 + (scores > found.difference).sum()
    assert (each.worst, each.rank) == (each.best + 3, each.best + 1.5)
    assert f"by ties {each.best} to {each.worst}" in found.render()


def test_a_shared_text_does_not_say_what_is_known(case: Case) -> None:
    text = "one and the same"
    scorer = TripleScorer.from_pretrained(case.folder, texts=dict.fromkeys(("e1", "e2"), text))
    scope = Scope(candidates=2, neighbours=0)
    for triple in ((text, "r1", "e7"), [(text, "r1", "e7")]):
        with pytest.raises(DataError, match="head: 'one and the same' is the text of 2 of them"):
            scorer.explain(triple, data=case.data, scope=scope)
    found = scorer.explain(("e2", "r1", "e7"), data=case.data, scope=scope)
    assert scorer.explain((text, "r1", "e7"), scope=scope).difference == found.difference


def test_the_top_is_ordered_and_names_the_answer(case: Case) -> None:
    row = case.data.test[0]
    found = case.explain(row, scope=Scope(candidates=None, top=50))
    for each in found.standings:
        assert len(each.top) == each.candidates
        shares = [rival.probability for rival in each.top]
        assert shares == sorted(shares, reverse=True)
        (answer,) = (rival for rival in each.top if rival.is_answer)
        assert answer.rank == each.best and answer.probability == found.probability
        better = [rival for rival in each.top if rival.probability > answer.probability]
        assert len(better) == each.best - 1


def test_candidates_can_be_drawn(case: Case) -> None:
    row = case.data.test[0]
    whole = case.explain(row)
    some = case.explain(row, scope=Scope(candidates=5))
    assert some.standings == case.explain(row, scope=Scope(candidates=5)).standings
    for each, all_ in zip(some.standings, whole.standings, strict=True):
        assert each.candidates == min(5, all_.possible) and each.possible == all_.possible
        assert each.rank <= all_.rank
    assert "5 candidates drawn of" in some.render()


def test_nearest_are_those_of_the_hidden_states(case: Case) -> None:
    row = case.data.train[3]
    found = case.explain(row, scope=Scope(candidates=2, top=4))
    train = [other for other in case.data.train.tolist() if other != row.tolist()]
    vectors = []
    for other in [row.tolist(), *train]:
        layout = case.explain(np.array(other), scope=Scope(candidates=2, neighbours=0)).layout
        hidden = case.by_hand([list(part.pieces) for part in layout.parts]).hidden_states[-1]
        vectors.append(hidden[0, 0].double().numpy())
    centred = np.array(vectors) - np.mean(vectors, axis=0)
    unit = centred / np.linalg.norm(centred, axis=1)[:, None]
    cosines = unit[1:] @ unit[0]
    best = np.argsort(-cosines, kind="stable")[:4]
    assert [each.cosine for each in found.nearest] == pytest.approx(cosines[best], abs=1e-4)
    ids = case.data.entities, case.data.relations
    for each, place in zip(found.nearest, best, strict=True):
        head, relation, tail = train[place]
        # Entities that share their text have one feature, so either may be meant.
        assert each.texts == (case.data.texts.entity(head), case.data.texts.relation(relation),
                              case.data.texts.entity(tail))  # fmt: skip
        assert ("relation" in each.shares) == (relation == row[1])
    assert found.stated == ("train",)
    assert all(each.ids != tuple((ids[0], ids[1], ids[0])[i][row[i]] for i in range(3))
               for each in found.nearest)  # fmt: skip


def test_those_that_share_most_are_compared_where_train_is_too_large(case: Case) -> None:
    head, relation, tail = case.data.test[0].tolist()
    found = case.explain(case.data.test[0], scope=Scope(candidates=2, neighbours=3, top=9))
    assert len(found.nearest) == 3

    def shared(row: list[int]) -> int:
        ends = {row[0], row[2]}
        return 2 * len(ends & {head, tail}) + (row[1] == relation)

    best = sorted((shared(row) for row in case.data.train.tolist()), reverse=True)[:3]
    index = {name: number for number, name in enumerate(case.data.entities)}
    links = {name: number for number, name in enumerate(case.data.relations)}
    counts = [shared([index[each.ids[0]], links[each.ids[1]], index[each.ids[2]]])
              for each in found.nearest]  # fmt: skip
    assert sorted(counts, reverse=True) == best


def test_scores_and_verdicts_are_the_scorers(case: Case, tmp_path: Path) -> None:
    differences = case.scorer.score(case.data.test, output="logit_difference")
    decided = case.scorer.classify(case.data.test)
    for row, difference, called in zip(case.data.test, differences, decided, strict=True):
        found = case.explain(row, scope=Scope(candidates=2, neighbours=0))
        assert found.difference == difference and found.calibrated is None
        assert found.probability == case.scorer.score(row)
        assert found.verdict is not None and found.verdict.called_true == called
        own = row[1] == 1
        assert found.verdict.scope == ("the relation" if own else "all relations")
        assert found.verdict.threshold == (-0.3 if own else 0.1)
    scorer = TripleScorer.from_pretrained(case.folder)
    scorer.calibrate(case.data.test, labels=[0, 1] * (len(case.data.test) // 2))
    found = scorer.explain(case.data.test[0], scope=Scope(candidates=2))
    assert found.calibrated == scorer.score(case.data.test[0], output="calibrated")
    assert f"calibrated {found.calibrated:.4f}" in found.render()


def test_a_network_of_pairs_is_asked_for_relations(pairs: Case) -> None:
    row = pairs.data.test[0]
    found = pairs.explain(row)
    assert found.verdict is None
    assert [each.part for each in found.standings] == ["relation"]
    assert [each.part for each in found.contributions] == ["head", "tail"]
    assert not found.layout.parts[1].pieces and "the relation is not read" in found.render()
    ids = (pairs.data.entities[row[0]], pairs.data.entities[row[2]])
    ranked = pairs.scorer.predict_relation(ids, top_k=None)
    own = pairs.data.relations[row[1]]
    known = {r for h, r, t in np.concatenate([pairs.data.train, pairs.data.valid, pairs.data.test])
             if (h, t) == (row[0], row[2])} - {row[1]}  # fmt: skip
    kept = [each.id for each in ranked if pairs.data.relations.index(each.id) not in known]
    assert found.standings[0].rank == 1 + kept.index(own)
    parts = [list(part.pieces) for part in found.layout.read()]
    logits = pairs.by_hand([[], parts[1]]).logits[0].double()
    others = torch.cat([logits[: row[1]], logits[row[1] + 1 :]]).logsumexp(0)
    without = float(logits[row[1]] - others)
    assert found.contributions[0].left_out == pytest.approx(found.difference - without, abs=1e-4)


def test_something_new_needs_only_a_text(case: Case) -> None:
    relation, tail = case.data.relations[0], case.data.entities[3]
    with pytest.raises(DataError, match="neither id nor text"):
        case.explain(("a new place", relation, tail))
    found = case.explain(("a new place", relation, tail), on_missing="text")
    assert found.layout.parts[0].id == "a new place" and not found.stated
    standing = found.standings[0]
    assert standing.possible == 1 + len(case.data.entities) - standing.known
    assert "not stated by" in found.render()


def test_without_data_ranks_are_raw(case: Case) -> None:
    found = case.scorer.explain(case.data.test[0])
    assert found.nearest == () and found.standings[0].candidates == len(case.data.entities)
    text = found.render()
    assert "nothing left out" in text and "no data set" in text


def test_what_makes_no_sense_is_refused(case: Case, pairs: Case) -> None:
    for wrong in ({"candidates": 1}, {"top": 0}, {"neighbours": -1}):
        with pytest.raises(SettingsError, match=r"give \d or more"):
            Scope(**wrong)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="2 triples; explain takes one"):
        case.explain(case.data.test[:2])
    with pytest.raises(SettingsError, match="explain looks at one triple"):
        case.explain(case.data.test[0], on_missing="skip")
    other = TripleScorer.from_pretrained(case.folder, texts={case.data.entities[0]: "x"})
    other.entities = type(other.entities)(("a",), ("a",), what="entity")
    with pytest.raises(RunError, match="is not the data of this scorer"):
        other.explain(("a", 0, "a"), data=case.data)


def test_reverses_are_said(case: Case) -> None:
    rows = {tuple(row) for row in case.data.train.tolist()}
    turned = [row for row in rows if row[::-1] in rows and row[0] != row[2]]
    if not turned:  # one is made
        row = next(row for row in sorted(rows) if row[0] != row[2])
        found = case.explain(np.array(row[::-1]), scope=Scope(candidates=2, neighbours=0))
        assert found.reversed_in == ("train",)
    for row in turned:
        found = case.explain(np.array(row), scope=Scope(candidates=2, neighbours=0))
        assert "train" in found.reversed_in
        assert "its reverse is stated in" in found.render()
