"""What the lint of texts finds, and what the command says."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from kgbert.data import load_data, main
from kgbert.lint import LONG, lint_data, lint_folder

TEXTS = {
    "a": "Alpha", "b": "Alpha", "c": 'say \\"Gamma\\"', "d": "first\\nsecond",
    "e": "word " * (LONG + 1), "f": "--", "g": "word " * LONG + "\\x",
}  # fmt: skip


def write(folder: Path) -> Path:
    names = list(TEXTS)
    lines = [f"{one}\tr\t{other}\n" for one, other in pairwise(names)]
    for part in ("train", "dev", "test"):
        (folder / f"{part}.tsv").write_text("".join(lines), encoding="utf-8")
    texts = "".join(f"{key}\t{text}\n" for key, text in TEXTS.items())
    (folder / "entity2text.txt").write_text(texts, encoding="utf-8")
    (folder / "relation2text.txt").write_text("r\tprecedes\n", encoding="utf-8")
    return folder


def test_odd_texts_are_counted_with_the_first_of_them(tmp_path: Path) -> None:
    findings = lint_data(load_data(write(tmp_path)))
    found = {each.kind: (each.times, each.where) for each in findings}
    assert found.pop("entities that share their text with another") == (2, "first 'a', 'Alpha'")
    escaped = found.pop('texts of entities with an escape such as \\n or \\"')
    assert escaped == (2, "first 'c', 'say \\\\\"Gamma\\\\\"'")
    assert found.pop(f"texts of entities with more than {LONG} words")[0] == 2
    assert found.pop("texts of entities without a letter or digit") == (1, "first 'f', '--'")
    assert not found
    assert all("\n" not in each.text() for each in findings)


def test_every_broken_line_is_listed_where_loading_stops_at_one(
    tmp_path: Path, capsys: Any
) -> None:
    folder = write(tmp_path)
    (folder / "entity2text.txt").write_text("a\nb\tB\tB\nc\t\nd\tD\nd\tE\n", encoding="utf-8")
    (folder / "relation2text.txt").write_text("r\t\n", encoding="utf-8")
    findings = lint_folder(folder)
    assert [(each.kind, each.times) for each in findings] == [
        ("lines that are not id TAB text", 2),
        ("empty texts", 1),
        ("second texts of an id", 1),
        ("empty texts", 1),
    ]
    assert f"{folder}/entity2text.txt:1: " in findings[0].where
    assert main([str(folder)]) == 2
    said = capsys.readouterr()
    assert said.out.count("\n") == 4 and said.err.count("\n") == 1


def test_the_command_says_what_there_is(tmp_path: Path, capsys: Any) -> None:
    assert main([str(write(tmp_path))]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "6/6/6 triples, 7 entities, 1 relations" in lines[0]
    assert "valid: 6 of 6 true triples are in train as well" in lines
    assert len(lines) == 1 + 2 + 4
    assert main(["sample", "--texts", "both"]) == 0
    assert capsys.readouterr().out.startswith("KnowledgeData('sample'")
