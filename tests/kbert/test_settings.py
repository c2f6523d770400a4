"""Settings: defaults, then YAML, then flags; what is refused, and in which words."""

from __future__ import annotations

import argparse
import dataclasses
import math
import string
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbert.errors import SettingsError
from kbert.flags import HELP, add_flags
from kbert.settings import TrainSettings, flag, settings_from
from kbert.train import main

Recipe = Callable[[str], Path]


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    def write(text: str) -> Path:
        path = tmp_path / "recipe.yaml"
        path.write_bytes(text.encode())
        return path

    return write


def refused(path: Path | None = None, **overrides: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        settings_from(path, overrides)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def parsed(*arguments: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return vars(parser.parse_args(arguments))


def test_defaults_then_the_recipe_then_flags(recipe: Recipe) -> None:
    path = recipe("epochs: 7\nseed: 3\n")
    settings = settings_from(path, parsed("--seed", "4"))
    assert settings == TrainSettings(epochs=7, seed=4)
    assert settings_from(None, parsed()) == TrainSettings()


def test_a_flag_can_set_a_value_back_to_its_default(recipe: Recipe) -> None:
    path = recipe("epochs: 7\nrelation_text: false\n")
    epochs = str(TrainSettings().epochs)
    flags = parsed("--epochs", epochs, "--relation-text")
    assert settings_from(path, flags) == TrainSettings() != settings_from(path, {})


def test_an_empty_recipe_changes_nothing(recipe: Recipe) -> None:
    assert settings_from(recipe("# nothing yet\n"), {}) == TrainSettings()


def test_lists_by_flag_and_by_recipe(recipe: Recipe) -> None:
    by_flag = settings_from(None, parsed("--allow-relations", "首都", "is a"))
    by_recipe = settings_from(recipe("allow_relations: [首都, is a]\n"), {})
    assert by_flag == by_recipe == TrainSettings(allow_relations=("首都", "is a"))
    assert "must be a list of texts" in refused(recipe("allow_relations: 首都\n"))
    assert "must be a list of texts" in refused(recipe("stop_names: [1]\n"))


@pytest.mark.parametrize(("text", "value"), [("2e-5", 2e-5), ("1E+1", 10.0), (".5e-1", 0.05)])
def test_powers_of_ten_without_a_point_are_numbers(recipe: Recipe, text: str, value: float) -> None:
    assert settings_from(recipe(f"learning_rate: {text}\n"), {}).learning_rate == value


def test_whole_numbers_are_taken_where_a_number_may_have_a_fraction(recipe: Recipe) -> None:
    dropout = settings_from(recipe("dropout: 0\nprecision: 32\n"), {}).dropout
    assert dropout == 0.0 and isinstance(dropout, float)


def test_an_unknown_key_names_the_line_and_the_nearest_key(recipe: Recipe) -> None:
    path = recipe("seed: 1\nepoch: 2\n")
    assert refused(path) == f"{path}:2: unknown setting 'epoch'; did you mean epochs?"


def test_a_key_that_stands_twice_is_refused(recipe: Recipe) -> None:
    path = recipe("seed: 1\nepochs: 2\nseed: 3\n")
    assert refused(path) == f"{path}:3: seed stands in line 1 already"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs: many", "--epochs must be a whole number, was 'many'"),
        ("epochs: 2.5", "--epochs must be a whole number, was 2.5"),
        ("epochs: true", "--epochs must be a whole number, was True"),
        ("epochs:", "--epochs must be a whole number, was None"),
        ("cased: 1", "--cased must be true or false, was 1"),
        ("kg: 3", "--kg must be a text, was 3"),
        ("dropout: high", "--dropout must be a number, was 'high'"),
        ("learning_rate: 1.2.3e4", "--learning-rate must be a number, was '1.2.3e4'"),
        ("selection: best", "--selection must be one of first, rare, central, similar, was 'best'"),
        ("task: [pair]", "--task must be one of classification, pair, tagging, qa, was ['pair']"),
        ("epochs: 0", "--epochs must be between 1 and 100000, was 0"),
        ("dropout: .nan", "--dropout must be between 0.0 and 0.999, was nan"),
        ("learning_rate: .inf", "--learning-rate must be between 0.0 and 100.0, was inf"),
        ("max_fact_share: 1.5", "--max-fact-share must be between 0.0 and 1.0, was 1.5"),
        ("fact_dropout: -0.1", "--fact-dropout must be between 0.0 and 1.0, was -0.1"),
        ("max_per_relation: 0", "--max-per-relation must be between 1 and 1000, was 0"),
        ("kg_languages: en", "--kg-languages must be a list of texts, was 'en'"),
        ("stride: 64", "--stride is for --task qa, not for classification"),
        ("null_answers: true", "--null-answers is for --task qa, not for classification"),
        ("task: qa\ntext_column: x", "--text-column is for tables; --task qa reads SQuAD's JSON"),
        ("task: qa\nwindow: 257", "--window 257 is longer than a sequence, --max-length 256"),
        (
            "task: qa\nmax_question: 253",
            "--max-question must leave room for a window of the context: at most 252 of 256 tokens,"
            " was 253",
        ),
        (
            "task: qa\nnull_threshold: 1.0",
            "--null-threshold has no effect without --null-answers",
        ),
        ("repeat_mentions: 1", "--repeat-mentions must be true or false, was 1"),
        ("seed: -1", "--seed must be between 0 and 4294967295, was -1"),
        ('kg: "a\\0b"', "--kg must be a text in UTF-8, was 'a\\x00b'"),
        ("width: 30\nheads: 4", "--width must be a multiple of --heads, was 30 with 4 heads"),
    ],
)
def test_wrong_types_and_ranges(recipe: Recipe, text: str, message: str) -> None:
    """What one value alone is to blame for is said with its line; here that is the first one."""
    path = recipe(text + "\n")
    alone = " must be " in message and "\n" not in text
    place = f"{path}:1: " if alone else ""
    assert refused(path) == place + message


