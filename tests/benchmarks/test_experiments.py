"""What the quality benchmark compares: recipes that hold, and arms that differ in one setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.experiments import NAMES, experiment, recipe_file
from kbert.errors import DataError
from kbert.settings import TrainSettings, settings_from

VARIABLES = ("KBERT_DATA", "KBERT_SST", "KBERT_TREC", "KBERT_MINILM")
RECIPES = ("chnsenticorp", "medical_ner", "sst_minilm", "trec_dbpedia", "trec_minilm")


def settings(recipe: str, monkeypatch: pytest.MonkeyPatch) -> TrainSettings:
    for variable in VARIABLES:
        monkeypatch.setenv(variable, f"/{variable}")
    return settings_from(recipe_file(recipe), {"kg": "none", "seed": 3})


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_are_complete_settings(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(recipe, monkeypatch)
    assert found.kg == "none" and found.seed == 3
    assert found.data.startswith("/KBERT_")


def test_trec_is_the_same_from_scratch_and_pre_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    scratch, given = (settings(name, monkeypatch) for name in ("trec_dbpedia", "trec_minilm"))
    for name in ("data", "fold_case", "kg_languages", "allow_relations", "max_length"):
        assert getattr(scratch, name) == getattr(given, name), name


def test_trec_without_the_graph_has_the_same_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    # A learnt one would read the graph, and the arms would differ in more than it.
    assert settings("trec_dbpedia", monkeypatch).vocab is not None


@pytest.mark.parametrize(
    ("name", "missing"),
    [("chnsenticorp", r"HowNet\.spo"), ("medical_ner", r"Medical\.spo"), ("trec", r"dbo-.*\.ttl")],
)
def test_missing_parts_are_said_before_training(
    name: str, missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KBERT_DATA", str(tmp_path))
    with pytest.raises(DataError, match=missing):
        experiment(name, tmp_path)


@pytest.mark.data
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("sample", "sst")])
def test_arms_differ_in_the_graph_alone(
    name: str, tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KBERT_MINILM", "/some/folder")
    plan = experiment(name, tmp_path)
    flags = list(plan.arms.values())
    assert len(flags) == 2
    assert [flag[0] for flag in flags] == ["--kg", "--kg"]
    assert all(len(flag) == 2 for flag in flags)


@pytest.mark.data
def test_the_questions_of_trec_are_written_where_the_recipe_looks(
    tmp_path: Path, data_dir: Path
) -> None:
    questions = Path(experiment("trec", tmp_path).paths["KBERT_TREC"])
    assert questions.is_relative_to(tmp_path)
    assert {file.name for file in questions.iterdir()} == {"train.tsv", "dev.tsv", "test.tsv"}
