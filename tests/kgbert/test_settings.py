"""Settings of a training over triples: valid if they exist, written and read back, and recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kbert.errors import SettingsError
from kgbert.settings import KnowledgeTrainSettings, original_choices, settings_from
from kgbert.train import main

RECIPES = sorted((Path(__file__).resolve().parents[2] / "configs" / "kgbert").glob("*.yaml"))

# README of yao8839836/kg-bert: longest sequence, epochs, negatives of a triple, texts.
PUBLISHED = {
    "umls": ("link-prediction", 15, 5, 5, "name"),
    "wn18rr": ("link-prediction", 50, 5, 5, "both"),
    "fb15k237": ("link-prediction", 150, 5, 5, "description"),
    "wn11": ("triple-classification", 20, 3, 1, "name"),
    "fb13": ("triple-classification", 200, 3, 1, "name"),
    "fb15k237_relations": ("relation-prediction", 25, 20, 5, "name"),
}


def test_settings_read_back_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    for given in (
        KnowledgeTrainSettings(),
        KnowledgeTrainSettings(original=True, languages=("en",), learning_rate=2e-5, init="x"),
        KnowledgeTrainSettings(task="relation-prediction", original=True),
    ):
        path.write_text(given.to_yaml(), encoding="utf-8")
        assert settings_from(path, {}) == given


def test_original_takes_all_of_its_choices() -> None:
    assert original_choices(KnowledgeTrainSettings(original=True)) == {
        "negative_sides": "one", "negative_known": "train", "static_negatives": True,
        "truncation": "original", "score": "logit1", "ties": "optimistic", "keep": "last",
    }  # fmt: skip
    pairs = KnowledgeTrainSettings(original=True, task="relation-prediction")
    assert original_choices(pairs) == {
        "negative_sides": "both", "negative_known": "train", "static_negatives": False,
        "truncation": "longest", "score": "difference", "ties": "optimistic", "keep": "last",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "--epochs must be between 1 and 100000, was 0"),
        ({"task": "ranking"}, "--task must be one of triple-classification, link-prediction"),
        ({"original": True, "ties": "pessimistic"}, "contradicts --original, which is --ties opti"),
        ({"init": "x", "layers": 3}, "--layers is for an encoder from scratch; --init x has its o"),
        ({"task": "relation-prediction", "negatives": 2}, "--negatives has no effect on --task"),
        (
            {"task": "triple-classification", "validation_candidates": 2},
            "--validation-candidates is for --task link-prediction",
        ),
        ({"negative_method": "bernoulli", "negative_sides": "head"}, "bernoulli draws the side"),
        ({"valid_share": 0.5, "test_share": 0.5}, "leave nothing to train on"),
        ({"width": 100, "heads": 3}, "must be a multiple of --heads"),
        ({"max_length": 6}, "--max-length must be between 7"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        KnowledgeTrainSettings(**wrong)
    assert message in str(refused.value)


def test_flags_override_the_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("dataset: UMLS\nepochs: 3\n", encoding="utf-8")
    arguments = ["--config", str(path), "--epochs", "4", "--original", "--print-config"]
    assert main(arguments) == 0
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    expected = KnowledgeTrainSettings(dataset="UMLS", epochs=4, original=True)
    assert settings_from(path, {}) == expected


@pytest.mark.parametrize(
    "flags",
    [["--ties", "realistic"], ["--score", "difference"], ["--no-static-negatives"]],
)
def test_a_default_that_is_asked_for_contradicts_the_original(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*flags, "--original", "--print-config"]) == 2
    assert f"{flags[0].replace('--no-', '--')} " in (said := capsys.readouterr().err)
    assert "contradicts --original" in said
    path = tmp_path / "recipe.yaml"  # of a run: all settings, so none of them is a choice
    path.write_text(KnowledgeTrainSettings(dataset="UMLS").to_yaml(), encoding="utf-8")
    assert main(["--config", str(path), "--original", "--print-config"]) == 0
    assert main([*flags, "--print-config"]) == 0
    same = ["--ties", "optimistic", "--score", "logit1", "--static-negatives"]
    assert main([*same, "--original", "--print-config"]) == 0


def test_a_mistake_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--train-share", "2"]) == 2
    assert capsys.readouterr().err == (
        "error: --train-share must be between 1e-06 and 1.0, was 2.0\n"
    )


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_are_valid_and_as_published(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KBERT_BERT_CASED", "KBERT_BERT_UNCASED", "KBERT_MINILM"):
        monkeypatch.setenv(name, "a folder")
    found = settings_from(path, {})
    rate = 5e-5 if path.stem in PUBLISHED else 1e-4
    assert (found.batch_size, found.learning_rate, found.init) == (32, rate, "a folder")
    assert (found.warmup, found.schedule, found.weight_decay) == (0.1, "linear", 0.01)
    if path.stem in PUBLISHED:
        received = (found.task, found.max_length, found.epochs, found.negatives, found.texts)
        assert received == PUBLISHED[path.stem]
    settings_from(path, {"original": True})


def test_every_published_table_has_a_recipe() -> None:
    assert {path.stem for path in RECIPES} == {*PUBLISHED, "umls_minilm"}


@pytest.mark.parametrize(
    ("given", "epochs"),
    [
        ({}, 100),
        ({"task": "relation-prediction"}, 100),
        ({"epochs": 3}, 3),
        ({"init": "folder"}, 10),
        ({"dataset": "UMLS"}, 10),
    ],
)
def test_the_sample_from_scratch_takes_more_epochs(given: dict[str, Any], epochs: int) -> None:
    assert settings_from(None, given).epochs == epochs
    assert KnowledgeTrainSettings(**given).epochs == given.get("epochs", 10)


def test_a_recipe_is_taken_as_it_stands(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("dataset: sample\n", encoding="utf-8")
    assert settings_from(recipe, {}).epochs == 10
