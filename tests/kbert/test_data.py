"""Labelled data: splits, columns, labels; what loads as it is and what is refused, with places."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from kbert.columns import Columns, Task
from kbert.data import label_names, load_splits, overlap
from kbert.errors import DataError, SettingsError
from kbert.examples import Splits, TaggedExample, TextExample

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files into one folder and return it."""

    def writer(**files: str) -> Path:
        for name, content in files.items():
            (tmp_path / name.replace("__", ".")).write_text(content, encoding="utf-8", newline="")
        return tmp_path

    return writer


def load(source: str | Path, *, task: Task = "classification", **options: Any) -> Splits[Any]:
    options = {"columns": Columns(), "announce": lambda line: None} | options
    return load_splits(source, task=task, **options)


def refused(source: str | Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        label_names(load(source, **options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_k_berts_files_load_as_they_are(write: Write) -> None:
    folder = write(
        train__tsv='label\ttext_a\n1\tNA "好" \n0\tnull\n', dev__tsv="label\ttext_a\n1\t京\n"
    )
    splits = load(folder)
    assert splits.train == (
        TextExample('NA "好" ', None, "1", f"{folder}/train.tsv:2"),
        TextExample("null", None, "0", f"{folder}/train.tsv:3"),
    )
    assert splits.dev == (TextExample("京", None, "1", f"{folder}/dev.tsv:2"),)
    assert splits.test == ()


def test_pairs(write: Write) -> None:
    folder = write(train__tsv="label\ttext_a\ttext_b\n1\ta\tb\n")
    assert load(folder, task="pair").train[0].pair == "b"
    assert load(folder, task="classification").train[0].pair is None
    folder = write(train__tsv="label\ttext_a\ttext_b\n1\ta\t \n")
    assert refused(folder, task="pair") == f"{folder}/train.tsv:2: the second text is empty"
    assert "no column 'text_b' for the pair" in refused(
        write(train__tsv="label\ttext_a\n1\ta\n"), task="pair"
    )


def test_tagging_from_strings_and_lists(write: Write) -> None:
    folder = write(
        train__tsv="text_a\tlabel\n北 京 x\tB-L I-L O\n",
        dev__jsonl=json.dumps({"tokens": ["New York", "!"], "ner_tags": ["S-L", "O"]}),
    )
    splits = load(folder, task="tagging")
    assert splits.train == (
        TaggedExample(("北", "京", "x"), ("B-L", "I-L", "O"), f"{folder}/train.tsv:2"),
    )
    assert splits.dev[0] == TaggedExample(("New York", "!"), ("S-L", "O"), f"{folder}/dev.jsonl:1")


@pytest.mark.parametrize("name", ["dev.csv", "valid.csv", "validation.csv"])
def test_names_of_the_development_split(tmp_path: Path, name: str) -> None:
    for file in ("train.csv", name, "test.csv"):
        (tmp_path / file).write_text(f"sentence,label\n{file},0\n", encoding="utf-8")
    splits = load(tmp_path)
    assert [part[0].text for part in (splits.train, splits.dev, splits.test)] == [
        "train.csv",
        name,
        "test.csv",
    ]


def test_one_file_is_all_training(write: Write) -> None:
    folder = write(test__csv="text,label\na,0\n")
    splits = load(str(folder / "test.csv"))
    assert (len(splits.train), splits.dev, splits.test) == (1, (), ())


def test_what_was_read_is_announced(write: Write) -> None:
    lines: list[str] = []
    folder = write(train__csv="sentence,note,labels\na,,0\nb,,1\n")
    load(folder, announce=lines.append)
    said = f"train: 2 rows from {folder}/train.csv, columns 'sentence', 'labels'"
    assert lines == [f"{said} (not used: 'note')"]


def test_files_with_other_names_are_announced(write: Write) -> None:
    good = "text,label\na,0\n"
    folder = write(
        train__csv=good, test2__csv=good, dev_matched__csv=good, dev__csv=good, notes__txt=""
    )
    lines: list[str] = []
    load(folder, announce=lines.append)
    assert lines[0] == f"{folder}: other files, not used: dev_matched.csv, test2.csv"
    assert len(lines) == 3


def test_several_files_for_a_split_are_refused(write: Write) -> None:
    folder = write(train__csv="text,label\na,0\n", valid__tsv="", dev__json="")
    assert refused(folder) == (
        f"{folder}: {folder}/dev.json and {folder}/valid.tsv could all be dev; keep one"
    )


def test_no_training_data_is_refused(write: Write) -> None:
    folder = write(dev__csv="text,label\na,0\n", train__txt="a")
    assert "no training data: expected train.tsv (or .tsv, .tsv.gz" in refused(folder)
    assert refused(folder).endswith("found dev")


@pytest.mark.parametrize(
    "name", ["none.tsv", "data/none.tsv", "./none", "~/none/x", "~nobody/x", "a/b/c"]
)
def test_a_path_that_is_not_there_is_never_a_hub_id(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert refused(name) == f"{name}: no such file or folder"


def test_a_name_that_the_system_refuses_is_one_line() -> None:
    assert "File name too long" in refused("a" * 5000)


def test_a_configuration_of_a_local_file_is_refused(write: Write) -> None:
    with pytest.raises(SettingsError, match="'sst2' names a configuration on the hub"):
        load(write(train__csv="text,label\na,0\n"), config="sst2")


def test_columns_that_the_user_names(write: Write) -> None:
    folder = write(train__csv="text,title,score\na,b,1\n")
    splits = load(folder, columns=Columns(text="title", label="score"))
    assert (splits.train[0].text, splits.train[0].label) == ("b", "1")
    message = refused(folder, columns=Columns(text="titel", label="score"))
    assert message == (
        f"{folder}/train.csv: no column 'titel' for the text; did you mean 'title'? "
        "its columns are 'text', 'title', 'score'; name one with --text-column"
    )
    assert "'title', 'title'" in refused(folder, columns=Columns(text="title", label="title"))


def test_a_default_column_goes_before_its_aliases(write: Write) -> None:
    folder = write(train__csv="text,text_a,labels,label\nno,yes,9,1\n")
    splits = load(folder)
    assert (splits.train[0].text, splits.train[0].label) == ("yes", "1")


def test_several_aliases_are_not_chosen_from(write: Write) -> None:
    folder = write(train__csv="text,sentence,label\na,b,0\n")
    assert "which column is the text, 'text' or 'sentence'? Name it with --text-column" in refused(
        folder
    )


def test_each_split_needs_its_labels(write: Write) -> None:
    folder = write(train__csv="text,label\na,0\n", test__csv="text\na\n")
    assert "test.csv: no column 'label' for the label" in refused(folder)
    folder = write(train__csv="text,label\na,0\n", test__csv="text,label\na,\n")
    assert "test.csv:2: no label" in refused(folder)
    folder = write(train__csv="text,label\na,0\n", test__csv="text,label\n")
    assert "test.csv: holds no rows for test" in refused(folder)


def test_labels_become_strings(write: Write) -> None:
    labels = ["x", 3, -1, True, False, "3.5"]
    folder = write(train__jsonl="\n".join(json.dumps({"text": "a", "label": v}) for v in labels))
    assert [example.label for example in load(folder).train] == [
        "x", "3", "-1", "true", "false", "3.5",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "", "label": 1}, "the text is empty"),
        ({"text": " \u3000\n", "label": 1}, "the text is empty"),
        ({"text": None, "label": 1}, "the text must be a string, not missing"),
        ({"text": 5, "label": 1}, "the text must be a string, not int 5"),
        ({"text": "a\ud800", "label": 1}, "half of a surrogate pair, \\ud800"),
        ({"text": "a", "label": None}, "no label"),
        ({"text": "a"}, "no label"),
        ({"text": "a", "label": " "}, "no label"),
        ({"text": "a", "label": 1.0}, "a string or a whole number, not float 1.0"),
        ({"text": "a", "label": ["O"]}, "a string or a whole number, not list ['O']"),
    ],
)
def test_cells_that_are_no_example(write: Write, row: object, message: str) -> None:
    good = {"text": "a", "label": "0"}
    folder = write(train__jsonl=f"{json.dumps(good)}\n{json.dumps(row)}\n")
    error = refused(folder)
    assert error.startswith(f"{folder}/train.jsonl:2: ")
    assert message in error


@pytest.mark.parametrize(
    ("words", "tags", "message"),
    [
        ("a b", "O", "2 words, but 1 tags"),
        ("a  b", "O O O", "word 2 of 3 is empty; single spaces separate them"),
        ("a b ", "O O", "word 3 of 3 is empty"),
        ("a b", "O  O", "tag 2 of 3 is empty"),
        ("", "O", "no words"),
        ("a", "", "no tags"),
        (["a", ""], ["O", "O"], "word 2 of 2 is empty"),
        ([], [], "no words"),
        (["\u3000", " "], ["O", "O"], "the text is empty"),
        (["a"], [1], "not list [1]"),
        (["a"], None, "no tags"),
        ("a b", "O LOC", "'LOC' is not a tag"),
        ("a b", "O M-LOC", "'M-LOC' is not a tag"),
        ("a b", "O B-", "'B-' is not a tag"),
    ],
)
def test_rows_that_are_no_tagged_example(
    write: Write, words: object, tags: object, message: str
) -> None:
    good = {"words": ["a"], "tags": ["O"]}
    bad = {"words": words, "tags": tags}
    folder = write(train__jsonl=f"{json.dumps(good)}\n{json.dumps(bad)}\n")
    error = refused(folder, task="tagging")
    assert error.startswith(f"{folder}/train.jsonl:2: ")
    assert message in error


def test_parquet(tmp_path: Path) -> None:
    columns = {"sentence1": ["a", "b"], "sentence2": ["NA", "c"], "label": [0, 1], "idx": [7, 8]}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "train.parquet")
    splits = load(tmp_path, task="pair")
    place = f"{tmp_path}/train.parquet"
    assert splits.train == (
        TextExample("a", "NA", "0", f"{place}:1"),
        TextExample("b", "c", "1", f"{place}:2"),
    )