def test_a_wrong_value_is_told_with_the_line_that_it_comes_from(recipe: Recipe) -> None:
    path = recipe("kg: none\n\nepochs: 0\nseed: 1\n")
    assert refused(path).startswith(f"{path}:3: --epochs must be between")
    assert settings_from(path, {"epochs": 3}).epochs == 3
    with pytest.raises(SettingsError, match=r"^--seed must be between"):  # the flag is to blame
        settings_from(path, {"epochs": 3, "seed": -1})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("seed: 1\nepochs: [1\n", ":3: not YAML"),
        ("seed: 1\n\tepochs: 1\n", ":2: not YAML"),
        ("seed: 1\n---\nseed: 2\n", ":2: not YAML"),
        ("output: 2024-13-45\n", ": not YAML: month"),
        ("seed: " + "9" * 5000 + "\n", ":1: a number of more than 40 characters"),
        ("seed: 1\nepochs: " + "1:" * 5000 + "1\n", ":2: a number of more than 40 characters"),
        ("kg: " + "[" * 5000 + "\n", ":1: more than 8 levels deep"),
        ("kg: &a [x]\ndata: *a\n", ":1: anchors and aliases (& and *) are not read"),
        ("kg: a\nkg: *a\n", ":2: anchors and aliases (& and *) are not read"),
        ("seed: 1\nepochs: !!int 2\n", ":2: the tag tag:yaml.org,2002:int is not read"),
        ("!!map {seed: 1}\n", ":1: the tag tag:yaml.org,2002:map is not read"),
        ("#" * (1 << 18) + "\nseed: 1\n", ": more than 262,144 bytes; is this a recipe?"),
        ("kg: a\0b\n", ": not YAML"),
        ("- seed\n", ": a recipe is a list of `key: value` lines"),
        ("seed\n", ": a recipe is a list of `key: value` lines"),
        ("? [seed]\n: 1\n", ":1: unknown setting"),
    ],
)
def test_bad_yaml_has_a_place(recipe: Recipe, text: str, place: str) -> None:
    path = recipe(text)
    assert refused(path).startswith(f"{path}{place}")


def test_a_recipe_that_is_not_there_or_not_utf8(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.yaml").endswith(
        "no.yaml: cannot be read: No such file or directory"
    )
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"kg: caf\xe9\n")
    assert refused(path) == f"{path}: not UTF-8 at byte 7"


