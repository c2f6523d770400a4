"""Data sets of the hub, without a network: made in memory, handed to the reader."""

from __future__ import annotations

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
    assert text.startswith("o/sst: not a file or folder, and cannot be read from the hub: ")
    assert str(error).split("\n")[-1] in text
    assert "\n" not in text


def test_no_training_split(hub: dict[tuple[str, str | None], Any]) -> None:
    hub["o/sst", None] = {"test": sentiment([0])}
    with pytest.raises(DataError, match="expected a split train, found test"):
        load_splits("o/sst", task="classification", columns=Columns(), announce=print)


def test_what_could_be_a_hub_id() -> None:
    assert all(map(is_hub_id, ["sst2", "nyu-mll/glue", "a/b.c_d", "seamew/ChnSentiCorp"]))
    paths = ["", "a/b/c", "./a", "../a", "~/a", "/a", "a/", "a//b", "a b", "语料", "a/train.tsv"]
    assert not any(map(is_hub_id, [*paths, "train.jsonl.gz", "x.parquet", "-a", "a\n"]))
