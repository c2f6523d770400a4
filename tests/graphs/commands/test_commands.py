"""What each command prints, as JSON and for a person."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphs import TripleStore, read_triples

LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
Run = Callable[..., Any]


def test_info_counts(run: Run, plain: Path) -> None:
    found = run("info", plain, "--json").json
    assert (found["triples"], found["entities"], found["heads"]) == (5, 7, 3)
    assert [each["relation"] for each in found["relations"]] == ["是", "首都", "简称", "is"]
    assert found["relations"][0]["cardinality"] == "N-1"
    assert found["components"] == 2 and found["largest"] == 5
    assert found["facts"] == [
        {"low": 0, "high": 0, "entities": 4},
        {"low": 1, "high": 1, "entities": 2},
        {"low": 2, "high": 3, "entities": 1},
    ]
    assert found["hubs"][0] == {"entity": "北京", "name": "北京", "facts": 3, "incoming": 0}
    assert found["named"] is False and found["languages"] == {}


def test_info_is_readable(run: Run, plain: Path) -> None:
    done = run("info", plain)
    assert done.status == 0 and done.err == ""
    lines = done.out.splitlines()
    assert lines[0] == str(plain)
    assert "  triples           5" in lines
    assert any(line.split()[:4] == ["是", "2", "40.0%", "N-1"] for line in lines)
    assert any("█" in line for line in lines)


def test_info_tells_languages_and_names(run: Run, rdf: Path) -> None:
    found = run("info", rdf, "--json", "--language", "zh", "en").json
    assert found["named"] and found["naming"] == [LABEL]
    assert found["preferred_languages"] == ["zh", "en"]
    assert found["languages"] == {"en": 1, "fr": 1, "zh": 1}
    assert found["datatypes"] == {"http://www.w3.org/2001/XMLSchema#integer": 1}
    assert found["hubs"][0]["name"] == "巴黎"
    out = run("info", rdf).out
    assert "language of literals" in out and "naming relations" in out
    assert "shared: 2 heads" in out


def test_facts_of_every_candidate(run: Run, rdf: Path) -> None:
    found = run("facts", rdf, "Paris", "--json").json
    assert [each["entity"] for each in found["entities"]] == ["http://x/france", "http://x/texas"]
    france = found["entities"][0]
    assert france["names"][0] == "Paris" and "巴黎" in france["names"]
    assert france["total"] == 5 and len(france["facts"]) == 5
    assert france["facts"][2] == {
        "head": "http://x/france", "relation": "http://x/capitalOf", "tail": "http://x/France",
        "head_name": "Paris", "relation_name": "capital of", "tail_name": "France",
    }  # fmt: skip


def test_facts_by_id_and_alias(run: Run, rdf: Path) -> None:
    for name in ("http://x/france", "巴黎"):
        found = run("facts", rdf, name, "--json", "--limit", "1").json
        assert [each["entity"] for each in found["entities"]] == ["http://x/france"]
        assert len(found["entities"][0]["facts"]) == 1 and found["entities"][0]["total"] == 5


def test_facts_for_a_person(run: Run, plain: Path, rdf: Path) -> None:
    done = run("facts", plain, "北京", "--limit", "2")
    assert done.out == "北京\n  首都  →  中国\n  是    →  城市\n  … and 1 more (--limit 2)\n"
    assert run("facts", plain, "城市", "--incoming").out == (
        "城市\n  no facts\n  是  ←  北京\n  是  ←  上海\n"
    )
    out = run("facts", rdf, "巴黎").out
    assert out.splitlines()[0] == "Paris  http://x/france"
    assert "also called 巴黎" in out
    assert "area        →  105     http://x/area  ^^http://www.w3.org/2001/XMLSchema#integer" in out


def test_a_name_cannot_harm_the_terminal(run: Run, tmp_path: Path) -> None:
    (tmp_path / "kg.spo").write_text("ev\x1b[2Jil\tis\u202e\tx\u200by\n", encoding="utf-8")
    out = run("facts", tmp_path / "kg.spo", "ev\x1b[2Jil").out
    assert out == "ev\\u001b[2Jil\n  is\\u202e  →  x\\u200by\n"
    assert "\x1b" not in run("info", tmp_path / "kg.spo").out
    error = run("facts", tmp_path / "kg.spo", "\x1b[2J")
    assert error.status == 2 and "\x1b" not in error.err


def test_link_gives_offsets_and_candidates(run: Run, plain: Path, rdf: Path) -> None:
    done = run("link", plain, "我在北京", "--json")
    assert done.json == {
        "text": "我在北京",
        "mentions": [
            {"start": 2, "end": 4, "name": "北京",
             "candidates": [{"entity": "北京", "name": "北京", "facts": 3}]}
        ],
    }  # fmt: skip
    assert run("link", plain, "我在北京").out == "我在北京\n  2–4  北京  →  北京  3 facts\n"
    found = run("link", rdf, "Paris", "--json").json["mentions"][0]["candidates"]
    assert [each["entity"] for each in found] == ["http://x/france", "http://x/texas"]


def test_link_shows_the_first_of_many_candidates(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "kg.nt"
    rows = [f'<http://x/{i}> <{LABEL}> "Ann"' for i in range(13)]
    rows += [f'<http://x/{i}> <http://x/age> "{i}"' for i in range(13)]
    file.write_text("".join(f"{row} .\n" for row in rows))
    lines = run("link", file, "Ann").out.splitlines()
    assert len(lines) == 12 and "http://x/9 " in lines[10]
    assert lines[11].strip() == "… and 3 more (--json has them)"
    assert len(run("link", file, "Ann", "--json").json["mentions"][0]["candidates"]) == 13


def test_link_reads_lines_and_folds_case(run: Run, plain: Path) -> None:
    done = run("link", plain, "-", "--case-fold", "--json", stdin="an APPLE\n\nno\n")
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [each["text"] for each in found] == ["an APPLE", "", "no"]
    assert [[m["name"] for m in each["mentions"]] for each in found] == [["APPLE"], [], []]
    assert found[0]["mentions"][0]["candidates"][0]["entity"] == "Apple"
    assert run("link", plain, "an APPLE").out == "an APPLE\n"
    assert '"mentions": []' in run("link", plain, "北京", "--min-length", "3", "--json").out
    assert "Apple" in run("link", plain, "Ａpple", "--nfkc").out
    wrong = run("link", plain, "-", stdin=b"ok\n\xff\n")
    assert wrong.status == 2
    assert (
        wrong.err
        == "error: standard input:2: 0xff at byte 1 is not UTF-8; save the file as UTF-8\n"
    )


@pytest.mark.parametrize("format", ["nt", "nq", "tsv"])
def test_export_writes_a_file_or_to_standard_output(
    run: Run, plain: Path, tmp_path: Path, format: str
) -> None:
    file = tmp_path / f"kg.{format}"
    done = run("export", plain, "-o", file)
    assert (done.status, done.out) == (0, "")
    assert done.err == f"{file}: 5 triples as {format}\n"
    assert list(read_triples(file)) == list(read_triples(plain))
    assert run("export", plain, "--format", format).out == file.read_text(encoding="utf-8")


def test_coverage_counts(run: Run, plain: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("我在北京\n上海和北京\n没有\n", encoding="utf-8")
    found = run("coverage", plain, texts, "--json", "--max-facts", "1").json
    assert (found["texts"], found["covered"], found["mentions"]) == (3, 2, 3)
    assert found["facts"] == 3 and found["fact_characters"] == 4 + 4 + 3
    assert found["top"][0]["entity"] == "北京"
    assert "gold" not in found
    done = run("coverage", plain, "-", stdin=texts.read_bytes())
    assert ["with", "a", "mention", "2", "66.7%"] in map(str.split, done.out.splitlines())


def test_coverage_warns_of_graphs_that_know_the_answer(run: Run, tmp_path: Path) -> None:
    names = [f"疾病{c}" for c in "甲乙丙丁"] + [f"药物{c}" for c in "甲乙丙丁"]
    graph, gold = tmp_path / "kg.spo", tmp_path / "gold.tsv"
    graph.write_text("".join(f"{name}\t类\t{name[:2]}\n" for name in names), encoding="utf-8")
    rows = [
        f"{' '.join(name)} 。\tB-{kind} I-{kind} I-{kind} O\n"
        for name, kind in zip(names, ["D"] * 4 + ["M"] * 4, strict=True)
    ]
    gold.write_text("text_a\tlabel\n" + "".join(rows), encoding="utf-8")
    done = run("coverage", graph, gold, "--words", "--gold", gold)
    assert done.status == 0 and done.out.count("warning: ") == 2
    assert "first fact tells the label 8 100.0%" in " ".join(done.out.split())
    found = run("coverage", graph, gold, "--words", "--gold", gold, "--json").json["gold"]
    assert (found["precision"], found["recall"], found["guessed"]) == (1, 1, 8)
    blind = run("coverage", "cn_dbpedia_sample", gold, "--words", "--gold", gold)
    assert "warning" not in blind.out


def test_pictures_are_drawn(run: Run, plain: Path, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("我在北京\n", encoding="utf-8")
    done = run("info", plain, "--picture", tmp_path / "degrees.png")
    assert done.status == 0 and (tmp_path / "degrees.png").read_bytes().startswith(b"\x89PNG")
    done = run("coverage", plain, tmp_path / "texts.txt", "--picture", tmp_path / "c.svg")
    assert done.status == 0 and b"<svg" in (tmp_path / "c.svg").read_bytes()
    assert done.err == f"picture: {tmp_path / 'c.svg'}\n"


def test_splits_reports(run: Run, tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("a\tr\tb\nb\tr\tc\n")
    (tmp_path / "dev.tsv").write_text("c\tr\ta\n")
    (tmp_path / "test.tsv").write_text("b\tr\ta\n")
    assert isinstance(run("splits", tmp_path, "--json").json, dict)
    done = run("splits", tmp_path)
    assert done.status == 0 and "train" in done.out


def test_bad_lines_are_skipped_on_request_and_reported(run: Run, tmp_path: Path) -> None:
    (tmp_path / "kg.spo").write_text("aa\tr\tb\nbad\n")
    done = run("info", tmp_path / "kg.spo", "--on-error", "skip", "--json")
    assert done.json["skipped"] == 1
    assert done.err.startswith("note: 1 bad lines skipped") and "kg.spo:2" in done.err


def test_build_makes_a_folder_that_every_command_takes(run: Run, rdf: Path, tmp_path: Path) -> None:
    folder = tmp_path / "compiled"
    done = run("build", rdf, "-o", folder, "--language", "zh", "en", "--name", "cities")
    assert done.status == 0, done.err
    assert "sources" in done.out and str(rdf) in done.out
    assert all(line.endswith(" s") for line in done.err.splitlines())
    assert list(TripleStore.open(folder)) == list(TripleStore.open(rdf))
    again = run("build", rdf, "-o", folder)
    assert again.status == 2 and "--overwrite" in again.err
    assert run("build", rdf, "-o", folder, "--overwrite").status == 0
    for compiled, file in ((folder, rdf),):
        for rest in (["facts", "Paris"], ["link", "I saw Paris"]):
            name, *arguments = rest
            assert run(name, compiled, *arguments).out == run(name, file, *arguments).out
        assert run("export", compiled, "--format", "ttl").out == (
            run("export", file, "--format", "ttl").out
        )
        info = [run("info", each, "--json").json for each in (compiled, file)]
        for each in info:
            each.pop("sources"), each.pop("graph"), each.pop("title")
        assert info[0] == info[1]


def test_build_takes_names_and_several_files(run: Run, plain: Path, tmp_path: Path) -> None:
    (tmp_path / "more.tsv").write_text("Q1\tr\tQ2\n")
    (tmp_path / "names.txt").write_text("Q1\tUniverse\tCosmos\n")
    done = run(
        "build", plain, tmp_path / "more.tsv", "--names", tmp_path / "names.txt",
        "-o", tmp_path / "out", "--case-fold", "--nfkc",
    )  # fmt: skip
    assert done.status == 0, done.err
    found = run("facts", tmp_path / "out", "Cosmos", "--json").json["entities"]
    assert [each["names"] for each in found] == [["Universe", "Cosmos"]]
    assert "cosmos" in run("link", tmp_path / "out", "the cosmos", "--case-fold", "--nfkc").out


def test_export_does_not_replace_a_file_unless_told(run: Run, plain: Path, tmp_path: Path) -> None:
    file = tmp_path / "kg.ttl"
    file.write_text("mine", encoding="utf-8")
    done = run("export", plain, "-o", file)
    assert (done.status, file.read_text(encoding="utf-8")) == (2, "mine")
    assert done.err.endswith("kg.ttl: is there already; replace it with --overwrite\n")
    assert run("export", plain, "-o", file, "--overwrite").status == 0
    assert list(read_triples(file)) == list(read_triples(plain))