def test_yaml_tags_are_refused_and_run_nothing(recipe: Recipe, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    path = recipe(f"seed: 1\nkg: !!python/object/apply:pathlib.Path.mkdir [{trace}]\n")
    tag = "tag:yaml.org,2002:python/object/apply:pathlib.Path.mkdir"
    assert refused(path).startswith(f"{path}:2: the tag {tag} is not read")
    path = recipe("kg: !!python/module:antigravity\n")
    assert "python/module:antigravity is not read" in refused(path)
    assert not trace.exists() and "antigravity" not in sys.modules


def test_environment_variables(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KBERT_TEST", "语料")
    path = recipe("data: ${KBERT_TEST}/x\nstop_names: ['${KBERT_TEST}', '$${KBERT_TEST}']\n")
    settings = settings_from(path, {})
    assert settings.data == "语料/x"
    assert settings.stop_names == ("语料", "${KBERT_TEST}")
    monkeypatch.delenv("KBERT_TEST")
    assert refused(path) == f"{path}: the environment variable KBERT_TEST is not set"


def test_relative_paths_stay_as_they_were_written(recipe: Recipe) -> None:
    settings = settings_from(recipe("data: ../texts\noutput: runs/x\n"), {})
    assert (settings.data, settings.output) == ("../texts", "runs/x")


@pytest.mark.parametrize(
    "value", [{"layers": 3}, {"width": 64}, {"vocab": "v.txt"}, {"cased": True}, {"heads": 4}]
)
def test_sizes_beside_a_pretrained_encoder_are_refused(value: dict[str, Any]) -> None:
    (name,) = value
    message = f"{flag(name)} is for an encoder from scratch; --init folder has its own"
    assert refused(init="folder", **value) == message
    assert TrainSettings(**value) != TrainSettings()


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "kg": TEXTS | st.sampled_from(["${HOME}", "$${x}", "$$${x}", "null", "1e3", "no", "a: b"]),
        "output": st.none() | TEXTS,
        "stop_names": st.lists(TEXTS, max_size=3).map(tuple),
        "learning_rate": st.none() | st.floats(0.0, 100.0),
        "max_branches": st.none() | st.integers(0, 10_000),
        "max_fact_share": st.floats(0.0, 1.0),
        "max_per_relation": st.none() | st.integers(1, 1_000),
        "repeat_mentions": st.booleans(),
        "fact_dropout": st.floats(0.0, 1.0),
        "selection": st.sampled_from(["first", "rare", "central", "similar"]),
        "kg_languages": st.lists(TEXTS, max_size=3).map(tuple),
        "nfkc": st.booleans(),
        "precision": st.sampled_from(["32", "bf16"]),
    },
)


@given(changes=CHANGES)
def test_what_is_printed_reads_back_equal(
    changes: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = TrainSettings(**changes)
    path = tmp_path_factory.mktemp("recipes") / "recipe.yaml"
    path.write_text(settings.to_yaml(), encoding="utf-8", newline="")
    assert settings_from(path, {}) == settings


def test_print_config_is_read_back_by_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--kg", "${x}", "--learning-rate", "2e-5", "--deny-relations", "首都", "是"]
    assert main([*arguments, "--print-config"]) == 0
    first = capsys.readouterr().out
    path = tmp_path / "recipe.yaml"
    path.write_text(first, encoding="utf-8")
    assert main(["--config", str(path), "--print-config"]) == 0
    assert capsys.readouterr().out == first
    assert settings_from(path, {}) == settings_from(None, parsed(*arguments))
    assert first.count("\n") == len(dataclasses.fields(TrainSettings)) + 2  # a list of two


def test_print_config_checks_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--print-config", "--epochs", "0"]) == 2
    assert capsys.readouterr() == ("", "error: --epochs must be between 1 and 100000, was 0\n")


def test_each_setting_has_a_flag_with_help() -> None:
    fields = {field.name for field in dataclasses.fields(TrainSettings)}
    described = [name for group in HELP.values() for name in group]
    assert sorted(described) == sorted(fields)
    assert all(text.strip() for group in HELP.values() for text in group.values())
    parser = argparse.ArgumentParser()
    add_flags(parser)
    help_text = " ".join(parser.format_help().split())
    for field in dataclasses.fields(TrainSettings):
        assert flag(field.name) in help_text
        if isinstance(field.default, str | int | float) and field.default is not False:
            shown = "yes" if field.default is True else field.default
            assert f"(default: {shown})" in help_text


@pytest.mark.parametrize("command", ["train", "predict"])
def test_help_needs_neither_torch_nor_lightning(command: str) -> None:
    code = (
        f"import sys; from kbert.{command} import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'pytorch_lightning', 'datasets', 'tokenizers', 'yaml'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: python -m kbert.{command}")


@given(value=st.floats(allow_nan=True, allow_infinity=True))
def test_a_rate_that_is_accepted_is_a_rate(value: float) -> None:
    try:
        assert math.isfinite(TrainSettings(dropout=value).dropout)
    except SettingsError:
        assert not 0.0 <= value <= 0.999


@given(name=st.text(string.ascii_lowercase, min_size=1, max_size=6))
def test_a_flag_that_is_not_known_is_refused(name: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main([f"--x{name}", "1"])
    assert caught.value.code == 2
