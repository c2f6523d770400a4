"""Data sets from folders and graphs: numbers, labels, texts, what is left out, and bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphs import GraphError, TripleStore
from kbert.errors import DataError, SettingsError
from kgbert.data import KnowledgeData, load_data, main
from kgbert.texts import Texts

FILES = {
    "train.tsv": "a\tr\tb\nb\tr\tc\na\ts\tc\n",
    "dev.tsv": "c\tr\ta\n",
    "test.tsv": "c\ts\tb\n",
    "entity2text.txt": "a\tAlpha\nb\tBeta\nc\tGamma\n",
    "relation2text.txt": "r\tis before\ns\tis above\n",
}


def folder_of(folder: Path, files: dict[str, str | None] | None = None) -> Path:
    """Write the folder, with some files instead; None leaves one out."""
    folder.mkdir(exist_ok=True)
    for name, text in {**FILES, **(files or {})}.items():
        if text is not None:
            (folder / name).write_text(text, encoding="utf-8")
    return folder


def load(folder: Path, files: dict[str, str | None] | None = None, **options: Any) -> KnowledgeData:
    return load_data(folder_of(folder, files), **options)


def told(data: KnowledgeData, part: Any) -> list[tuple[str, str, str]]:
    """Return triples as ids."""
    rows = data.triples(part).tolist()
    return [(data.entities[h], data.relations[r], data.entities[t]) for h, r, t in rows]


def test_a_folder_is_read_in_the_order_of_its_files(tmp_path: Path) -> None:
    data = load(tmp_path / "toy")
    assert told(data, "train") == [("a", "r", "b"), ("b", "r", "c"), ("a", "s", "c")]
    assert told(data, "valid") == [("c", "r", "a")] and told(data, "test") == [("c", "s", "b")]
    assert data.entities == ("a", "b", "c") and data.relations == ("r", "s")
    assert [data.texts.entity(number) for number in range(3)] == ["Alpha", "Beta", "Gamma"]
    assert [data.texts.relation(number) for number in range(2)] == ["is before", "is above"]
    assert data.train.dtype == np.int32 and data.train.flags.c_contiguous
    assert data.train_labels is None and data.path == tmp_path / "toy" and data.notes == ()
    assert repr(data).endswith("3/1/1 triples, 3 entities, 2 relations)")


def test_settings_of_graphs_have_no_effect_on_a_folder_and_that_is_said(tmp_path: Path) -> None:
    plain = load(tmp_path)
    found = load_data(tmp_path, valid_share=0.3, languages=["de"], test_share=0.1)
    assert found.notes == (
        "a folder is divided already: valid_share, languages have no effect", *plain.notes
    )  # fmt: skip
    assert found.fingerprint == plain.fingerprint


def test_labels_are_one_and_zero(tmp_path: Path) -> None:
    test = "c\ts\tb\t1\nc\ts\ta\t-1\na\tr\tb\t-1\nc\ts\tb\t-1\n"
    data = load(tmp_path / "toy", {"test.tsv": test})
    assert data.test_labels is not None and data.test_labels.tolist() == [1, 0, 0, 0]
    assert data.test_labels.dtype == np.int8
    assert data.positives("test").tolist() == [[2, 1, 1]]
    assert data.filter("test").rows.T.tolist() == [[2, 1, 1]]
    assert len(data.filter("train", "valid", "test")) == 5
    assert data.notes == (
        "test: 1 of 4 lines have a triple of an earlier line",
        "test: 1 of 4 triples are labelled both true and false",
        "test: 1 of 4 triples labelled false are true in train",
    )


def test_repeated_lines_and_overlaps_are_kept_and_counted(tmp_path: Path) -> None:
    train = FILES["train.tsv"] + "a\tr\tb\na\tr\tb\n"
    data = load(tmp_path / "toy", {"train.tsv": train, "test.tsv": "a\tr\tb\nc\tr\tb\n"})
    assert len(data.train) == 5
    assert data.notes == (
        "train: 2 of 5 lines have a triple of an earlier line",
        "test: 1 of 2 true triples are in train as well",
    )


def test_entities_of_the_list_are_candidates(tmp_path: Path) -> None:
    files: dict[str, str | None] = {
        "entities.txt": "d\na\nb\nd\n",
        "entity2text.txt": FILES["entity2text.txt"] + "d\tDelta\ne\tEps\n",
    }
    data = load(tmp_path / "toy", files)
    assert data.entities == ("a", "b", "c", "d") and data.texts.entity(3) == "Delta"
    listed, lacking, unused = data.notes
    assert listed.endswith("entities.txt: 1 entities are in no triple, and candidates")
    assert lacking.endswith("entities.txt: lacks 1 entities of the triples, which are candidates")
    assert unused.endswith("entity2text.txt: 1 texts are of no entity in the triples")


@pytest.mark.parametrize("gone", ["entity2text.txt", "relation2text.txt"])
def test_a_folder_without_texts(tmp_path: Path, gone: str) -> None:
    with pytest.raises(DataError, match=f"{gone}: is not there, and . of . .* have no text; add"):
        load(tmp_path / "toy", {gone: None})
    data = load_data(tmp_path / "toy", on_missing="id")
    assert len(data.train) == 3
    assert "their ids are read" in data.notes[0]
    with pytest.raises(DataError, match=f"{gone}: .* nothing would be left"):
        load_data(tmp_path / "toy", on_missing="skip")


MISSING: dict[str, str | None] = {"entity2text.txt": "a\tAlpha\nc\tGamma\nb\t\n"}


def test_an_entity_without_text_is_an_error_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"entity2text.txt:3: 'b' has an empty text; write one"):
        load(tmp_path / "toy", MISSING)


def test_an_entity_without_text_is_told_by_its_id(tmp_path: Path) -> None:
    data = load(tmp_path / "toy", MISSING, on_missing="id")
    assert data.texts.entities == ("Alpha", "b", "Gamma") and len(data.train) == 3


def test_triples_of_an_entity_without_text_are_left_out(tmp_path: Path) -> None:
    test = "c\ts\tb\t1\nc\ts\ta\t-1\n"
    data = load(tmp_path / "toy", {**MISSING, "test.tsv": test}, on_missing="skip")
    assert data.entities == ("a", "c") and data.texts.entities == ("Alpha", "Gamma")
    assert told(data, "train") == [("a", "s", "c")] and told(data, "test") == [("c", "s", "a")]
    assert data.test_labels is not None and data.test_labels.tolist() == [0]
    assert data.notes == (
        "1 of 3 entities have no text (the first is 'b'): left out",
        "3 triples left out, of which a part has no text",
    )


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("train.tsv", "a\tr\tb\nb\tr\tc\tx\n", r"train.tsv:2: 4 fields instead of 3"),
        ("train.tsv", "a\tr\tb\tc\n", r"train.tsv:1: label 'c'; it must be 1 .* or -1"),
        ("dev.tsv", "c\tr\ta\t2\n", r"dev.tsv:1: label '2'; it must be 1 \(true\) or -1"),
        ("test.tsv", "c\tr\n", r"test.tsv:1: 2 fields instead of 3"),
        ("test.tsv", "c\tr\t\n", r"test.tsv:1: empty tail"),
        ("test.tsv", None, r"has no test.tsv or test.txt"),
        ("train.tsv", "", r"no triples to train on"),
        ("entity2text.txt", "a\tb\tc\n", r"entity2text.txt:1: 3 columns, not id TAB text"),
        ("entities.txt", "0\ta\n", r"entities.txt:1: not one id a line"),
    ],
)
def test_bad_files_are_one_line_and_status_2(
    tmp_path: Path, capsys: Any, name: str, text: str | None, message: str
) -> None:
    folder = folder_of(tmp_path / "toy", {name: text})
    with pytest.raises((DataError, GraphError), match=message) as caught:
        load_data(folder)
    assert "\n" not in str(caught.value)
    assert main([str(folder)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_is_no_data_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KBERT_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"no data set 'sampel': .*/kgc, .*did you mean 'sample'"):
        load_data("sampel")
    monkeypatch.delenv("KBERT_DATA")
    with pytest.raises(DataError, match=r"no data set 'UMLS': .*KBERT_DATA is not set"):
        load_data("UMLS")
    with pytest.raises(SettingsError, match="did you mean 'description'"):
        load_data("sample", texts="descriptions")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="known are error, id, skip"):
        load_data("sample", on_missing="drop")  # type: ignore[arg-type]


def test_a_name_is_a_folder_of_the_data_sets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "kgc").mkdir()
    folder_of(tmp_path / "kgc" / "toy")
    monkeypatch.setenv("KBERT_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path / "kgc")
    data = load_data("toy")  # what is here comes first
    assert data.path == Path("toy") and data.name == "toy"
    monkeypatch.chdir(tmp_path)
    data = load_data("toy")
    assert data.path == tmp_path / "kgc" / "toy" and data.name == "toy"


def test_the_fingerprint_is_of_ids_triples_labels_and_texts(tmp_path: Path) -> None:
    first = load(tmp_path / "one").fingerprint
    assert load(tmp_path / "two").fingerprint == first
    changes: list[dict[str, str | None]] = [
        {"entity2text.txt": "a\tAlph\nb\tBeta\nc\tGamma\n"},
        {"relation2text.txt": "r\tis before\ns\tis over\n"},
        {"test.tsv": "c\ts\ta\n"},
        {"test.tsv": "c\ts\tb\t1\n"},
        {"dev.tsv": FILES["test.tsv"], "test.tsv": FILES["dev.tsv"]},
    ]
    found = {load(tmp_path / f"new{n}", each).fingerprint for n, each in enumerate(changes)}
    assert len(found | {first}) == 6


def test_parts_are_named(tmp_path: Path) -> None:
    data = load(tmp_path / "toy")
    for call in (data.triples, data.labels, data.positives, data.filter):
        with pytest.raises(SettingsError, match=r"no part 'tests'; .* did you mean 'test'"):
            call("tests")  # type: ignore[operator]
    with pytest.raises(SettingsError, match="filter by which parts"):
        data.filter()


def test_texts_by_number() -> None:
    texts = Texts(entities=("a",), relations=("r",))
    assert texts.entity(0) == "a" and texts.relation(0) == "r"


def test_a_graph_is_divided(tmp_path: Path) -> None:
    path = tmp_path / "graph.tsv"
    lines = [f"e {i}\tnext\te {i + 1}" for i in range(50)]
    path.write_text("\n".join(lines), encoding="utf-8")
    data = load_data(path, valid_share=0.1, test_share=0.2, seed=3)
    sizes = [len(data.triples(part)) for part in ("train", "valid", "test")]
    assert sizes == [35, 5, 10]
    parts = [set(told(data, part)) for part in ("train", "valid", "test")]
    assert set.union(*parts) == set(TripleStore.open(path)) and sum(map(len, parts)) == 50
    assert data.texts.entity(data.entities.index("e 7")) == "e 7"
    again = load_data(path, valid_share=0.1, test_share=0.2, seed=3)
    assert again.fingerprint == data.fingerprint
    assert load_data(path, valid_share=0.1, test_share=0.2).fingerprint != data.fingerprint
    with pytest.raises(DataError, match=r"graph.tsv: no descriptions of entities; take texts 'na"):
        load_data(path, texts="description")
