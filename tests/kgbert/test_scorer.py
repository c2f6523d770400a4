"""`TripleScorer`: transformers' scores, whatever form, order or company triples come in."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs import TripleStore
from kbert.errors import CheckpointError, DataError, RunError, SettingsError
from kgbert import TripleScorer
from kgbert.stored_thresholds import StoredThresholds
from kgbert.text_engine import TextEngine
from kgbert.texts import Texts
from kgbert.thresholds import Thresholds
from tests.kgbert.runs import DATA, write_run

ROWS = np.concatenate([DATA.test, DATA.valid, DATA.train[:40]])
IDS = [(DATA.entities[h], DATA.relations[r], DATA.entities[t]) for h, r, t in ROWS.tolist()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_run(tmp_path_factory.mktemp("runs") / "links")
    differences = TripleScorer.from_pretrained(path).score(IDS, output="logit_difference")
    own = float(np.quantile(differences[ROWS[:, 1] == ROWS[0, 1]], 0.3))
    overall = float(np.quantile(differences, 0.6))
    thresholds = Thresholds(overall, {int(ROWS[0, 1]): own})
    StoredThresholds("difference", 9, "drawn", thresholds).write(path)
    return path


@pytest.fixture(scope="module")
def scorer(folder: Path) -> TripleScorer:
    return TripleScorer.from_pretrained(folder)


@pytest.fixture(scope="module")
def scores(scorer: TripleScorer) -> np.ndarray[Any, np.dtype[np.float64]]:
    found: np.ndarray[Any, np.dtype[np.float64]] = scorer.score(IDS)
    return found


def test_scores_are_those_of_transformers(folder: Path, scorer: TripleScorer) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.BertForSequenceClassification.from_pretrained(folder).eval()
    read = transformers.AutoTokenizer.from_pretrained(folder)
    texts = DATA.texts
    expected = []
    for head, relation, tail in ROWS[:30].tolist():
        ids, segments = [read.cls_token_id], [0]
        parts = (texts.entity(head), texts.relation(relation), texts.entity(tail))
        for text, segment in zip(parts, (0, 1, 0), strict=True):
            own = [*read(text, add_special_tokens=False)["input_ids"], read.sep_token_id]
            ids, segments = ids + own, segments + [segment] * len(own)
        assert len(ids) <= 20
        with torch.inference_mode():
            answer = theirs(torch.tensor([ids]), token_type_ids=torch.tensor([segments]))
        expected.append(answer.logits[0].double())
    logits = torch.stack(expected)
    for output, wanted in (
        ("probability", logits.softmax(1)[:, 1]),
        ("logit", logits[:, 1]),
        ("logit_difference", logits[:, 1] - logits[:, 0]),
    ):
        found = scorer.score(IDS[:30], output=output)
        assert np.abs(found - wanted.numpy()).max() < 1e-5
    assert found.std() > 0.01  # the drawn network tells triples apart


def test_every_form_has_the_same_scores(scorer: TripleScorer, scores: Any) -> None:
    pandas = pytest.importorskip("pandas")
    rdflib = pytest.importorskip("rdflib")
    texts = [
        (DATA.texts.entity(h), DATA.texts.relation(r), DATA.texts.entity(t))
        for h, r, t in ROWS.tolist()
    ]
    forms: list[Any] = [
        iter(IDS), [list(row) for row in IDS], np.array(IDS), texts, ROWS, torch.from_numpy(ROWS),
        ROWS.tolist(), ROWS.astype(np.uint8),
        pandas.DataFrame(IDS, columns=["head", "relation", "tail"])[["tail", "head", "relation"]],
        pandas.DataFrame(ROWS, columns=["head", "relation", "tail"]),
        [tuple(map(rdflib.URIRef, row)) for row in IDS],
        [(h, r, rdflib.Literal(t)) for h, r, t in texts],
    ]  # fmt: skip
    for form in forms:
        assert np.array_equal(scorer.score(form), scores)
    store = TripleStore.from_triples(IDS)
    found = dict(zip(store, scorer.score(store).tolist(), strict=True))
    assert [found[row] for row in IDS] == scores.tolist()


def test_one_triple_is_a_float_and_none_are_none(scorer: TripleScorer, scores: Any) -> None:
    for one in (IDS[3], list(IDS[3]), ROWS[3], tuple(ROWS[3].tolist())):
        found = scorer.score(one)
        assert type(found) is float and found == scores[3]
    assert type(scorer.classify(IDS[3])) is bool
    for none in ([], (), iter(()), np.zeros((0, 3), dtype=int)):
        assert scorer.score(none).shape == (0,) and scorer.score(none).dtype == np.float64
        assert scorer.classify(none).dtype == np.bool_


@settings(max_examples=15)
@given(chosen=st.lists(st.integers(0, len(IDS) - 1), max_size=20))
def test_order_and_duplicates_change_no_bit(
    chosen: list[int], scorer: TripleScorer, scores: Any
) -> None:
    assert np.array_equal(scorer.score([IDS[place] for place in chosen]), scores[chosen])


def test_new_entities_need_only_a_text(folder: Path, scorer: TripleScorer, scores: Any) -> None:
    head, relation, tail = IDS[0]
    for unknown in ("a brand new metal", "soduim"):
        with pytest.raises(DataError, match=r"triple 0: .* is neither id nor text of any entity"):
            scorer.score((unknown, relation, tail))
    with pytest.raises(
        DataError, match=r"did you mean 'sodium'\?; if it is new, on_missing 'text'"
    ):
        scorer.score(("soduim", relation, tail))
    new = scorer.score(("a brand new metal", relation, tail), on_missing="text")
    with_text = TripleScorer.from_pretrained(
        folder, texts={"X1": "a brand new metal", head: "another name"}
    )
    assert with_text.score(("X1", relation, tail)) == new
    assert with_text.score(IDS[0]) != scores[0]
    assert scorer.score(("a_brand_new/metal", relation, tail), on_missing="id") == new
    iri = "http://example.org/a_brand_new%20metal"
    assert scorer.score((iri, relation, tail), on_missing="id") == new
    said: list[str] = []
    counting = TripleScorer.from_pretrained(folder, announce=said.append)
    some = [IDS[0], ("X1", relation, tail), (head, "likes", tail), (None, relation, tail), IDS[1]]
    found = counting.score(some, on_missing="skip")
    assert np.isnan(found).tolist() == [False, True, True, True, False]
    assert np.array_equal(found[[0, 4]], scores[:2])
    assert said == ["3 of 5 triples are left out: a part of them is unknown"]


def test_a_wrong_order_of_columns_is_said(scorer: TripleScorer) -> None:
    head, relation, tail = IDS[0]
    for row, where in (((head, tail, relation), "last"), ((relation, head, tail), "first")):
        with pytest.raises(
            DataError, match=f"neither id nor text .*; the relation seems to come {where}"
        ):
            scorer.score([IDS[1], row])
    with pytest.raises(DataError) as caught:
        scorer.score([(head, "likes", tail)])
    assert "seems to come" not in str(caught.value)


def test_a_local_name_or_a_name_before_a_description_is_suggested(folder: Path) -> None:
    texts = {"http://example.org/q1": "Wien: city on the Danube"}
    scorer = TripleScorer.from_pretrained(folder, texts=texts)
    for wrong in ("q1", "Wien"):
        with pytest.raises(DataError, match=r"did you mean 'http://example\.org/q1'\?"):
            scorer.score((wrong, *IDS[0][1:]))


def test_ids_of_digits_that_became_numbers_are_told_apart(folder: Path) -> None:
    texts = Texts(DATA.texts.entities, DATA.texts.relations)
    ids = tuple(f"{number:08}" for number in range(10**6, 10**6 + len(DATA.entities)))
    digits = dataclasses.replace(DATA, entities=ids, texts=texts, fingerprint="2" * 64)
    scorer = TripleScorer.from_pretrained(folder, texts=digits, allow_other_graph=True)
    assert scorer.score((ids[0], 0, ids[1])) == scorer.score((0, 0, 1))
    for form in ((10**6, 0, 1), np.array([[0, 0, 10**6]])):
        with pytest.raises(DataError, match=r"there is no entity 1000000; .* with dtype=str"):
            scorer.score(form)


def test_rows_without_order_are_no_triples(scorer: TripleScorer) -> None:
    """The keys of a mapping are three strings, which must not be read as texts."""
    row = dict(zip(("head", "relation", "tail"), IDS[0], strict=True))
    for wrong in ([row], [set(IDS[0])], row):
        for on_missing in ("text", "id", "skip"):
            with pytest.raises(DataError, match=r"give \(head, relation, tail\)"):
                scorer.score(wrong, on_missing=on_missing)  # type: ignore[arg-type]
    both = scorer.score({IDS[0], IDS[1]})  # a set of triples is a list in some order
    assert sorted(both) == sorted(scorer.score(IDS[:2]))


def test_what_stands_for_nothing_is_skipped(folder: Path) -> None:
    pandas = pytest.importorskip("pandas")
    said: list[str] = []
    scorer = TripleScorer.from_pretrained(folder, announce=said.append)
    for nothing in (None, float("nan"), np.float64("nan"), pandas.NA, pandas.NaT):
        frame = pandas.DataFrame(IDS[:2], columns=["head", "relation", "tail"], dtype=object)
        frame.loc[1, "tail"] = nothing
        for form in (frame, [IDS[0], (*IDS[1][:2], nothing)]):
            assert np.isnan(scorer.score(form, on_missing="skip")).tolist() == [False, True]
            with pytest.raises(DataError, match=r"triple 1: the entity is '.*' .*; give an id"):
                scorer.score(form)
    assert len(said) == 10


def test_a_blank_node_is_read_as_its_label(scorer: TripleScorer) -> None:
    rdflib = pytest.importorskip("rdflib")
    _, relation, tail = IDS[0]
    found = scorer.score((rdflib.BNode("b0"), relation, tail), on_missing="id")
    assert found == scorer.score((":b0", relation, tail), on_missing="text")  # as in training


def test_bad_input_is_one_clear_line(scorer: TripleScorer) -> None:
    head, relation, tail = IDS[0]
    pandas = pytest.importorskip("pandas")
    for wrong, message in (
        ((head, "likes", tail), "triple 0: 'likes' is neither id nor text of any relation"),
        ([IDS[0], ("", relation, tail)], "triple 1: the entity is '', no text"),
        ([(*IDS[0], "1")], r"triple 0: 4 parts; expected head, relation, tail"),
        ([IDS[0], IDS[1][:2]], "triple 1: 2 parts"),
        ((head, relation), "triple 0: 2 parts"),
        ([head], "triple 0: 1 part; expected"),
        (dict(zip(("head", "relation", "tail"), IDS[0], strict=True)), "a dict is no list of rows"),
        ([IDS[0], {"head": head, "relation": relation, "tail": tail}], "triple 1: a dict has no"),
        ([{head, relation, tail}], r"triple 0: a set has no .*; give \(head, relation, tail\)"),
        (b"abc", "a bytes is no list"),
        ([b"abc"], "triple 0: a bytes has no parts"),
        (torch.zeros(3), "triple 0: 1 part;"),
        ("sodium is a metal", "is a text; give a triple"),
        (3, "is no triple"),
        (np.array("sodium"), "is no triple"),
        ([(head, relation, None)], r"triple 0: the entity is 'None' \(NoneType\)"),
        ([(head, True, tail)], r"the relation is 'True' \(bool\)"),
        (np.array([[0, 0, 10_000]]), "row 0: there is no entity 10000; numbers go from 0 to"),
        (np.array([[-1, 0, 0]]), "there is no entity -1"),
        (np.zeros((2, 4), dtype=int), r"shape \(2, 4\); expected \(n, 3\): head, relation, tail"),
        (pandas.DataFrame({"head": ["a"], "rel": ["b"], "tail": ["c"]}), "no column 'relation'"),
    ):
        with pytest.raises(DataError, match=message) as caught:
            scorer.score(wrong)
        assert "\n" not in str(caught.value)
    rdflib = pytest.importorskip("rdflib")
    with pytest.raises(DataError, match=r"triple 0: .*surrogate"):
        scorer.score((head, relation, rdflib.Literal("\ud800")))
    for wrong in ({1: "one"}, {"X1": " "}, {"X1": None}):
        with pytest.raises(DataError, match=r"entity .*(an id is a string|has an empty text)"):
            scorer.entities.having(wrong)
    for nothing in ('""', '"  "@en', rdflib.Literal("")):
        for on_missing in ("text", "id"):
            with pytest.raises(DataError, match=r"triple 1: the entity is '\s*', no text"):
                scorer.score([IDS[0], (nothing, relation, tail)], on_missing=on_missing)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="holds nothing to read"):
        scorer.score(("\u200b", relation, tail), on_missing="text")
    for setting, message in (
        ({"output": "prob"}, "no output 'prob'; known are probability"),
        ({"output": "calibrated"}, "nothing is calibrated yet"),
        ({"on_missing": "ignore"}, "known are error, id, text, skip"),
    ):
        with pytest.raises(SettingsError, match=message):
            scorer.score(IDS, **setting)  # type: ignore[arg-type]


def test_classes_follow_the_thresholds(scorer: TripleScorer, scores: Any) -> None:
    differences = scorer.score(IDS, output="logit_difference")
    assert scorer.thresholds is not None
    overall, of_relation = (
        scorer.thresholds.thresholds.overall,
        scorer.thresholds.thresholds.of_relation,
    )
    own = np.where(ROWS[:, 1] == ROWS[0, 1], of_relation[int(ROWS[0, 1])], overall)
    assert np.array_equal(scorer.classify(IDS), differences >= own)
    assert np.array_equal(scorer.classify(IDS, threshold="global"), differences >= overall)
    assert not np.array_equal(scorer.classify(IDS), scorer.classify(IDS, threshold="global"))
    middle = float(np.median(scores))
    assert np.array_equal(scorer.classify(IDS, threshold=middle), scores >= middle)
    assert 0 < scorer.classify(IDS, threshold=middle).sum() < len(IDS)
    for wrong in (1.5, -0.1, float("nan")):
        with pytest.raises(SettingsError, match="from 0 to 1"):
            scorer.classify(IDS, threshold=wrong)
    for wrong in (None, "rel", [0.5]):  # type: ignore[assignment]
        with pytest.raises(SettingsError, match="give relation, global, or a number"):
            scorer.classify(IDS, threshold=wrong)
    with pytest.raises(SettingsError, match="on every triple"):
        scorer.classify(IDS, on_missing="skip")


def test_calibration_is_kept_in_the_run(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    scorer = TripleScorer.from_pretrained(run)
    differences = scorer.score(IDS, output="logit_difference")
    middle = np.median(differences)
    true = [row for row, value in zip(IDS, differences, strict=True) if value > middle]
    false = [row for row, value in zip(IDS, differences, strict=True) if value <= middle]
    calibrator = scorer.calibrate(true, false, method="isotonic")
    calibrated = scorer.score(IDS, output="calibrated")
    assert np.array_equal(calibrated, calibrator.probabilities(differences))
    assert np.array_equal(calibrated > 0.5, differences > middle)
    labels = [1] * len(true) + [0] * len(false)
    assert scorer.calibrate(true + false, labels=labels, method="isotonic") == calibrator
    calibrator.write(run)
    again = TripleScorer.from_pretrained(run)
    assert np.array_equal(again.score(IDS, output="calibrated"), calibrated)
    (run / "calibrator.json").write_text("{}")
    with pytest.raises(RunError, match=r"calibrator\.json: damaged"):
        TripleScorer.from_pretrained(run)
    for triples, wrong in (
        (IDS[:2], [0.7, 0.2]), (IDS[:2], [1, -1]), (IDS[:2], ["1", "0"]), (IDS[:2], [[1], [0]]),
        (IDS[:2], [1, 0, 1]), (IDS[:2], 1),
    ):  # fmt: skip
        with pytest.raises(DataError, match="expected as many labels, 0 or 1"):
            scorer.calibrate(triples, labels=wrong)
    with pytest.raises(DataError, match="1 true and 0 false triples"):
        scorer.calibrate(IDS[0], labels=1)
    with pytest.raises(SettingsError, match="or triples with their labels"):
        scorer.calibrate(true)
    with pytest.raises(SettingsError, match="has no thresholds"):
        scorer.classify(IDS)


def test_a_model_folder_takes_every_string_as_a_text(
    folder: Path, tmp_path: Path, scores: Any
) -> None:
    for name in ("config.json", "model.safetensors", "tokenizer.json", "vocab.txt"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    bare = TripleScorer.from_pretrained(tmp_path)
    texts = [
        (DATA.texts.entity(h), DATA.texts.relation(r), DATA.texts.entity(t))
        for h, r, t in ROWS[:30].tolist()  # none of which is cut in the run
    ]
    assert np.array_equal(bare.score(texts), scores[:30])
    with_data = TripleScorer.from_pretrained(tmp_path, texts=DATA)
    assert np.array_equal(with_data.score(ROWS[:5]), with_data.score(IDS[:5]))
    with pytest.raises(CheckpointError):
        TripleScorer.from_pretrained(tmp_path / "absent")


def test_another_graph_is_refused_or_said(folder: Path, scores: Any) -> None:
    other = dataclasses.replace(DATA, fingerprint="0" * 64, name="other")
    with pytest.raises(RunError, match="other: is not the data that"):
        TripleScorer.from_pretrained(folder, texts=other)
    said: list[str] = []
    allowed = TripleScorer.from_pretrained(
        folder, texts=other, allow_other_graph=True, announce=said.append
    )
    assert len(said) == 1 and "other is not the data" in said[0]
    assert np.array_equal(allowed.score(ROWS), scores)
    assert np.array_equal(TripleScorer.from_pretrained(folder, texts=DATA).score(IDS), scores)


def test_another_precision_is_refused(folder: Path) -> None:
    with pytest.raises(SettingsError, match="no precision 'fp16'; known are 32, bf16"):
        TripleScorer.from_pretrained(folder, precision="fp16")  # type: ignore[arg-type]


def test_low_precision_is_near(folder: Path, scorer: TripleScorer) -> None:
    low = TripleScorer.from_pretrained(folder, precision="bf16")
    found = low.score(IDS, output="logit_difference")
    exact = scorer.score(IDS, output="logit_difference")
    assert 0 < np.abs(found - exact).max() < 0.2
    # Heads stay in 32 bits; in bfloat16 scores of about 1 would be 1/128 apart, and tie.
    assert len(np.unique(found)) > 0.9 * len(np.unique(exact)) > 100


def test_low_precision_leaves_the_network_as_it_was(scorer: TripleScorer) -> None:
    network, tokenizer = scorer.engine.network, scorer.engine.tokenizer
    low = TextEngine(network, tokenizer, max_length=20, precision="bf16")
    assert {weight.dtype for weight in network.parameters()} == {torch.float32}
    kinds = {name: weight.dtype for name, weight in low.network.classifier.named_parameters()}
    assert {kind for name, kind in kinds.items() if ".layers." in name} == {torch.bfloat16}
    assert kinds["classifier.weight"] == torch.float32


def test_thresholds_follow_their_relations_into_another_graph(folder: Path) -> None:
    """A data set that numbers relations otherwise: each relation keeps its own threshold."""
    order = list(range(len(DATA.relations)))[::-1]
    turned = dataclasses.replace(
        DATA,
        relations=tuple(DATA.relations[i] for i in order),
        texts=Texts(DATA.texts.entities, tuple(DATA.texts.relations[i] for i in order)),
        fingerprint="0" * 64,
    )
    other = TripleScorer.from_pretrained(folder, texts=turned, allow_other_graph=True)
    plain = TripleScorer.from_pretrained(folder)
    assert np.array_equal(other.classify(IDS), plain.classify(IDS))
    assert 0 < plain.classify(IDS).sum() < len(IDS)
    fewer = dataclasses.replace(
        turned, relations=("x", *turned.relations[1:]), fingerprint="1" * 64
    )
    some = TripleScorer.from_pretrained(folder, texts=fewer, allow_other_graph=True)
    assert some.thresholds is not None
    kept = {some.relations.ids[i] for i in some.thresholds.thresholds.of_relation}
    assert kept <= {DATA.relations[int(ROWS[0, 1])]}


TURTLE = """
@prefix : <http://example.org/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
:q1 rdfs:label "rubidium iodide"@en ; :p1 :q2 ; :mass 212.4 .
:q2 rdfs:label "iodine"@en .
:p1 rdfs:label "is made of"@en .
"""


def test_a_graph_gives_texts_to_what_is_new(folder: Path, scorer: TripleScorer) -> None:
    rdflib = pytest.importorskip("rdflib")
    graph = rdflib.Graph().parse(data=TURTLE, format="turtle")
    store = TripleStore.from_rdflib(graph, languages=["en"])
    base = "http://example.org/"
    head, relation, tail = IDS[0]
    for known in (graph, store):
        knows = TripleScorer.from_pretrained(folder, texts=known)
        assert knows.entities.ids[: len(DATA.entities)] == DATA.entities
        found = knows.score(
            [(base + "q1", relation, tail), (head, base + "p1", rdflib.URIRef(base + "q2"))]
        )
        wanted = scorer.score(
            [("rubidium iodide", relation, tail), (head, "is made of", "iodine")], on_missing="text"
        )
        assert np.array_equal(found, wanted)
        assert knows.score(IDS[0]) == scorer.score(IDS[0])  # what was learnt keeps its text
        ranked = knows.rank(head=base + "q1", relation=base + "p1", known=known, top_k=None)
        assert base + "q2" not in {each.id for each in ranked}
        assert len(ranked) == len(knows.entities) - 1
    plain = TripleScorer.from_pretrained(
        folder, texts=TripleStore.from_triples([("francium", relation, tail)])
    )
    assert len(plain.entities) == len(DATA.entities) + 1
    assert plain.score(("francium", relation, tail)) == scorer.score(
        ("francium", relation, tail), on_missing="text"
    )
    with pytest.raises(DataError, match="texts is a int; give texts by id"):
        TripleScorer.from_pretrained(folder, texts=3)


def test_a_graph_of_rdflib_is_scored_as_its_triples(scorer: TripleScorer, scores: Any) -> None:
    rdflib = pytest.importorskip("rdflib")
    graph = rdflib.Graph()
    for row in IDS[:7]:
        graph.add(tuple(rdflib.URIRef("urn:graphs:" + part) for part in row))
    store = TripleStore.from_rdflib(graph)
    assert set(store) == set(IDS[:7])
    found = dict(zip(store, scorer.score(graph).tolist(), strict=True))
    assert [found[row] for row in IDS[:7]] == scores[:7].tolist()


def test_streams_are_read_once(scorer: TripleScorer, scores: Any) -> None:
    def rows() -> Iterator[tuple[str, str, str]]:
        yield from IDS[:4]

    assert np.array_equal(scorer.score(rows()), scores[:4])
