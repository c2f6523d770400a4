"""Data sets of the hub, without a network: made in memory, handed to the reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pytest

from kbert.columns import Columns
from kbert.data import label_names, load_splits
from kbert.errors import DataError
from kbert.examples import TaggedExample, TextExample
from kbert.hub import is_hub_id, table_of

SENTIMENT = datasets.Features(
    {"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
)
TAGGING = datasets.Features(
    {
        "id": datasets.Value("int32"),
        "tokens": datasets.List(datasets.Value("string")),
        "ner_tags": datasets.List(datasets.ClassLabel(names=["O", "B-L"])),
        "meta": {"source": datasets.Value("string")},
    }
)


def sentiment(labels: list[int]) -> datasets.Dataset:
    rows = {"sentence": [f"s{n}" for n in range(len(labels))], "label": labels}
    return datasets.Dataset.from_dict(rows, features=SENTIMENT)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str | None], Any]:
    """Answer the hub's one call from a mapping of (id, configuration)."""
    contents: dict[tuple[str, str | None], Any] = {}

    def load_dataset(source: str, config: str | None) -> Any:
        content = contents[source, config]
        if isinstance(content, Exception):
            raise content
        return datasets.DatasetDict(content)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr("kbert.nn.hub.has_dataset", lambda name: True)
    return contents


def test_class_numbers_become_names(hub: dict[tuple[str, str | None], Any]) -> None:
    hub["o/sst", "sst2"] = {
        "train": sentiment([1, 0]),
        "validation": sentiment([1]),
        "test": sentiment([-1, -1]),
        "extra": sentiment([0]),
    }
    lines: list[str] = []
    splits = load_splits(
        "o/sst", task="classification", columns=Columns(), config="sst2", announce=lines.append
    )
    assert splits.train == (
        TextExample("s0", None, "good", "o/sst/train:1"),
        TextExample("s1", None, "bad", "o/sst/train:2"),
    )
    assert splits.dev == (TextExample("s0", None, "good", "o/sst/validation:1"),)
    assert splits.test == ()
    assert label_names(splits) == ("bad", "good")
    assert lines == [
        "no folder or file o/sst here: asking the hub",
        "o/sst: other splits, not used: extra",
        "o/sst/test: none of 2 rows has a label: no test set",
        "train: 2 rows from o/sst/train, columns 'sentence', 'label'",
        "dev: 1 rows from o/sst/validation, columns 'sentence', 'label'",
    ]


def test_rows_without_label_are_not_left_out(hub: dict[tuple[str, str | None], Any]) -> None:
    for split in ("train", "test"):
        hub["sst", None] = {"train": sentiment([0]), split: sentiment([0, -1])}
        with pytest.raises(DataError, match=rf"sst/{split}:2: no label"):
            load_splits("sst", task="classification", columns=Columns(), announce=print)
    hub["sst", None] = {"train": sentiment([-1])}
    with pytest.raises(DataError, match=r"sst/train:1: no label"):
        load_splits("sst", task="classification", columns=Columns(), announce=print)


def test_tags_of_class_lists(hub: dict[tuple[str, str | None], Any]) -> None:
    rows = {
        "id": [5],
        "tokens": [["in", "Rome"]],
        "ner_tags": [[0, 1]],
        "meta": [{"source": "x"}],
    }
    split = datasets.Dataset.from_dict(rows, features=TAGGING)
    assert table_of(split, file="f").columns == ("id", "tokens", "ner_tags")
    hub["ner", None] = {"train": split}
    splits = load_splits("ner", task="tagging", columns=Columns(), announce=print)
    assert splits.train == (TaggedExample(("in", "Rome"), ("O", "B-L"), "ner/train:1"),)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("Couldn't reach 'o/sst' on the Hub"),
        ValueError("Config name is missing.\nPlease pick one among the available configs: ['a']"),
        RuntimeError("Dataset scripts are no longer supported, but found sst.py"),
        datasets.exceptions.DatasetNotFoundError("Dataset 'o/sst' doesn't exist on the Hub"),
    ],
)
def test_the_hubs_errors_are_one_line(
    hub: dict[tuple[str, str | None], Any], error: Exception
) -> None:
    hub["o/sst", None] = error
    with pytest.raises(DataError) as caught:
        load_splits("o/sst", task="classification", columns=Columns(), announce=print)
    text = str(caught.value)
    assert text.startswith("o/sst: no such file or folder here, and the hub did not give it (")
    assert str(error).split("\n")[-1] in text
    assert "\n" not in text


