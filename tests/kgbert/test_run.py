"""A run folder gives back what was written, refuses other data, and says what is damaged."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kbert
from kbert.errors import KbertError, RunError
from kbert.tokenizer import Tokenizer
from kgbert import TripleScorer
from kgbert.data import load_data
from kgbert.record import DataRecord, RunRecord
from kgbert.run import LABELS, Run, write_texts
from kgbert.settings import KnowledgeTrainSettings
from kgbert.stored_thresholds import StoredThresholds
from kgbert.text_tables import read_table, write_table
from kgbert.thresholds import Thresholds
from tests.kgbert.scoring import network

pytestmark = pytest.mark.usefixtures("unsealed")  # files are changed on purpose

DATA = load_data("sample")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
TRICKY = st.text(st.sampled_from("\\tnr\t\n\r\x85\u2028a "), max_size=8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    settings = KnowledgeTrainSettings(train_share=0.5, languages=("en", "de"))
    tokenizer = Tokenizer.train(DATA.texts.entities + DATA.texts.relations, lowercase=True)
    network(vocabulary=len(tokenizer)).save(tmp_path, labels=LABELS)
    tokenizer.save(tmp_path)
    data = DataRecord.of(DATA, used=217)
    RunRecord("link-prediction", LABELS, data, "a line", settings, {"x": "1"}).write(tmp_path)
    write_texts(tmp_path, DATA)
    return tmp_path


def test_a_run_that_has_not_ended_is_told_from_none(tmp_path: Path) -> None:
    (tmp_path / "a[1].partial-7-0be5f3a1").mkdir()
    for opens in (Run.open, TripleScorer.from_pretrained):
        with pytest.raises(RunError, match=r"no such run folder; .* --resume .*a\[1\]\.partial-7"):
            opens(tmp_path / "a[1]")
    with pytest.raises(RunError, match=r"no such run folder$"):
        Run.open(tmp_path / "a")


@given(st.dictionaries(TEXT | TRICKY, TEXT | TRICKY, max_size=6))
def test_tables_give_back_any_ids_and_texts(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[str, str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "table.tsv"
    write_table(path, list(rows), list(rows.values()))
    assert read_table(path) == (tuple(rows), tuple(rows.values()))
    assert len(path.read_bytes().split(b"\n")) == len(rows) + 1


def test_a_run_is_what_was_written(folder: Path) -> None:
    run = Run.open(folder)
    assert run.record.labels == LABELS and run.record.settings.languages == ("en", "de")
    assert run.record.data.used == 217 and run.record.versions == {"x": "1"}
    assert (run.entities, run.relations) == (DATA.entities, DATA.relations)
    assert run.texts.entities == DATA.texts.entities
    assert run.thresholds is None
    assert run.network().labels == 2
    laid_out = run.sequences()
    assert (laid_out.form, laid_out.max_length) == ("triple", 64)
    ids = laid_out.assemble(DATA.train[:1]).token_ids[0].tolist()
    names = [DATA.texts.entities[DATA.train[0, 0]], DATA.texts.relations[DATA.train[0, 1]]]
    read = run.tokenizer()
    assert ids[: ids.index(read.sep_id)] == [read.cls_id, *read.encode(names[0]).ids]
    assert run.load_data().fingerprint == DATA.fingerprint


def test_another_data_set_is_refused(folder: Path) -> None:
    other = dataclasses.replace(DATA, fingerprint="0" * 64, name="other")
    with pytest.raises(RunError, match=r"other: is not the data that .* was trained on .sample"):
        Run.open(folder).check_data(other)


def test_thresholds_are_given_back(tmp_path: Path) -> None:
    kept = StoredThresholds("difference", 7, "drawn", Thresholds(0.25, {3: -1.5, 11: 2.0}))
    assert StoredThresholds.read(tmp_path) is None
    kept.write(tmp_path)
    assert StoredThresholds.read(tmp_path) == kept
    decided = kept.thresholds.decide(np.array([0.0, 0.0]), relations=np.array([3, 4]))
    assert decided.tolist() == [True, False]


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("run.json", '"format": 1', '"format": 9', "format 9 is not the format 1"),
        ("run.json", '"protocol"', '"protokoll"', "damaged: 'protocol' is missing"),
        ("run.json", '"epochs": 10', '"epochs": "ten"', "damaged: --epochs must be a whole number"),
        ("run.json", '"kgbert_task": "link', '"kgbert_task": "wink', "its task is not what"),
        ("run.json", '"task": "kgbert"', '"task": "qa"', "not a run of kgbert.train, but of"),
        ("entities.tsv", "sodium\tsodium\n", "sodium\n", r"entities.tsv:3: damaged: 1 columns"),
        ("entities.tsv", "sodium\tsodium\n", "", r"entities.tsv: damaged: \d+ lines, but \d+ in"),
        ("relations.tsv", "is_a\t", "belongs_to\t", "'belongs_to' stands in it twice"),
    ],
)
def test_damage_is_one_line(folder: Path, file: str, old: str, new: str, message: str) -> None:
    path = folder / file
    before = path.read_text(encoding="utf-8")
    assert old in before
    path.write_text(before.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RunError, match=message):
        Run.open(folder)


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", '{"score": "difference", "triples": 1, "labels": "given", "overall": "x"}'],
)
def test_damaged_thresholds_are_one_line(folder: Path, content: str) -> None:
    (folder / "thresholds.json").write_text(content)
    with pytest.raises(RunError, match=r"thresholds\.json: damaged"):
        Run.open(folder)


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run folder"):
        Run.open(tmp_path / "absent")
    with pytest.raises(RunError, match=r"it has no run\.json"):
        Run.open(tmp_path)


def test_kbert_says_whose_run_it_is(folder: Path) -> None:
    assert json.loads((folder / "run.json").read_bytes())["task"] == "kgbert"
    with pytest.raises(KbertError, match=r"a run of kgbert\.train"):
        kbert.load(folder)
