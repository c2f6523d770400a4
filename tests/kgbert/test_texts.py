"""Text files of a folder, the three ways to read them, and what is done where one is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from kbert.errors import DataError
from kgbert.text_files import find_file, read_ids, read_text_file
from kgbert.texts import (
    OnMissing,
    TextMode,
    Wording,
    folder_wording,
    relation_wording,
    settle,
    words,
)


def folder_of(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


def entity_texts(folder: Path, mode: TextMode) -> dict[str, str]:
    return dict(folder_wording(folder, mode=mode).texts)


NAMES = "a\tAlpha\nb\tBeta\n"


def test_white_space_around_a_line_is_no_column(tmp_path: Path) -> None:
    path = tmp_path / "entity2text.txt"
    path.write_bytes("\ufeffa\tAlpha\t\r\n b\t  Beta  \n\nc\tC c".encode())
    file = read_text_file(path).checked()
    assert file.texts == {"a": "Alpha", " b": "Beta", "c": "C c"}
    assert file.problems == ()


def test_all_that_is_wrong_is_collected_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "entity2text.txt"
    path.write_text("a\tA\nb\nc\tC\tD\nd\t\na\tA\na\tB\n\tno id\n", encoding="utf-8")
    file = read_text_file(path)
    assert [(problem.kind, problem.line) for problem in file.problems] == [
        ("columns", 2), ("columns", 3), ("empty", 4), ("repeated", 6), ("columns", 7),
    ]  # fmt: skip
    assert file.texts == {"a": "A"} and file.blank == {"d": 4}
    with pytest.raises(DataError, match=r"entity2text.txt:2: 1 columns, not id TAB text: 'b'"):
        file.checked()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a\tb\tc\n", r":1: 3 columns, not id TAB text"),
        ("a\tA\na\tB\n", r":2: a second text of 'a'; keep one"),
    ],
)
def test_a_broken_line_stops_the_reading(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        folder_wording(folder_of(tmp_path, entity2text=line), mode="name")
    with pytest.raises(DataError, match=message):
        relation_wording(folder_of(tmp_path, relation2text=line))


def test_a_file_there_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "entity2text.txt").write_text(NAMES, encoding="utf-8")
    (tmp_path / "entity2text.txt.gz").write_bytes(b"")
    with pytest.raises(DataError, match=r"holds entity2text.txt and entity2text.txt.gz; keep one"):
        find_file(tmp_path, ("entity2text.txt",))


def test_lists_of_ids(tmp_path: Path) -> None:
    path = tmp_path / "entities.txt"
    path.write_text("a b\nc\n\na b\n", encoding="utf-8")
    assert read_ids(path) == ["a b", "c"]
    path.write_text("a\n0\tb\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"entities.txt:2: not one id a line"):
        read_ids(path)


def test_names_are_those_of_the_first_file(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, entity2textshort="a\tshort\n")
    assert entity_texts(folder, "name") == {"a": "short"}
    assert entity_texts(folder_of(tmp_path, entity2text=NAMES), "name")["a"] == "Alpha"


def test_descriptions_and_both(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, entity2text=NAMES, entity2textlong="a\tThe first letter.\n")
    assert entity_texts(folder, "name") == {"a": "Alpha", "b": "Beta"}
    assert entity_texts(folder, "description") == {"a": "The first letter.", "b": "Beta"}
    assert entity_texts(folder, "both") == {"a": "Alpha: The first letter.", "b": "Beta"}
    notes = folder_wording(folder, mode="both").notes
    assert notes == ("entity2textlong.txt: 1 entities have no description; their name is read",)


def test_a_description_does_not_say_the_name_again(tmp_path: Path) -> None:
    mid = "a\tAlpha -- The first letter.\nb\tBeta\nc\tGamma -- The third.\n"
    folder = folder_of(tmp_path, entity2text=NAMES, entity2textmid=mid)
    assert entity_texts(folder, "both") == {
        "a": "Alpha: The first letter.",
        "b": "Beta",
        "c": "Gamma -- The third.",
    }


def test_glosses_are_descriptions(tmp_path: Path) -> None:
    glossed = "1\tdog, a member of the genus Canis\n2\tcat, a small animal with fur\n"
    folder = folder_of(tmp_path, entity2text=glossed)
    assert entity_texts(folder, "name") == {"1": "dog", "2": "cat"}
    assert entity_texts(folder, "description")["1"] == "a member of the genus Canis"
    assert entity_texts(folder, "both")["2"] == "cat, a small animal with fur"
    assert "without their glosses" in folder_wording(folder, mode="name").notes[0]
    commas = folder_of(tmp_path, entity2text="1\tOxford, Ohio\n2\tBath, Maine\n")
    assert entity_texts(commas, "name")["1"] == "Oxford, Ohio"


def test_descriptions_that_are_not_there(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, entity2text=NAMES)
    with pytest.raises(DataError, match=r"no descriptions: add entity2textlong.txt or .* 'name'"):
        folder_wording(folder, mode="both")


def test_ids_as_words() -> None:
    assert words("__genus_xylomelum_1") == "genus xylomelum 1"
    assert words("/film/film/genre") == "film film genre"
    assert words("play on ice") == "play on ice"
    assert words("__") == "__"


WORDING = Wording("texts.txt", {"a": "Alpha", "b_c": "Beta"}, {"d": (Path("texts.txt"), 4)})


def settled(ids: list[str], on_missing: OnMissing) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return settle(ids, WORDING, what="entities", on_missing=on_missing)


def test_what_is_missing_is_told_by_its_id_or_left_out_and_counted() -> None:
    assert settled(["b_c", "a"], "error") == (("Beta", "Alpha"), ())
    texts, notes = settled(["a", "x_y", "z"], "id")
    assert texts == ("Alpha", "x y", "z")
    assert notes == ("2 of 3 entities have no text (the first is 'x_y'): their ids are read",)
    texts, notes = settled(["a", "x_y", "z"], "skip")
    assert texts == ("Alpha", "", "")
    assert notes == ("2 of 3 entities have no text (the first is 'x_y'): left out",)


def test_what_is_missing_is_an_error_with_its_place() -> None:
    with pytest.raises(DataError, match=r"texts.txt: 2 of 3 entities have no text: 'x', 'y'; add"):
        settled(["a", "x", "y"], "error")
    with pytest.raises(DataError, match=r"texts.txt:4: 'd' has an empty text; write one, or on_m"):
        settled(["a", "d"], "error")
    with pytest.raises(DataError, match=r"texts.txt: 2 of 2 .* nothing would be left"):
        settled(["x", "y"], "skip")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    wording = relation_wording(tmp_path)
    with pytest.raises(DataError, match=r"relation2text.txt: is not there, and 1 of 1 relations"):
        settle(["r"], wording, what="relations", on_missing="error")