def text_splits(train: list[str], dev: list[str]) -> Splits[TextExample]:
    return Splits(
        tuple(TextExample("x", None, label, f"train.tsv:{n}") for n, label in enumerate(train, 2)),
        tuple(TextExample("x", None, label, f"dev.tsv:{n}") for n, label in enumerate(dev, 2)),
        (),
    )


def tagged_splits(train: list[str], dev: list[str]) -> Splits[TaggedExample]:
    return Splits(
        tuple(TaggedExample(("w",), (tag,), f"train.tsv:{n}") for n, tag in enumerate(train, 2)),
        (),
        tuple(TaggedExample(("w",), (tag,), f"C:\\dev.tsv:{n}") for n, tag in enumerate(dev, 2)),
    )


def test_labels_are_in_a_fixed_order() -> None:
    assert label_names(text_splits(["10", "9", "-1", "9"], ["9"])) == ("-1", "9", "10")
    assert label_names(text_splits(["10", "9", "x"], [])) == ("10", "9", "x")
    assert label_names(text_splits(["01", "1", "0"], [])) == ("0", "01", "1")
    assert label_names(text_splits(["P", "O", "N"], [])) == ("N", "O", "P")
    assert label_names(tagged_splits(["I-A", "B-A", "O"], [])) == ("O", "B-A", "I-A")
    assert label_names(tagged_splits(["B-A"], ["O"])) == ("O", "B-A")