def test_lists_with_nothing_in_a_place_are_reported_with_their_row(
    hub: dict[tuple[str, str | None], Any],
) -> None:
    features = datasets.Features({name: TAGGING[name] for name in ("tokens", "ner_tags")})
    rows = {"tokens": [["in", "Rome"]] * 2, "ner_tags": [[0, 1], [0, None]]}
    split = datasets.Dataset.from_dict(rows, features=features)
    assert table_of(split, file="f").rows[1].cells == (["in", "Rome"], ["O", None])
    hub["ner", None] = {"train": split}
    with pytest.raises(DataError, match=r"^ner/train:2: the tags must be .*\['O', None\]"):
        load_splits("ner", task="tagging", columns=Columns(), announce=print)


@pytest.mark.parametrize("name", ["my_folder", "my_data/folder"])
def test_a_folder_that_is_mistyped_is_said_to_be_absent_before_the_hub_is_asked(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub is asked once: `datasets` alone would try for half a minute without a network."""
    lines: list[str] = []
    answers: list[bool | None] = []

    def has_dataset(source: str) -> bool | None:
        assert lines == [f"no folder or file {source} here: asking the hub"]
        return answers[-1]

    def load_dataset(source: str, config: str | None) -> Any:
        assert answers[-1] is None, "the hub said no"
        assert datasets.config.HF_HUB_OFFLINE
        raise ConnectionError("Offline mode is enabled.")

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr("kbert.nn.hub.has_dataset", has_dataset)
    for answer, said in ((None, "the hub does not answer"), (False, "no such data set on the hub")):
        lines.clear()
        answers.append(answer)
        with pytest.raises(DataError) as caught:
            load_splits(name, task="pair", columns=Columns(), announce=lines.append)
        assert str(caught.value) == (
            f"{name}: no such file or folder here, and {said}; check the spelling and the network,"
            " or give a folder with train, dev and test files"
        )
        assert datasets.config.HF_HUB_OFFLINE is False


def test_without_an_answer_a_kept_copy_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = tmp_path / "o___sst" / "default" / "0.0.0" / "abc"
    made = sentiment([1, 0])
    made.save_to_disk(tmp_path / "made")
    kept.mkdir(parents=True)
    (tmp_path / "made" / "data-00000-of-00001.arrow").rename(kept / "sst-train.arrow")
    info = {
        "builder_name": "parquet", "dataset_name": "sst", "config_name": "default",
        "version": {"version_str": "0.0.0", "major": 0, "minor": 0, "patch": 0},
        "features": json.loads(json.dumps(SENTIMENT.to_dict())),
        "splits": {"train": {"name": "train", "num_examples": 2, "dataset_name": "sst"}},
    }  # fmt: skip
    (kept / "dataset_info.json").write_text(json.dumps(info), encoding="utf-8")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("kbert.nn.hub.has_dataset", lambda name: None)
    splits = load_splits("o/sst", task="classification", columns=Columns(), announce=print)
    assert [example.label for example in splits.train] == ["good", "bad"]


def test_no_training_split(hub: dict[tuple[str, str | None], Any]) -> None:
    hub["o/sst", None] = {"test": sentiment([0])}
    with pytest.raises(DataError, match="expected a split train, found test"):
        load_splits("o/sst", task="classification", columns=Columns(), announce=print)


def test_what_could_be_a_hub_id() -> None:
    assert all(map(is_hub_id, ["sst2", "nyu-mll/glue", "a/b.c_d", "seamew/ChnSentiCorp"]))
    paths = ["", "a/b/c", "./a", "../a", "~/a", "/a", "a/", "a//b", "a b", "语料", "a/train.tsv"]
    assert not any(map(is_hub_id, [*paths, "train.jsonl.gz", "x.parquet", "-a", "a\n"]))
