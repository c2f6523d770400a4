"""What completes a triple: brute force over all candidates, and what is known left out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphs import TripleStore
from kbert.errors import DataError, RunError, SettingsError
from kgbert import TripleScorer
from tests.kgbert.runs import DATA, write_run

HEAD, RELATION, TAIL = (
    DATA.entities[DATA.test[0, 0]], DATA.relations[DATA.test[0, 1]], DATA.entities[DATA.test[0, 2]]
)  # fmt: skip


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> TripleScorer:
    return TripleScorer.from_pretrained(write_run(tmp_path_factory.mktemp("runs") / "links"))


@pytest.fixture(scope="module")
def relations(tmp_path_factory: pytest.TempPathFactory) -> TripleScorer:
    folder = tmp_path_factory.mktemp("runs") / "relations"
    return TripleScorer.from_pretrained(write_run(folder, task="relation-prediction"))


@pytest.mark.parametrize("missing", ["head", "relation", "tail"])
def test_ranks_are_those_of_brute_force(scorer: TripleScorer, missing: str) -> None:
    parts = {"head": HEAD, "relation": RELATION, "tail": TAIL}
    ids = DATA.relations if missing == "relation" else DATA.entities
    rows = [tuple({**parts, missing: each}.values()) for each in ids]
    differences = scorer.score(rows, output="logit_difference").tolist()
    probabilities = dict(zip(ids, scorer.score(rows).tolist(), strict=True))
    query: dict[str, Any] = {**parts, missing: None}
    found = scorer.rank(**query, top_k=None)
    assert sorted(each.id for each in found) == sorted(ids)
    by_id = dict(zip(ids, differences, strict=True))
    for each in found:
        assert each.rank == 1 + sum(other > by_id[each.id] for other in differences)
        assert each.score == probabilities[each.id]
    assert [each.rank for each in found] == sorted(each.rank for each in found)
    assert scorer.rank(**query, top_k=4) == found[:4]


def test_candidates_may_be_few_repeated_or_new(scorer: TripleScorer) -> None:
    asked = [TAIL, "sodium", TAIL, "a new metal"]
    found = scorer.rank(
        head=HEAD, relation=RELATION, candidates=asked, on_missing="text", top_k=None
    )
    assert sorted(each.id for each in found) == sorted({*asked})
    rows = [(HEAD, RELATION, each.id) for each in found]
    assert [each.score for each in found] == scorer.score(rows, on_missing="text").tolist()
    skipping = scorer.rank(head=HEAD, relation=RELATION, candidates=asked, on_missing="skip")
    assert {each.id for each in skipping} == {TAIL, "sodium"}
    assert scorer.rank(head="new", relation=RELATION, on_missing="skip") == []
    with pytest.raises(DataError, match="candidate 3: 'a new metal' is neither"):
        scorer.rank(head=HEAD, relation=RELATION, candidates=asked)


def test_known_triples_are_left_out_whatever_form_they_have(scorer: TripleScorer) -> None:
    everything = np.concatenate([DATA.train, DATA.valid, DATA.test])
    head, relation = DATA.train[0, 0].item(), DATA.train[0, 1].item()
    same = (everything[:, 0] == head) & (everything[:, 1] == relation)
    answers = {DATA.entities[tail] for tail in everything[same, 2].tolist()}
    assert answers
    plain = scorer.rank(head=head, relation=relation, top_k=None)
    ids = [(DATA.entities[h], DATA.relations[r], DATA.entities[t]) for h, r, t in everything]
    for known in (DATA, everything, ids, [*ids, ("no", "such", "triple")]):
        filtered = scorer.rank(head=head, relation=relation, known=known, top_k=None)
        left = [each for each in plain if each.id not in answers]
        assert [(each.id, each.score) for each in filtered] == [(e.id, e.score) for e in left]
        assert filtered[0].rank == 1
    store = TripleStore.from_triples(ids)
    assert scorer.rank(head=head, relation=relation, known=store, top_k=None) == filtered
    other = dataclasses.replace(DATA, entities=("x", *DATA.entities[1:]), name="other")
    with pytest.raises(RunError, match="other: is not the data of this scorer"):
        scorer.rank(head=head, relation=relation, known=other)


def test_known_triples_of_something_new_are_left_out(scorer: TripleScorer, tmp_path: Path) -> None:
    known = [
        ("a new metal", RELATION, TAIL),
        ("another", RELATION, HEAD),
        (HEAD, RELATION, "gas 7"),
    ]
    for on_missing, asked in (("text", "a new metal"), ("id", "a_new/metal")):
        found = scorer.rank(
            head=asked, relation=RELATION, known=known, on_missing=on_missing, top_k=None
        )  # type: ignore[arg-type]
        assert len(found) == len(DATA.entities) - 1
        assert TAIL not in {each.id for each in found}
    candidates = ["gas 7", "gas 8", TAIL]
    found = scorer.rank(
        head=HEAD, relation=RELATION, known=known, candidates=candidates, on_missing="text"
    )
    assert {each.id for each in found} == {"gas 8", TAIL}
    # Further entities come after those of the data, whose numbers stay.
    more = TripleScorer.from_pretrained(write_run(tmp_path / "run"), texts={"X1": "a new metal"})
    head, relation, tail = DATA.train[0].tolist()
    found = more.rank(head=head, relation=relation, known=DATA, top_k=None)
    assert DATA.entities[tail] not in {each.id for each in found}
    assert "X1" in {each.id for each in found}


def test_a_shared_text_is_no_name_where_it_matters_whose(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    scorer = TripleScorer.from_pretrained(run, texts={"X1": "twin", "X2": "twin"})
    twins = scorer.rank(head="twin", relation=RELATION, top_k=3)
    assert twins == scorer.rank(head="X2", relation=RELATION, top_k=3)
    with pytest.raises(DataError, match=r"head: 'twin' is the text of 2 of them; .* 'X1', 'X2'"):
        scorer.rank(head="twin", relation=RELATION, known=[])
    both = scorer.rank(head=HEAD, relation=RELATION, candidates=["X1", "X2"])
    assert [each.rank for each in both] == [1, 1] and [e.id for e in both] == ["X1", "X2"]


def test_a_shared_text_in_known_triples_is_asked_for_its_id(tmp_path: Path) -> None:
    """Only where the triple may be one of the query: others may be told by any text."""
    run = write_run(tmp_path / "run")
    scorer = TripleScorer.from_pretrained(run, texts={"X1": "twin", "X2": "twin"})

    def left_out(known: Any, head: str = HEAD) -> set[str]:
        found = scorer.rank(head=head, relation=RELATION, known=known, top_k=None)
        return set(scorer.entities.ids) - {each.id for each in found}

    assert left_out([(HEAD, RELATION, "X2")]) == {"X2"}
    other = next(relation for relation in DATA.relations if relation != RELATION)
    assert left_out([(HEAD, other, "twin"), (TAIL, RELATION, "twin")]) == set()
    message = r"known triple 1, tail: 'twin' is the text of 2 .* give the id: 'X1', 'X2'"
    with pytest.raises(DataError, match=message):
        left_out([(HEAD, RELATION, TAIL), (HEAD, RELATION, "twin")])
    assert left_out([("twin", RELATION, TAIL)]) == set()
    for head in ("X1", "X2"):
        assert left_out([(head, RELATION, TAIL)], head) == {TAIL}
        with pytest.raises(DataError, match="known triple 0, head: 'twin'"):
            left_out([("twin", RELATION, TAIL)], head)


def test_a_network_of_relations_shares_out_one(relations: TripleScorer) -> None:
    found = relations.predict_relation((HEAD, TAIL), top_k=None)
    assert {each.id for each in found} == set(DATA.relations)
    assert abs(sum(each.score for each in found) - 1) < 1e-9
    assert found == relations.rank(head=HEAD, tail=TAIL, top_k=None)
    rows = [(HEAD, each.id, TAIL) for each in found]
    assert np.array_equal(relations.score(rows), [each.score for each in found])
    logits = relations.score(rows, output="logit")
    assert np.abs(np.exp(logits) / np.exp(logits).sum() - relations.score(rows)).max() < 1e-9
    assert np.all(np.diff(logits) <= 0)
    with pytest.raises(DataError, match="'likes' is new, but the network knows only"):
        relations.score((HEAD, "likes", TAIL), on_missing="text")


@pytest.mark.parametrize("kind", ["scorer", "relations"])
def test_relations_of_many_pairs_are_those_of_each(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = request.getfixturevalue(kind)
    pairs = DATA.test[:5, [0, 2]]
    monkeypatch.setattr("kgbert.completion._CHUNK", 2 * len(DATA.relations))
    found = model.predict_relation(pairs, top_k=3)
    assert found == [model.predict_relation(tuple(pair), top_k=3) for pair in pairs.tolist()]
    names = [(DATA.entities[h], DATA.entities[t]) for h, t in pairs.tolist()]
    assert model.predict_relation(iter(names), top_k=3) == found
    assert model.predict_relation([]) == []
    skipped = model.predict_relation([names[0], ("new", names[0][1])], top_k=3, on_missing="skip")
    assert skipped == [found[0], []]


def test_questions_without_sense_are_refused(scorer: TripleScorer) -> None:
    for query in ({"head": HEAD}, {"head": HEAD, "relation": RELATION, "tail": TAIL}, {}):
        with pytest.raises(SettingsError, match="give two of head, relation and tail"):
            scorer.rank(**query)
    for wrong in (0, -3, 2.5, "3", True):
        with pytest.raises(SettingsError, match=f"top_k is {wrong!r}; give 1 or more"):
            scorer.rank(head=HEAD, relation=RELATION, top_k=wrong)  # type: ignore[arg-type]
        with pytest.raises(SettingsError, match="give 1 or more"):
            scorer.predict_relation((HEAD, TAIL), top_k=wrong)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="candidates is '5'; give a list"):
        scorer.rank(head=HEAD, relation=RELATION, candidates=5)
    with pytest.raises(DataError, match="candidates is the text"):
        scorer.rank(head=HEAD, relation=RELATION, candidates="sodium")
    with pytest.raises(DataError, match="pair 0: 3 parts; expected head, tail"):
        scorer.predict_relation((HEAD, RELATION, TAIL))