def test_a_label_unseen_in_training_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        label_names(text_splits(["0", "1"], ["1", "2"]))
    assert str(caught.value) == (
        "dev.tsv:3: label '2' does not occur in training, whose labels are ('0', '1')"
    )
    assert (caught.value.file, caught.value.line) == ("dev.tsv", 3)
    with pytest.raises(DataError, match=r"dev.tsv:2: label 'I-B' does not occur"):
        label_names(tagged_splits(["B-A", "O"], ["I-B"]))
    with pytest.raises(DataError, match=r"dev.tsv:2: label 'O' does not occur"):
        label_names(text_splits(["0", "1"], ["O"]))


def test_overlap_counts_test_examples() -> None:
    def example(text: str, pair: str | None = None) -> TextExample:
        return TextExample(text, pair, "0", "f:1")

    train = (example("a"), example("a"), example("b", "c"))
    test = (example("a"), example("b"), example("b", "c"), example("a"), example("d"))
    assert overlap(Splits(train, (), test)) == 3
    words = TaggedExample(("a", "b"), ("O", "O"), "f:1")
    joined = TaggedExample(("ab",), ("O",), "f:2")
    assert overlap(Splits((words,), (), (words, joined))) == 1


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "task", "counts", "labels"),
    [
        ("chnsenticorp", "classification", (9600, 1200, 1200), ("0", "1")),
        ("book_review", "classification", (20000, 10000, 10000), ("0", "1")),
        ("medical_ner", "tagging", (6919, 939, 755), None),
        ("msra_ner", "tagging", (46368, 2318, 4636), None),
    ],
)
def test_the_public_chinese_data_sets(
    data_dir: Path,
    name: str,
    task: Task,
    counts: tuple[int, int, int],
    labels: tuple[str, ...] | None,
) -> None:
    splits = load(data_dir / "zh" / name, task=task)
    assert (len(splits.train), len(splits.dev), len(splits.test)) == counts
    found = label_names(splits)
    if labels is None:
        assert found[0] == "O" and len(found) == {"medical_ner": 11, "msra_ner": 7}[name]
    else:
        assert found == labels
    assert 0 <= overlap(splits) <= counts[2]


@pytest.mark.data
def test_a_pair_task_with_aliases_as_published(data_dir: Path) -> None:
    splits = load(data_dir / "en" / "glue" / "RTE" / "train.tsv", task="pair")
    assert label_names(splits) == ("entailment", "not_entailment")
    assert splits.train[0].pair == "Weapons of Mass Destruction Found in Iraq."
